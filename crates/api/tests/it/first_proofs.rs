//! Accounts prepared by a stranger, before the owner of the address proves to read its mail.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::totp::Authenticator;

const NEW: &str = "another good one";

/// What a stranger prepared in an account with the address of another person.
struct Prepared {
    stranger: SignedIn,
    key: String,
    authenticator: Authenticator,
    /// The link of an address change, mailed to the stranger.
    change: String,
    /// A sign-in that owes the stranger's second factor.
    challenge: String,
}

async fn prepared(app: &TestApp) -> Prepared {
    let stranger = app.user().await;
    let key = app.api_key(&stranger, &[]).await.secret;
    let made: Value = app.post_as("/api/v1/me/totp", &stranger.token, &json!({})).await.json().await.unwrap();
    let authenticator = Authenticator::scan(made["uri"].as_str().unwrap());
    let code = json!({"code": authenticator.code(app.services.clock.now())});
    assert_eq!(app.post_as("/api/v1/me/totp/confirm", &stranger.token, &code).await.status(), 200);
    let elsewhere = app.fresh_email();
    let asked = app.post_as("/api/v1/email-changes", &stranger.token, &json!({"email": elsewhere})).await;
    assert_eq!(asked.status(), 202);
    let owing = app.try_sign_in(&stranger.email, PASSWORD).await;
    assert_eq!(owing.status(), 202);
    let owing: Value = owing.json().await.unwrap();
    Prepared {
        key,
        authenticator,
        change: app.token_to(&elsewhere, "confirm-email").await,
        challenge: owing["challenge_id"].as_str().unwrap().to_owned(),
        stranger,
    }
}

/// Nothing of what was prepared works.
async fn is_ended(app: &TestApp, before: Prepared, password: Option<&str>) {
    let Prepared { stranger, key, authenticator, change, challenge } = before;
    assert_eq!(app.me_status(&stranger.token).await, 401, "session");
    assert_eq!(app.me_status(&key).await, 401, "API key");
    let refreshed = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": stranger.refresh_token})).await;
    assert_eq!(refreshed.status(), 401, "refresh token");
    let confirmed = app.post("/api/v1/email-changes/confirm", &json!({"token": change})).await;
    field_problem(confirmed, "token", "invalid_token").await;
    let code = json!({"code": authenticator.code(app.services.clock.now())});
    let finished = app.post(&format!("/api/v1/sessions/challenges/{challenge}"), &code).await;
    problem(finished, 401, "invalid_code").await;
    problem(app.try_sign_in(&stranger.email, PASSWORD).await, 401, "invalid_credentials").await;
    let password = if let Some(password) = password {
        password
    } else {
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": stranger.email})).await.status(), 202);
        let token = app.token_to(&stranger.email, "reset-password").await;
        let body = json!({"token": token, "new_password": NEW});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        NEW
    };
    assert_eq!(app.try_sign_in(&stranger.email, password).await.status(), 201, "no factor is owed");
}

async fn verification_of(app: &TestApp, user: &SignedIn) -> Value {
    json!({"token": app.token_to(&user.email, "verify-email").await})
}

const VERIFY: &str = "/api/v1/email-verifications/confirm";

on_both! {
    async fn a_verification_link_ends_what_was_made_before(app: TestApp) {
        let before = prepared(&app).await;
        let body = verification_of(&app, &before.stranger).await;
        assert_eq!(app.post(VERIFY, &body).await.status(), 204);
        is_ended(&app, before, None).await;
    }

    async fn a_reset_ends_what_was_made_before(app: TestApp) {
        let before = prepared(&app).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": before.stranger.email})).await.status(), 202);
        let token = app.token_to(&before.stranger.email, "reset-password").await;
        let body = json!({"token": token, "new_password": NEW});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        is_ended(&app, before, Some(NEW)).await;
    }

    async fn a_magic_link_ends_what_was_made_before(app: TestApp, "sign_in.magic_links" = "true") {
        let before = prepared(&app).await;
        let email = json!({"email": before.stranger.email});
        assert_eq!(app.post("/api/v1/sessions/magic-links", &email).await.status(), 202);
        let token = app.token_to(&before.stranger.email, "sign-in").await;
        let signed_in = app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": token})).await;
        assert_eq!(signed_in.status(), 201);
        let signed_in: Value = signed_in.json().await.unwrap();
        assert_eq!(app.me_status(signed_in["access_token"].as_str().unwrap()).await, 200, "the owner's session");
        is_ended(&app, before, None).await;
    }

    async fn a_mailed_code_ends_what_was_made_before(app: TestApp, "sign_in.mailed_codes" = "true") {
        let before = prepared(&app).await;
        let email = json!({"email": before.stranger.email});
        let asked: Value = app.post("/api/v1/sessions/codes", &email).await.json().await.unwrap();
        let code = app.codes_to(&before.stranger.email, 1).await.remove(0);
        let path = format!("/api/v1/sessions/challenges/{}", asked["challenge_id"].as_str().unwrap());
        assert_eq!(app.post(&path, &json!({"code": code})).await.status(), 201);
        is_ended(&app, before, None).await;
    }

    async fn an_open_enrolment_ends_with_the_first_proof(app: TestApp, "sign_in.magic_links" = "true") {
        let (stranger, admin) = (app.user().await, app.admin().await);
        let role = app.json("/api/v1/roles/user", &admin.token).await;
        let role = json!({"permissions": role["permissions"], "description": role["description"], "second_factor": "required"});
        assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
        let owing: Value = app.try_sign_in(&stranger.email, PASSWORD).await.json().await.unwrap();
        assert_eq!(owing["owed"], "enrolment");
        let path = format!("/api/v1/sessions/challenges/{}", owing["challenge_id"].as_str().unwrap());
        let begun = app.request(Method::POST, &format!("{path}/totp"), None).send().await.unwrap();
        let begun: Value = begun.json().await.unwrap();
        let code = Authenticator::scan(begun["uri"].as_str().unwrap()).code(app.services.clock.now());

        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": stranger.email})).await.status(), 202);
        let token = app.token_to(&stranger.email, "sign-in").await;
        let proven = app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": token})).await;
        assert_eq!(proven.json::<Value>().await.unwrap()["owed"], "enrolment");
        let again = app.request(Method::POST, &format!("{path}/totp"), None).send().await.unwrap();
        problem(again, 401, "invalid_code").await;
        problem(app.post(&path, &json!({"code": code})).await, 401, "invalid_code").await;
    }

    async fn whoever_signed_up_and_reads_the_mail_loses_nothing(app: TestApp) {
        let by_session = app.user().await;
        let body = verification_of(&app, &by_session).await;
        let key = app.api_key(&by_session, &[]).await.secret;
        assert_eq!(app.post_as(VERIFY, &by_session.token, &body).await.status(), 204);
        assert_eq!((app.me_status(&by_session.token).await, app.me_status(&key).await), (200, 200));
        assert_eq!(app.json("/api/v1/me", &by_session.token).await["email_verified"], true);

        let by_password = app.user().await;
        let mut body = verification_of(&app, &by_password).await;
        body["password"] = json!("not the password");
        field_problem(app.post(VERIFY, &body).await, "password", "wrong_password").await;
        assert_eq!(app.json("/api/v1/me", &by_password.token).await["email_verified"], false);
        body["password"] = json!(PASSWORD);
        assert_eq!(app.post(VERIFY, &body).await.status(), 204);
        assert_eq!(app.json("/api/v1/me", &by_password.token).await["email_verified"], true);
        app.sign_in(&by_password.email).await;
    }

    async fn a_session_of_another_user_or_a_key_is_not_the_holder(app: TestApp) {
        let (first, second, other) = (app.user().await, app.user().await, app.user().await);
        let body = verification_of(&app, &first).await;
        assert_eq!(app.post_as(VERIFY, &other.token, &body).await.status(), 204);
        assert_eq!((app.me_status(&first.token).await, app.me_status(&other.token).await), (401, 200));
        let body = verification_of(&app, &second).await;
        let key = app.api_key(&second, &[]).await.secret;
        assert_eq!(app.post_as(VERIFY, &key, &body).await.status(), 204);
        assert_eq!((app.me_status(&second.token).await, app.me_status(&key).await), (401, 401));
    }

    async fn an_invitation_ends_what_was_made_before(app: TestApp) {
        let (admin, email) = (app.admin().await, app.fresh_email());
        let invited = app.post_as("/api/v1/invitations", &admin.token, &json!({"email": email})).await;
        assert_eq!(invited.status(), 201);
        // A stranger asks for everything that can be asked for by an address alone.
        assert_eq!(app.post("/api/v1/email-verifications", &json!({"email": email})).await.status(), 202);
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": email})).await.status(), 202);
        let token = app.token_to(&email, "accept-invitation").await;
        let joined = app.post("/api/v1/invitations/accept", &json!({"token": token, "password": PASSWORD})).await;
        assert!(joined.status().is_success(), "{}", joined.status());
        let user = app.sign_in(&email).await;
        assert_eq!(app.json("/api/v1/me", &user.token).await["email_verified"], true);
    }
}
