//! Requests that take their time: whoever began one must still be allowed to when it is heard.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::harness::{PASSWORD, TestApp, on_both, problem};

/// A body that is said piece by piece.
fn spoken() -> (mpsc::UnboundedSender<Result<String, std::io::Error>>, reqwest::Body) {
    let (speaker, words) = mpsc::unbounded_channel();
    (speaker, reqwest::Body::wrap_stream(UnboundedReceiverStream::new(words)))
}

/// Whether somebody can sign in under this address.
async fn exists(app: &TestApp, email: &str) -> bool {
    app.try_sign_in(email, PASSWORD).await.status() == 201
}

on_both! {
    async fn a_body_heard_after_the_sign_out_does_nothing(app: TestApp) {
        let admin = app.admin().await;
        let email = app.fresh_email();
        let body = json!({"email": email, "password": PASSWORD, "name": "Late", "role": "admin"}).to_string();
        let (speaker, stream) = spoken();
        let request = app.request(Method::POST, "/api/v1/users", Some(&admin.token));
        let answer = tokio::spawn(request.header("content-type", "application/json").body(stream).send());
        speaker.send(Ok(body[..20].to_owned())).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(app.delete("/api/v1/sessions/current", &admin.token).await.status(), 204);
        speaker.send(Ok(body[20..].to_owned())).unwrap();
        drop(speaker);
        problem(answer.await.unwrap().unwrap(), 401, "invalid_token").await;
        assert!(!exists(&app, &email).await);
    }

    async fn an_import_ends_with_the_right_to_it(app: TestApp) {
        let (admin, other) = (app.admin().await, app.admin().await);
        let line = |email: &str| format!("{{\"email\":\"{email}\",\"name\":\"Late\",\"role\":\"admin\"}}\n");
        let (early, late) = (app.fresh_email(), app.fresh_email());
        let (speaker, stream) = spoken();
        let request = app.request(Method::POST, "/api/v1/users/import", Some(&admin.token));
        let answer = tokio::spawn(request.header("content-type", "application/x-ndjson").body(stream).send());
        speaker.send(Ok(line(&early))).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(app.patch(&admin.path(), &other.token, &json!({"role": "user"})).await.status(), 200);
        speaker.send(Ok(line(&late))).unwrap();
        drop(speaker);
        problem(answer.await.unwrap().unwrap(), 403, "forbidden").await;
        let found: Value = app.json(&format!("/api/v1/users?email={late}"), &other.token).await;
        assert_eq!(found, json!([]));
    }

    async fn a_refresh_is_never_replayed(app: TestApp) {
        let user = app.user().await;
        let refresh = async |token: &str| {
            let request = app.request(Method::POST, "/api/v1/sessions/refresh", None).header("idempotency-key", "once");
            request.json(&json!({"refresh_token": token})).send().await.unwrap()
        };
        let first = refresh(&user.refresh_token).await;
        assert_eq!(first.status(), 200);
        let child = first.json::<Value>().await.unwrap()["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(refresh(&child).await.status(), 200);
        // Two generations back: it is in two hands.
        problem(refresh(&user.refresh_token).await, 401, "invalid_refresh_token").await;
        assert_eq!(app.me_status(&user.token).await, 401);
    }

    async fn a_set_password_takes_the_keys_along(app: TestApp) {
        let user = app.user().await;
        let key = app.request(Method::POST, "/api/v1/api-keys", Some(&user.token));
        let key: Value = key.json(&json!({"name": "ci", "scopes": []})).send().await.unwrap().json().await.unwrap();
        let key = key["key"].as_str().unwrap();
        assert_eq!(app.me_status(key).await, 200);
        let id = denizen_domain::id::UserId::parse(&user.id).unwrap();
        let password = denizen_domain::credentials::NewPassword::parse(&"drei graue Igel".into(), 8).unwrap();
        denizen_domain::credentials::set(&app.operator(), id, password).await.unwrap();
        assert_eq!(app.me_status(key).await, 401);
    }

    async fn a_key_of_a_disabled_user_is_revoked_for_good(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let key = app.request(Method::POST, "/api/v1/api-keys", Some(&user.token));
        let key: Value = key.json(&json!({"name": "ci", "scopes": []})).send().await.unwrap().json().await.unwrap();
        let key = key["key"].as_str().unwrap();
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        let revoked = app.request(Method::POST, "/oauth2/revoke", None).body(format!("token={key}"));
        let revoked = revoked.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(revoked.status(), 200);
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "active"})).await.status(), 200);
        assert_eq!(app.me_status(key).await, 401);
    }
}
