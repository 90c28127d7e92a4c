//! Who has an account is not told: every route that takes an address answers alike.

use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::on_both;

/// An answer as somebody sees it who cannot read what differs for each request.
async fn seen(response: Response) -> (u16, Vec<(String, usize)>, Value) {
    let status = response.status().as_u16();
    let mut headers: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().len())).collect();
    headers.sort();
    let mut body: Value = response.json().await.unwrap_or(Value::Null);
    if let Some(id) = body.pointer_mut("/error/request_id") {
        *id = json!(id.as_str().unwrap().len());
    }
    if let Some(id) = body.get_mut("challenge_id") {
        *id = json!(id.as_str().unwrap().len());
    }
    (status, headers, body)
}

on_both! {
    async fn known_and_unknown_addresses_are_answered_alike(
        app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true"
    ) {
        let user = app.user().await;
        let unknown = "nobody1@example.com".replace("nobody1", &"n".repeat(user.email.find('@').unwrap()));
        assert_eq!(unknown.len(), user.email.len());
        for (path, mut body) in [
            ("sessions", json!({"password": "not the password"})),
            ("password-resets", json!({})),
            ("email-verifications", json!({})),
            ("sessions/codes", json!({})),
            ("sessions/magic-links", json!({})),
        ] {
            let path = format!("/api/v1/{path}");
            body["email"] = json!(user.email);
            let known = seen(app.post(&path, &body).await).await;
            body["email"] = json!(unknown);
            let other = seen(app.post(&path, &body).await).await;
            assert_eq!(known, other, "{path}");
        }
        let change = async |email: &str| {
            let other = app.user().await;
            seen(app.post_as("/api/v1/email-changes", &other.token, &json!({"email": email})).await).await
        };
        assert_eq!(change(&user.email).await, change(&unknown).await);
    }
}
