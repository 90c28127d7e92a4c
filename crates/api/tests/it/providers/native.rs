//! Native applications: an ID token of the provider's SDK.

use serde_json::{Value, json};

use super::issuer::Issuer;
use super::{ada, sha256};
use crate::harness::{TestApp, fields_problem, on_both, problem};

pub(super) async fn nonce(app: &TestApp) -> String {
    let response = app.post("/api/v1/auth/acme/nonces", &json!({})).await;
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    body["nonce"].as_str().unwrap().to_owned()
}

async fn sign_in(app: &TestApp, id_token: &str, nonce: &str) -> reqwest::Response {
    app.post("/api/v1/sessions/acme", &json!({"id_token": id_token, "nonce": nonce})).await
}

on_both! {
    async fn an_id_token_with_our_nonce_signs_in_once(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let nonce = nonce(&app).await;
        let token = issuer.id_token(&nonce, &ada());
        let response = sign_in(&app, &token, &nonce).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["email"], "ada@example.com");
        problem(sign_in(&app, &token, &nonce).await, 401, "invalid_code").await;
    }

    async fn a_hashed_nonce_is_accepted_as_sdks_send_it(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let nonce = nonce(&app).await;
        let hashed = sha256(nonce.as_bytes()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(sign_in(&app, &issuer.id_token(&hashed, &ada()), &nonce).await.status(), 201);
    }

    async fn other_tokens_and_nonces_are_refused(world: World) {
        let issuer = Issuer::start().await;
        let stranger = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let good = nonce(&app).await;
        let with = |name: &str, value: Value| {
            let mut claims = ada();
            claims[name] = value;
            issuer.id_token(&good, &claims)
        };
        let other = nonce(&app).await;
        for token in [
            with("aud", json!("another-client")),
            with("aud", json!(["the-client", "another"])),
            with("iss", json!("https://evil.example")),
            with("exp", json!(1_000_000_000)),
            with("iat", json!(9_999_999_999_u64)),
            with("nonce", json!(other)),
            with("sub", json!("")),
            stranger.id_token(&good, &ada()),
            "a.b.c".to_owned(),
            String::from("x"),
        ] {
            problem(sign_in(&app, &token, &good).await, 401, "provider_refused").await;
        }
        let forged = "A".repeat(64);
        problem(sign_in(&app, &issuer.id_token(&forged, &ada()), &forged).await, 401, "provider_refused").await;
        fields_problem(app.post("/api/v1/sessions/acme", &json!({"nonce": ""})).await,
            &[("id_token", "required"), ("nonce", "required")]).await;
        problem(app.post("/api/v1/sessions/nobody", &json!({"id_token": "x", "nonce": good})).await, 404, "provider_not_found").await;
        problem(app.post("/api/v1/auth/nobody/nonces", &json!({})).await, 404, "provider_not_found").await;
    }
}
