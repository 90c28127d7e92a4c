//! `/api/v1/signing-keys`: rotation and withdrawal over REST.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, field_problem, on_both, problem};

const KEYS: &str = "/api/v1/signing-keys";

/// The `kid` of a token.
fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// The ids and states of the keys, the newest first.
async fn states(app: &TestApp, admin: &SignedIn) -> Vec<(String, String)> {
    let keys = app.json(KEYS, &admin.token).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    keys.as_array().unwrap().iter().map(|key| (text(&key["id"]), text(&key["state"]))).collect()
}

/// The `kid`s that are published.
async fn published(app: &TestApp) -> Vec<String> {
    let jwks: Value =
        app.client.get(format!("{}/.well-known/jwks.json", app.url)).send().await.unwrap().json().await.unwrap();
    let mut ids: Vec<_> =
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

async fn rotate(app: &TestApp, admin: &SignedIn, body: Value) -> Value {
    let response = app.post_as(KEYS, &admin.token, &body).await;
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

fn named(id: &str, state: &str) -> (String, String) {
    (id.to_owned(), state.to_owned())
}

on_both! {
    async fn the_key_that_signs_is_listed(app: TestApp) {
        let admin = app.admin().await;
        let keys = app.json(KEYS, &admin.token).await;
        assert_eq!(keys.as_array().unwrap().len(), 1);
        let key = &keys[0];
        assert_eq!((key["id"].as_str().unwrap(), &key["algorithm"], &key["state"]), (kid(&admin.token).as_str(), &json!("ES256"), &json!("current")));
        assert!(key["activates_at"].is_string() && key["created_at"].is_string());
        assert_eq!(key["withdrawn_at"], json!(null));
        assert_eq!(key.as_object().unwrap().len(), 6, "nothing of the private half: {key}");
        assert_eq!(published(&app).await, [kid(&admin.token)]);
    }

    async fn an_announced_key_signs_when_its_time_has_come(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(13)) };
        let settings = [("tokens.key_lead_s", "600"), ("sessions.access_ttl_s", "3600")];
        let app = world.serve_in(&settings, ambience).await;
        let admin = app.admin().await;
        let first = kid(&admin.token);
        let made = rotate(&app, &admin, json!({})).await;
        let second = made["id"].as_str().unwrap().to_owned();
        assert_eq!((&made["state"], &made["activates_at"]), (&json!("next"), &json!(app.services.clock.now().plus_seconds(600).to_string())));
        assert_eq!(states(&app, &admin).await, [named(&second, "next"), named(&first, "current")]);
        assert_eq!(published(&app).await, sorted(vec![first.clone(), second.clone()]));
        clock.advance_s(599);
        assert_eq!(kid(&app.sign_in(&admin.email).await.token), first);
        clock.advance_s(1);
        let later = app.sign_in(&admin.email).await;
        assert_eq!(kid(&later.token), second);
        assert_eq!(states(&app, &later).await, [named(&second, "current"), named(&first, "previous")]);
        assert_eq!(app.me_status(&admin.token).await, 200, "what the old one signed is good");
    }

    async fn an_urgent_key_signs_at_once(app: TestApp) {
        let admin = app.admin().await;
        let first = kid(&admin.token);
        let made = rotate(&app, &admin, json!({"takeover": "immediate"})).await;
        assert_eq!(made["state"], "current");
        assert_eq!(made["id"], kid(&app.sign_in(&admin.email).await.token));
        assert_eq!(app.me_status(&admin.token).await, 200);
        assert_eq!(published(&app).await, sorted(vec![first, made["id"].as_str().unwrap().to_owned()]));
    }

    async fn a_withdrawn_key_is_dead(app: TestApp) {
        let admin = app.admin().await;
        let first = kid(&admin.token);
        let path = format!("{KEYS}/{first}");
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        problem(app.get("/api/v1/me", &admin.token).await, 401, "invalid_token").await;
        // The session lives: only what the key signed is gone.
        let body = json!({"refresh_token": admin.refresh_token});
        let refreshed: Value = app.post("/api/v1/sessions/refresh", &body).await.json().await.unwrap();
        assert_eq!(app.me_status(refreshed["access_token"].as_str().unwrap()).await, 200);
        let again = app.sign_in(&admin.email).await;
        let second = kid(&again.token);
        assert_ne!(second, first);
        assert_eq!(states(&app, &again).await, [named(&second, "current"), named(&first, "withdrawn")]);
        assert!(app.json(KEYS, &again.token).await[1]["withdrawn_at"].is_string());
        assert_eq!(published(&app).await, [second]);
        assert_eq!(app.delete(&path, &again.token).await.status(), 204, "twice is no error");
        assert_eq!(app.me_status(&again.token).await, 200);
    }

    async fn a_withdrawn_next_key_never_signs(app: TestApp) {
        let admin = app.admin().await;
        let made = rotate(&app, &admin, json!({"takeover": "announced"})).await;
        let path = format!("{KEYS}/{}", made["id"].as_str().unwrap());
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&admin.token).await, 200);
        assert_eq!(published(&app).await, [kid(&admin.token)]);
    }

    async fn what_is_no_key_is_not_found(app: TestApp) {
        let admin = app.admin().await;
        for id in ["nothing", "%20", "%ff", "..%2f..", &"a".repeat(5_000)] {
            problem(app.delete(&format!("{KEYS}/{id}"), &admin.token).await, 404, "signing_key_not_found").await;
        }
        field_problem(app.post_as(KEYS, &admin.token, &json!({"takeover": "soon"})).await, "takeover", "invalid_value").await;
        field_problem(app.post_as(KEYS, &admin.token, &json!({"algorithm": "none"})).await, "algorithm", "unknown_field").await;
        assert_eq!(states(&app, &admin).await.len(), 1);
    }

    async fn a_configured_secret_has_no_keys_to_rotate(app: TestApp, "tokens.algorithm" = "HS256", "tokens.hs256_secret" = "a secret for tests that is long enough") {
        let admin = app.admin().await;
        problem(app.post_as(KEYS, &admin.token, &json!({})).await, 409, "signing_by_secret").await;
        problem(app.delete(&format!("{KEYS}/any"), &admin.token).await, 409, "signing_by_secret").await;
        assert_eq!(app.json(KEYS, &admin.token).await, json!([]));
    }
}
