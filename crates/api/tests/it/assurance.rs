//! How a user authenticated, as access tokens, sessions and introspection report it: `amr`, `acr` and `auth_time`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::time::Timestamp;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::anonymous_growth::sql;
use crate::authenticator::SYNCED;
use crate::harness::{PASSWORD, TestApp, on_both};
use crate::totp::Authenticator as Codes;

/// What a token says, once it agrees with the session and with the introspection of the token.
pub(crate) async fn assurance(app: &TestApp, access_token: &str) -> (Vec<String>, String) {
    let payload = URL_SAFE_NO_PAD.decode(access_token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let sessions = app.json("/api/v1/sessions", access_token).await;
    let session = sessions.as_array().unwrap().iter().find(|session| session["id"] == claims["sid"]).unwrap();
    assert_eq!((&session["amr"], &session["acr"]), (&claims["amr"], &claims["acr"]));
    let at = Timestamp::from_micros(claims["auth_time"].as_i64().unwrap() * 1_000_000).to_string();
    let listed = session["authenticated_at"].as_str().unwrap();
    assert_eq!(listed[..19], at[..19]);

    let admin = app.admin().await;
    let request = app.request(Method::POST, "/oauth2/introspect", Some(&admin.token));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(format!("token={access_token}")).send().await.unwrap();
    let found: Value = response.json().await.unwrap();
    for claim in ["amr", "acr", "auth_time"] {
        assert_eq!(found[claim], claims[claim], "{claim}");
    }
    let amr = claims["amr"].as_array().unwrap().iter().map(|method| method.as_str().unwrap().to_owned());
    (amr.collect(), claims["acr"].as_str().unwrap().to_owned())
}

async fn token_of(response: Response) -> String {
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

async fn check(app: &TestApp, token: &str, amr: &[&str], acr: &str) {
    let found = assurance(app, token).await;
    assert_eq!((found.0.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), found.1.as_str()), (amr, acr));
}

on_both! {
    async fn a_password_and_then_a_code(app: TestApp) {
        let user = app.user().await;
        check(&app, &user.token, &["pwd"], "aal1").await;
        let made: Value = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json().await.unwrap();
        let codes = Codes::scan(made["uri"].as_str().unwrap());
        let code = codes.code(app.services.clock.now());
        let confirmed = app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
        let recovery: Value = confirmed.json().await.unwrap();
        // The token is older than the session's state; a refresh brings it up to date.
        let refreshed: Value = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await.json().await.unwrap();
        check(&app, refreshed["access_token"].as_str().unwrap(), &["pwd", "otp", "mfa"], "aal2").await;

        let challenged: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let path = format!("/api/v1/sessions/challenges/{}", challenged["challenge_id"].as_str().unwrap());
        let token = token_of(app.post(&path, &json!({"code": recovery["recovery_codes"][0]})).await).await;
        check(&app, &token, &["pwd", "otp", "mfa"], "aal2").await;
    }

    async fn a_passkey(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let token = token_of(app.passkey_sign_in(&mut device).await).await;
        check(&app, &token, &["hwk", "user", "mfa"], "phr").await;

        let challenged: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let path = format!("/api/v1/sessions/challenges/{}/passkey", challenged["challenge_id"].as_str().unwrap());
        let options = app.passkey_options(&path, None).await;
        let answer = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let token = token_of(app.post(&path, &answer).await).await;
        check(&app, &token, &["pwd", "hwk", "user", "mfa"], "phr").await;
    }

    async fn a_synchronized_passkey(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        device.flags |= SYNCED;
        app.register(&user, &mut device).await;
        let token = token_of(app.passkey_sign_in(&mut device).await).await;
        check(&app, &token, &["swk", "user", "mfa"], "phr").await;
    }

    async fn a_mailed_link(app: TestApp, "sign_in.magic_links" = "true") {
        let user = app.user().await;
        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": user.email})).await.status(), 202);
        let confirmation = json!({"token": app.token_to(&user.email, "sign-in").await});
        let response = app.post("/api/v1/sessions/magic-links/confirm", &confirmation).await;
        assert_eq!(response.status(), 201);
        let signed_in: Value = response.json().await.unwrap();
        let token = signed_in["access_token"].as_str().unwrap();
        check(&app, token, &["email"], "aal1").await;
    }

    async fn a_session_of_the_release_before(app: TestApp) {
        let user = app.user().await;
        sql(&app.world, "UPDATE sessions SET auth_methods = NULL").await;
        let refreshed: Value = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await.json().await.unwrap();
        let token = refreshed["access_token"].as_str().unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!((claims.get("amr"), &claims["acr"]), (None, &json!("aal1")));
        let sessions = app.json("/api/v1/sessions", token).await;
        assert_eq!(sessions[0]["amr"], json!([]));
    }
}
