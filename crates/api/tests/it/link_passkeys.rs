//! A passkey in place of a password, by the mailed link of a password reset or of an invitation.

use std::sync::Arc;

use denizen_domain::events::Event;
use denizen_proto::v1;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::Code;

use crate::authenticator::{Authenticator, PRESENT};
use crate::browser::{ACCESS, Browser, REFRESH};
use crate::events_walk::{head, records_after};
use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, fields_problem, on_both, problem};
use crate::passkeys::{MINE, opened, stage, token};
use crate::required_passkeys::{enrol_totp, require};

const RESET: &str = "/api/v1/password-resets/passkeys";
const JOIN: &str = "/api/v1/invitations/passkeys";
const RESET_PAGE: &str = "reset-password";
const JOIN_PAGE: &str = "accept-invitation";
const NEW: &str = "another good one";

/// The token of a mailed link that resets the password of a user.
async fn reset_link(app: &TestApp, user: &SignedIn) -> String {
    assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
    app.token_to(&user.email, RESET_PAGE).await
}

/// The token of a second link.
async fn second_link(app: &TestApp, user: &SignedIn) -> String {
    let before = app.tokens_so_far(&user.email, RESET_PAGE);
    assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
    let tokens = app.tokens_to(&user.email, RESET_PAGE, before.len() + 1).await;
    tokens.into_iter().find(|token| !before.contains(token)).unwrap()
}

/// The address of an invited user, and the token of the mailed link.
async fn invited(app: &TestApp, admin: &SignedIn, role: &str) -> (String, String) {
    let email = app.fresh_email();
    let body = json!({"email": email, "name": "Grace Hopper", "role": role});
    assert_eq!(app.post_as("/api/v1/invitations", &admin.token, &body).await.status(), 201);
    let link = app.token_to(&email, JOIN_PAGE).await;
    (email, link)
}

/// A user who has proven their address in a session of their own.
async fn verified(app: &TestApp) -> SignedIn {
    let user = app.user().await;
    let link = json!({"token": app.token_to(&user.email, "verify-email").await});
    assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &link).await.status(), 204);
    user
}

async fn ask(app: &TestApp, path: &str, link: &str) -> Response {
    app.post(&format!("{path}/options"), &json!({"token": link})).await
}

async fn options(app: &TestApp, path: &str, link: &str) -> Value {
    let response = ask(app, path, link).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.json().await.unwrap()
}

/// Creates a passkey: the body that registers it.
async fn created(app: &TestApp, path: &str, link: &str, device: &mut Authenticator) -> Value {
    let options = options(app, path, link).await;
    json!({"token": link, "state": options["state"], "credential": device.create(&options["publicKey"])})
}

async fn send(app: &TestApp, path: &str, link: &str, device: &mut Authenticator) -> Response {
    let body = created(app, path, link, device).await;
    app.post(path, &body).await
}

/// The types of events of a user after a position, each with the detail that tells how.
async fn events(app: &TestApp, after: i64, user: &str) -> Vec<String> {
    let mut records = records_after(app, after).await;
    records.retain(|record| record.about.as_str() == Some(user) && record.actor.kind.as_str() == "user");
    let describe = |record: &Event| {
        let data = json!(record.data);
        let detail = ["cause", "method", "reason"].into_iter().find_map(|name| data[name].as_str());
        [Some(record.kind.as_str()), detail].into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    records.iter().map(describe).collect()
}

on_both! {
    async fn an_invited_user_joins_with_a_passkey(app: TestApp) {
        let admin = app.admin().await;
        let (email, link) = invited(&app, &admin, "admin").await;
        let mut device = app.authenticator();
        // Options can be requested again: they do not use the link.
        options(&app, JOIN, &link).await;
        let given = options(&app, JOIN, &link).await;
        let public_key = &given["publicKey"];
        let selection = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
        assert_eq!((&public_key["authenticatorSelection"], &public_key["excludeCredentials"]), (&selection, &json!([])));
        assert_eq!((&public_key["user"]["name"], &public_key["user"]["displayName"]), (&json!(email), &json!("Grace Hopper")));
        let mut body = json!({"token": link, "state": given["state"], "credential": device.create(public_key),
            "name": "Admiral Hopper", "passkey_name": "Phone", "label": "Laptop"});
        let before = head(&app).await;
        let signed_in = opened(app.post(JOIN, &body).await).await;
        let user = &signed_in["user"];
        assert_eq!((&user["status"], &user["email_verified"], &user["name"]), (&json!("active"), &json!(true), &json!("Admiral Hopper")));
        assert_eq!((&user["role"], &user["email"]), (&json!("admin"), &json!(email)));
        let id = user["id"].as_str().unwrap();
        let recorded = events(&app, before, id).await;
        assert_eq!(recorded, ["user.updated", "user.email_verified", "user.joined", "passkey.added", "session.started passkey"]);
        app.news_to(&email, "passkey was added").await;

        let mine = app.json(MINE, token(&signed_in)).await;
        assert_eq!((mine["data"].as_array().unwrap().len(), &mine["data"][0]["name"]), (1, &json!("Phone")));
        let factors = app.json("/api/v1/me/factors", token(&signed_in)).await;
        assert_eq!((&factors["password"], &factors["passkeys"]), (&json!(false), &json!(1)));
        assert_eq!(app.json("/api/v1/sessions", token(&signed_in)).await[0]["label"], "Laptop");
        // The session has proven a second factor: it makes recovery codes at once.
        let codes = app.post_as("/api/v1/me/recovery-codes", token(&signed_in), &json!({})).await;
        assert_eq!(codes.status(), 200);
        problem(app.try_sign_in(&email, PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);

        // The link is used.
        field_problem(app.post(JOIN, &body).await, "token", "invalid_token").await;
        field_problem(ask(&app, JOIN, &link).await, "token", "invalid_token").await;
        let accept = json!({"token": link, "password": PASSWORD});
        field_problem(app.post("/api/v1/invitations/accept", &accept).await, "token", "invalid_token").await;
        body["passkey_name"] = json!("");
        body["name"] = json!("\u{0}");
        fields_problem(app.post(JOIN, &body).await, &[("name", "invalid_characters"), ("passkey_name", "required")]).await;
    }

    async fn a_passkey_replaces_a_forgotten_password(app: TestApp) {
        let user = verified(&app).await;
        let elsewhere = app.sign_in(&user.email).await;
        let link = reset_link(&app, &user).await;
        let mut device = app.authenticator();
        let before = head(&app).await;
        let signed_in = opened(send(&app, RESET, &link, &mut device).await).await;
        assert_eq!((&signed_in["user"]["id"], signed_in["user"]["email_verified"].as_bool()), (&json!(user.id), Some(true)));
        for ended in [&user, &elsewhere] {
            assert_eq!(app.me_status(&ended.token).await, 401);
            let refresh = json!({"refresh_token": ended.refresh_token});
            problem(app.post("/api/v1/sessions/refresh", &refresh).await, 401, "invalid_refresh_token").await;
        }
        let recorded = events(&app, before, &user.id).await;
        let ended = "session.ended password_changed";
        assert_eq!(recorded, ["password.changed removed", ended, ended, "passkey.added", "session.started passkey"]);
        app.news_to(&user.email, "passkey was added").await;

        // The old password opens nothing, not even a challenge.
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(app.json("/api/v1/me/factors", token(&signed_in)).await["password"], false);
        assert_eq!(app.me_status(token(&signed_in)).await, 200);
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
        field_problem(ask(&app, RESET, &link).await, "token", "invalid_token").await;
        // It is the only sign-in method.
        let list = app.json(MINE, token(&signed_in)).await;
        let path = format!("{MINE}/{}", list["data"][0]["id"].as_str().unwrap());
        problem(app.delete(&path, token(&signed_in)).await, 409, "last_way_in").await;
    }

    async fn a_link_does_not_replace_a_second_factor(world: World) {
        let (app, clock) = stage(&world).await;
        let (codes, keyed) = (verified(&app).await, verified(&app).await);
        let before = created(&app, RESET, &reset_link(&app, &codes).await, &mut app.authenticator()).await;
        enrol_totp(&app, &clock, &codes).await;
        app.register_key(&keyed, &mut app.security_key()).await;
        // A link that was there before the factor is ended by it.
        field_problem(app.post(RESET, &before).await, "token", "invalid_token").await;
        for user in [&codes, &keyed] {
            let link = second_link(&app, user).await;
            problem(ask(&app, RESET, &link).await, 409, "second_factor_present").await;
            // The link sets a password, and the sign-in requires the factor.
            let confirm = json!({"token": link, "new_password": NEW});
            assert_eq!(app.post("/api/v1/password-resets/confirm", &confirm).await.status(), 204);
            assert_eq!(app.try_sign_in(&user.email, NEW).await.status(), 202);
        }
    }

    async fn a_first_proof_ends_what_was_made_before_it(world: World) {
        let (app, clock) = stage(&world).await;
        // An attacker signed up with the address of another person, and prepared the account.
        let user = app.user().await;
        let mut theirs = app.authenticator();
        app.register(&user, &mut theirs).await;
        enrol_totp(&app, &clock, &user).await;
        let link = reset_link(&app, &user).await;
        // The owner's browser must not refuse because of a passkey that is about to be removed.
        let given = options(&app, RESET, &link).await;
        assert_eq!(given["publicKey"]["excludeCredentials"], json!([]));
        let mut device = app.authenticator();
        let signed_in = opened(send(&app, RESET, &link, &mut device).await).await;
        assert_eq!(signed_in["user"]["email_verified"], true);
        assert_eq!(app.me_status(&user.token).await, 401);
        problem(app.passkey_sign_in(&mut theirs).await, 404, "unknown_passkey").await;
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        let factors = app.json("/api/v1/me/factors", token(&signed_in)).await;
        assert_eq!((&factors["passkeys"], &factors["totp"], &factors["recovery_codes_left"]), (&json!(1), &Value::Null, &json!(0)));
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
    }

    async fn a_state_is_bound_to_its_link(app: TestApp) {
        let (admin, user, other) = (app.admin().await, verified(&app).await, verified(&app).await);
        let (_, invitation) = invited(&app, &admin, "user").await;
        let (link, others) = (reset_link(&app, &user).await, reset_link(&app, &other).await);
        let mut device = app.authenticator();
        let session = app.passkey_options(MINE, Some(&user.token)).await;
        let states = [options(&app, JOIN, &invitation).await, options(&app, RESET, &others).await, session];
        for foreign in &states {
            let body = json!({"token": link, "state": foreign["state"], "credential": device.create(&foreign["publicKey"])});
            field_problem(app.post(RESET, &body).await, "state", "invalid_state").await;
        }
        let body = created(&app, RESET, &link, &mut device).await;
        let mine = json!({"state": body["state"], "credential": body["credential"]});
        field_problem(app.post_as(MINE, &user.token, &mine).await, "state", "invalid_state").await;
        // A link of one kind is none of the other, and forged ones are none.
        for wrong in [&invitation, "", "dno_", &link[..link.len() - 1], &format!("{link}A")] {
            field_problem(ask(&app, RESET, wrong).await, "token", "invalid_token").await;
            let body = json!({"token": wrong, "state": body["state"], "credential": body["credential"]});
            field_problem(app.post(RESET, &body).await, "token", "invalid_token").await;
        }
        field_problem(ask(&app, JOIN, &link).await, "token", "invalid_token").await;
        // What is refused does not use the link.
        device.flags = PRESENT;
        field_problem(send(&app, RESET, &link, &mut device).await, "credential", "credential_rejected").await;
        let mut known = app.authenticator();
        app.register(&admin, &mut known).await;
        problem(send(&app, RESET, &link, &mut known).await, 409, "passkey_taken").await;
        let malformed = json!({"token": link, "state": body["state"], "credential": {}});
        field_problem(app.post(RESET, &malformed).await, "credential", "invalid_credential").await;
        assert_eq!(app.me_status(&user.token).await, 200, "no session has ended");
        assert_eq!(app.json(MINE, &user.token).await["data"], json!([]));
        assert_eq!(app.post(RESET, &body).await.status(), 201);
    }

    async fn of_many_who_use_a_link_at_once_one_succeeds(app: TestApp) {
        let admin = app.admin().await;
        let user = verified(&app).await;
        let links = [(RESET, reset_link(&app, &user).await), (JOIN, invited(&app, &admin, "user").await.1)];
        let app = Arc::new(app);
        for (path, link) in links {
            let mut bodies = Vec::new();
            for _ in 0..20 {
                bodies.push(created(&app, path, &link, &mut app.authenticator()).await);
            }
            let mut tasks = JoinSet::new();
            for body in bodies {
                let app = Arc::clone(&app);
                tasks.spawn(async move { app.post(path, &body).await.status().as_u16() });
            }
            let statuses = tasks.join_all().await;
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
            assert!(statuses.iter().all(|status| matches!(status, 201 | 400)), "{statuses:?}");
        }
        assert_eq!(app.json(&format!("{}/passkeys", user.path()), &admin.token).await["data"].as_array().unwrap().len(), 1);
    }

    async fn what_changes_after_the_options_counts(app: TestApp) {
        let admin = app.admin().await;
        let user = verified(&app).await;
        let body = created(&app, RESET, &reset_link(&app, &user).await, &mut app.authenticator()).await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        field_problem(app.post(RESET, &body).await, "token", "invalid_token").await;
        for change in [json!({"status": "active"}), json!({"status": "disabled"}), json!({"email": app.fresh_email()})] {
            let (email, link) = invited(&app, &admin, "user").await;
            let body = created(&app, JOIN, &link, &mut app.authenticator()).await;
            let found = app.json(&format!("/api/v1/users?email={email}"), &admin.token).await;
            let path = format!("/api/v1/users/{}", found[0]["id"].as_str().unwrap());
            assert_eq!(app.patch(&path, &admin.token, &change).await.status(), 200, "{change}");
            field_problem(app.post(JOIN, &body).await, "token", "invalid_token").await;
            assert_eq!(app.json(&format!("{path}/passkeys"), &admin.token).await["data"], json!([]));
        }
    }

    async fn a_role_that_requires_a_passkey_is_satisfied(app: TestApp) {
        let user = verified(&app).await;
        let admin = require(&app, &[&user]).await;
        let (_, link) = invited(&app, &admin, "staff").await;
        for (path, link) in [(JOIN, link), (RESET, reset_link(&app, &user).await)] {
            let signed_in = opened(send(&app, path, &link, &mut app.authenticator()).await).await;
            assert_eq!(app.me_status(token(&signed_in)).await, 200);
        }
    }

    async fn browsers_get_the_session_as_cookies(app: TestApp) {
        let user = verified(&app).await;
        let link = reset_link(&app, &user).await;
        let mut body = created(&app, RESET, &link, &mut app.authenticator()).await;
        body["cookies"] = json!(true);
        let browser = Browser::default();
        let origin = ("origin", "https://evil.example");
        problem(browser.send(&app, Method::POST, RESET, Some(&body), &[origin]).await, 403, "csrf_failed").await;
        let response = browser.send(&app, Method::POST, RESET, Some(&body), &[]).await;
        let body = opened(response).await;
        assert!(body["csrf_token"].is_string() && body.get("access_token").is_none(), "{body}");
        assert!([ACCESS, REFRESH].iter().all(|name| browser.names().contains(&(*name).to_owned())));
        assert_eq!(browser.me(&app).await.status(), 200);
    }

    async fn without_passkeys_a_password_is_set(app: TestApp, "server.public_url" = "https://192.0.2.1") {
        let admin = app.admin().await;
        let user = app.user().await;
        let links = [(RESET, RESET_PAGE, reset_link(&app, &user).await), (JOIN, JOIN_PAGE, invited(&app, &admin, "user").await.1)];
        for (path, page, link) in links {
            problem(ask(&app, path, &link).await, 403, "not_offered").await;
            let page = app.request(Method::GET, &format!("/account/{page}"), None).send().await.unwrap().text().await.unwrap();
            assert!(!page.contains("by-passkey") && !page.contains("data-passkeys"), "{page}");
        }
    }

    async fn a_link_is_used_over_grpc(app: TestApp) {
        let admin = app.admin().await;
        let user = verified(&app).await;
        let rpc = Rpc::to(&app);
        let link = reset_link(&app, &user).await;
        let request = v1::CreateResetOptionsRequest { token: link.clone() };
        let options = rpc.passkeys().create_reset_options(request).await.unwrap().into_inner().options.unwrap();
        let credential = app.authenticator().create(&serde_json::from_str(&options.options_json).unwrap());
        let reset = v1::ResetWithPasskeyRequest {
            token: link,
            state: options.state,
            credential_json: credential.to_string(),
            passkey_name: Some("Phone".into()),
            label: Some("Laptop".into()),
        };
        let signed_in = rpc.passkeys().reset_with_passkey(reset.clone()).await.unwrap().into_inner();
        assert_eq!(signed_in.user.unwrap().id, user.id);
        let token = signed_in.tokens.unwrap().access_token;
        let list = rpc.by(&token).passkeys().list_passkeys(v1::ListPasskeysRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.passkeys.iter().map(|passkey| passkey.name.as_str()).collect::<Vec<_>>(), ["Phone"]);
        refused(rpc.passkeys().reset_with_passkey(reset).await, Code::InvalidArgument, "invalid_input");
        let again = v1::CreateResetOptionsRequest { token: second_link(&app, &user).await };
        refused(rpc.passkeys().create_reset_options(again).await, Code::FailedPrecondition, "second_factor_present");

        let (email, link) = invited(&app, &admin, "user").await;
        let request = v1::CreateInvitationOptionsRequest { token: link.clone() };
        let options = rpc.passkeys().create_invitation_options(request).await.unwrap().into_inner().options.unwrap();
        let credential = app.authenticator().create(&serde_json::from_str(&options.options_json).unwrap());
        let accept = v1::AcceptInvitationWithPasskeyRequest {
            token: link,
            state: options.state,
            credential_json: credential.to_string(),
            name: Some("Admiral Hopper".into()),
            ..Default::default()
        };
        let signed_in = rpc.passkeys().accept_invitation_with_passkey(accept).await.unwrap().into_inner();
        let joined = signed_in.user.unwrap();
        assert_eq!((joined.email, joined.name.as_str()), (email, "Admiral Hopper"));
        assert_eq!(app.me_status(&signed_in.tokens.unwrap().access_token).await, 200);
    }
}
