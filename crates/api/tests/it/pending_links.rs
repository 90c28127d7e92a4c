//! What is pending on an account, and which events end it: the table of `docs/credentials.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::credentials::{self, NewPassword};
use denizen_domain::id::{ChallengeId, OneTimeTokenId, UserId};
use denizen_domain::one_time::Purpose;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both};
use crate::totp::Authenticator;

const NEW: &str = "another good one";
/// Everything that can be pending.
const ALL: &str = "change reset sign_in challenge totp devices";
/// All but remembered devices.
const OPENING: &str = "change reset sign_in challenge totp";

/// Each event, and what it ends.
const TABLE: [(&str, &str); 14] = [
    ("signs out everywhere", ALL),
    ("an administrator ends every session", ALL),
    ("ends the other sessions", OPENING),
    ("the asking session is ended", "change"),
    ("the asking session signs out", "change"),
    ("another session is ended", ""),
    ("changes the password", OPENING),
    ("an administrator sets the password", ALL),
    ("enables a second factor", OPENING),
    // There is a confirmed factor already, so none is pending.
    ("replaces the recovery codes", "change totp"),
    ("removes the second factor", OPENING),
    ("an administrator changes the address", OPENING),
    ("is disabled", ALL),
    ("gets another role", ""),
];

/// A user with everything pending. The change was asked for, and the enrolment begun, by `asking`.
struct Pending {
    id: UserId,
    owner: SignedIn,
    asking: SignedIn,
    authenticator: Option<Authenticator>,
    change: OneTimeTokenId,
    reset: OneTimeTokenId,
    sign_in: OneTimeTokenId,
    challenge: ChallengeId,
}

/// The id that a derived token begins with.
fn id_in(token: &str) -> Uuid {
    let bytes = URL_SAFE_NO_PAD.decode(&token[4..]).unwrap();
    Uuid::from_slice(&bytes[..16]).unwrap()
}

async fn begin_totp(app: &TestApp, user: &SignedIn) -> Authenticator {
    let made: Value = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json().await.unwrap();
    Authenticator::scan(made["uri"].as_str().unwrap())
}

async fn confirm_totp(app: &TestApp, user: &SignedIn, authenticator: &Authenticator) {
    let code = json!({"code": authenticator.code(app.services.clock.now())});
    assert_eq!(app.post_as("/api/v1/me/totp/confirm", &user.token, &code).await.status(), 200);
}

async fn pending(app: &TestApp, event: &str) -> Pending {
    let owner = app.user().await;
    let has_factor = matches!(event, "replaces the recovery codes" | "removes the second factor");
    let (asking, authenticator) = if has_factor {
        confirm_totp(app, &owner, &begin_totp(app, &owner).await).await;
        (owner.clone(), None)
    } else {
        let asking = app.sign_in(&owner.email).await;
        let authenticator = begin_totp(app, &asking).await;
        (asking, Some(authenticator))
    };
    let new = app.fresh_email();
    let email = json!({"email": owner.email});
    assert_eq!(app.post_as("/api/v1/email-changes", &asking.token, &json!({"email": new})).await.status(), 202);
    assert_eq!(app.post("/api/v1/password-resets", &email).await.status(), 202);
    assert_eq!(app.post("/api/v1/sessions/magic-links", &email).await.status(), 202);
    let asked: Value = app.post("/api/v1/sessions/codes", &email).await.json().await.unwrap();
    let link = async |to: &str, page: &str| OneTimeTokenId::from_uuid(id_in(&app.token_to(to, page).await));
    Pending {
        id: UserId::parse(&owner.id).unwrap(),
        change: link(&new, "confirm-email").await,
        reset: link(&owner.email, "reset-password").await,
        sign_in: link(&owner.email, "sign-in").await,
        challenge: ChallengeId::from_uuid(id_in(asked["challenge_id"].as_str().unwrap())),
        authenticator,
        owner,
        asking,
    }
}

/// The path of every session of a user.
fn sessions_of(user: &SignedIn) -> String {
    format!("/api/v1/sessions?user_id={}", user.id)
}

/// What is no longer pending.
async fn ended(app: &TestApp, pending: &Pending) -> String {
    let now = app.services.clock.now();
    let mut read = app.services.store.read().await.unwrap();
    let mut ended = Vec::new();
    let links = [
        ("change", pending.change, Purpose::EmailChange),
        ("reset", pending.reset, Purpose::PasswordReset),
        ("sign_in", pending.sign_in, Purpose::SignIn),
    ];
    for (name, id, purpose) in links {
        if read.find_one_time_token(id, purpose, now).await.unwrap().is_none() {
            ended.push(name);
        }
    }
    if read.find_challenge(pending.challenge, now).await.unwrap().is_none() {
        ended.push("challenge");
    }
    if read.find_totp(pending.id).await.unwrap().is_none_or(|totp| totp.confirmed_at.is_some()) {
        ended.push("totp");
    }
    if read.devices_since(pending.id).await.unwrap().is_some() {
        ended.push("devices");
    }
    ended.join(" ")
}

async fn happen(app: &TestApp, admin: &SignedIn, event: &str, pending: &Pending) {
    let Pending { owner, asking, .. } = pending;
    let session = |of: &SignedIn| format!("/api/v1/sessions/{}", of.session_id);
    let all = sessions_of(owner);
    let status = match event {
        "signs out everywhere" => app.delete(&all, &owner.token).await,
        "an administrator ends every session" => app.delete(&all, &admin.token).await,
        "ends the other sessions" => app.delete("/api/v1/sessions?except=current", &owner.token).await,
        "the asking session is ended" => app.delete(&session(asking), &owner.token).await,
        "the asking session signs out" => app.delete("/api/v1/sessions/current", &asking.token).await,
        "another session is ended" => app.delete(&session(owner), &admin.token).await,
        "changes the password" => {
            let body = json!({"current_password": PASSWORD, "new_password": NEW});
            app.put("/api/v1/me/password", &owner.token, &body).await
        }
        "an administrator sets the password" => {
            let new = NewPassword::parse(&NEW.into(), 8).unwrap();
            return credentials::set(&app.operator(), pending.id, new).await.unwrap();
        }
        "enables a second factor" => {
            return confirm_totp(app, owner, pending.authenticator.as_ref().unwrap()).await;
        }
        "replaces the recovery codes" => app.post_as("/api/v1/me/recovery-codes", &owner.token, &json!({})).await,
        "removes the second factor" => app.delete("/api/v1/me/totp", &owner.token).await,
        "an administrator changes the address" => {
            app.patch(&owner.path(), &admin.token, &json!({"email": app.fresh_email()})).await
        }
        "is disabled" => app.patch(&owner.path(), &admin.token, &json!({"status": "disabled"})).await,
        "gets another role" => app.patch(&owner.path(), &admin.token, &json!({"role": "admin"})).await,
        other => panic!("{other}"),
    };
    let status = status.status();
    assert!(status.is_success(), "{event}: {status}");
}

/// A thief with a session begins an address change; what the owner does about it ends it.
async fn begun_by_a_thief(app: &TestApp) -> (SignedIn, SignedIn, String) {
    let owner = app.user().await;
    let thief = app.sign_in(&owner.email).await;
    let elsewhere = app.fresh_email();
    let asked = app.post_as("/api/v1/email-changes", &thief.token, &json!({"email": elsewhere})).await;
    assert_eq!(asked.status(), 202);
    let token = app.token_to(&elsewhere, "confirm-email").await;
    (owner, thief, token)
}

async fn is_refused(app: &TestApp, token: &str) {
    let confirmed = app.post("/api/v1/email-changes/confirm", &json!({"token": token})).await;
    field_problem(confirmed, "token", "invalid_token").await;
}

on_both! {
    async fn each_event_ends_what_the_table_says(
        app: TestApp, "sign_in.magic_links" = "true", "sign_in.mailed_codes" = "true",
        "limits.mail_requests_per_hour" = "1000"
    ) {
        let (app, admin) = (&app, &app.admin().await);
        let rows = TABLE.map(async |(event, expected)| {
            let pending = pending(app, event).await;
            let before = ended(app, &pending).await;
            assert!(matches!(before.as_str(), "" | "totp"), "before {event}: {before}");
            happen(app, admin, event, &pending).await;
            assert_eq!(ended(app, &pending).await, expected, "{event}");
        });
        join_all(rows).await;
    }

    async fn a_change_begun_by_a_thief_cannot_be_confirmed(app: TestApp) {
        let admin = app.admin().await;
        let (owner, _, token) = begun_by_a_thief(&app).await;
        assert!(app.delete(&sessions_of(&owner), &owner.token).await.status().is_success());
        is_refused(&app, &token).await;

        let (owner, _, token) = begun_by_a_thief(&app).await;
        assert!(app.delete(&sessions_of(&owner), &admin.token).await.status().is_success());
        is_refused(&app, &token).await;

        let (owner, thief, token) = begun_by_a_thief(&app).await;
        let path = format!("/api/v1/sessions/{}", thief.session_id);
        assert!(app.delete(&path, &owner.token).await.status().is_success());
        is_refused(&app, &token).await;

        let (owner, _, token) = begun_by_a_thief(&app).await;
        confirm_totp(&app, &owner, &begin_totp(&app, &owner).await).await;
        is_refused(&app, &token).await;
    }

    async fn a_reused_refresh_token_ends_the_change_of_its_session(app: TestApp, "sessions.refresh_grace_s" = "0") {
        let (_, thief, token) = begun_by_a_thief(&app).await;
        let refresh = json!({"refresh_token": thief.refresh_token});
        assert_eq!(app.post("/api/v1/sessions/refresh", &refresh).await.status(), 200);
        assert_eq!(app.post("/api/v1/sessions/refresh", &refresh).await.status(), 401);
        is_refused(&app, &token).await;
    }

    async fn a_device_is_forgotten_when_every_session_ends(
        app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "600"
    ) {
        let user = app.user().await;
        let body: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let on_device = json!({"email": user.email, "password": PASSWORD, "device_token": body["device_token"]});
        for _ in 0..4 {
            app.try_sign_in(&user.email, "a guess").await;
        }
        assert_eq!(app.post("/api/v1/sessions", &on_device).await.status(), 201);
        assert!(app.delete(&sessions_of(&user), &user.token).await.status().is_success());
        assert_eq!(app.post("/api/v1/sessions", &on_device).await.status(), 429);
    }
}
