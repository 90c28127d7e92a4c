//! Providers that are managed over REST.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::issuer::{CLIENT_ID, CLIENT_SECRET, Issuer};
use super::{APP, Browser, ada, challenge, signed_in};
use crate::harness::{TestApp, fields_problem, on_both, problem};

async fn create(app: &TestApp, token: &str, body: &Value) -> Response {
    app.request(Method::POST, "/api/v1/providers", Some(token)).json(body).send().await.unwrap()
}

fn acme(issuer: &Issuer) -> Value {
    let settings = json!({"issuer": issuer.url(), "client_id": CLIENT_ID});
    json!({"name": "acme", "settings": settings, "client_secret": CLIENT_SECRET})
}

const OPEN: [(&str, &str); 2] = [("sign_in.provider_allowed_hosts", "127.0.0.1"), ("sign_in.redirect_urls", APP)];

on_both! {
    async fn a_provider_is_created_used_changed_and_deleted_without_a_restart(world: World) {
        let issuer = Issuer::start().await;
        let (app, node) = (world.serve(&OPEN).await, world.serve(&OPEN).await);
        let admin = app.admin().await;
        let response = create(&app, &admin.token, &acme(&issuer)).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["location"], "/api/v1/providers/acme");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["has_secret"], &body["source"], &body["enabled"]), (&json!(true), &json!("database"), &json!(true)));
        assert!(!body.to_string().contains(CLIENT_SECRET));
        issuer.user(ada());
        signed_in(&node, &Browser::new().sign_in(&node).await).await;

        let path = "/api/v1/providers/acme";
        let tag = app.get(path, &admin.token).await.headers()["etag"].to_str().unwrap().to_owned();
        let change = json!({"settings": {"label": "Acme"}, "enabled": false});
        let changed = app.patch(path, &admin.token, &change).await;
        assert_eq!(changed.status(), 200);
        let patched: Value = changed.json().await.unwrap();
        assert_eq!((&patched["settings"]["label"], &patched["settings"]["issuer"], &patched["has_secret"]),
            (&json!("Acme"), &json!(issuer.url()), &json!(true)));
        let url = format!("{}/api/v1/auth/acme?redirect_to={APP}&code_challenge={}", node.url, challenge());
        problem(Browser::new().get(&url).await, 404, "provider_not_found").await;
        let stale = app.request(Method::DELETE, path, Some(&admin.token)).header("if-match", tag).send().await.unwrap();
        problem(stale, 412, "stale").await;
        assert_eq!(app.delete(path, &admin.token).await.status(), 204);
        problem(app.get(path, &admin.token).await, 404, "provider_not_found").await;
    }

    async fn the_secret_is_sealed(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&OPEN).await;
        let admin = app.admin().await;
        assert_eq!(create(&app, &admin.token, &acme(&issuer)).await.status(), 201);
        let stored = app.services.store.read().await.unwrap().list_providers().await.unwrap().remove(0);
        let sealed = stored.sealed_secret.unwrap();
        assert!(!sealed.windows(CLIENT_SECRET.len()).any(|part| part == CLIENT_SECRET.as_bytes()));
    }

    async fn all_faults_are_reported_together(world: World) {
        let app = world.serve(&OPEN).await;
        let admin = app.admin().await;
        let body = json!({"name": "Acme!", "settings": {"email_trust": "sometimes", "link": "always", "client_id": "x"}});
        let expected =
            [("name", "invalid_provider_name"), ("settings.email_trust", "invalid_value"), ("settings.link", "invalid_value")];
        fields_problem(create(&app, &admin.token, &body).await, &expected).await;
        let body = json!({"name": "acme", "settings": {"preset": "gogle", "roles": {"a": "nobody"}}});
        let error = problem(create(&app, &admin.token, &body).await, 400, "invalid_input").await;
        let fields: Vec<_> = error["fields"].as_array().unwrap().iter().map(|f| f["field"].as_str().unwrap()).collect();
        for field in ["settings.preset", "settings.client_id", "settings.roles.a"] {
            assert!(fields.contains(&field), "{error}");
        }
        assert!(error.to_string().contains("there is no role nobody"), "{error}");
        assert!(error.to_string().contains("google"), "the nearest preset is suggested: {error}");
    }

    async fn entries_are_bounded_and_a_picture_is_an_attribute(world: World) {
        let app = world.serve(&OPEN).await;
        let admin = app.admin().await;
        let long = "x".repeat(257);
        let settings = json!({
            "issuer": "https://id.example.com", "client_id": "x", "scopes": [long], "native_client_ids": [long],
            "native_redirect_urls": ["javascript:alert(1)"], "authorization_params": {"hd": "x".repeat(2_049)},
            "claims": {"picture": "avatar_url"},
        });
        let expected = [
            ("settings.native_client_ids", "too_long"), ("settings.scopes", "too_long"),
            ("settings.authorization_params", "too_long"), ("settings.claims.picture", "unknown_field"),
            ("settings.native_redirect_urls", "invalid_url"),
        ];
        fields_problem(create(&app, &admin.token, &json!({"name": "acme", "settings": settings})).await, &expected).await;
    }

    async fn only_holders_of_every_permission_change_providers(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&OPEN).await;
        let (admin, user) = (app.admin().await, app.user().await);
        problem(create(&app, &user.token, &acme(&issuer)).await, 403, "forbidden").await;
        let role = json!({"name": "integrator", "permissions": ["providers:read", "providers:write"]});
        let made = app.request(Method::POST, "/api/v1/roles", Some(&admin.token)).json(&role).send().await.unwrap();
        assert_eq!(made.status(), 201);
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "integrator"})).await.status(), 200);
        let integrator = app.sign_in(&user.email).await;
        problem(create(&app, &integrator.token, &acme(&issuer)).await, 403, "permission_not_held").await;
        assert_eq!(app.json("/api/v1/providers", &integrator.token).await, json!([]));
    }

    async fn providers_of_the_configuration_are_read_only(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let admin = app.admin().await;
        let list = app.json("/api/v1/providers", &admin.token).await;
        assert_eq!((&list[0]["name"], &list[0]["source"]), (&json!("acme"), &json!("configuration")));
        problem(create(&app, &admin.token, &acme(&issuer)).await, 409, "provider_name_taken").await;
        problem(app.patch("/api/v1/providers/acme", &admin.token, &json!({"enabled": false})).await, 409, "provider_configured").await;
        problem(app.delete("/api/v1/providers/acme", &admin.token).await, 409, "provider_configured").await;
    }

    async fn a_test_says_what_is_wrong(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&OPEN).await;
        let admin = app.admin().await;
        assert_eq!(create(&app, &admin.token, &acme(&issuer)).await.status(), 201);
        let test = async || {
            let request = app.request(Method::POST, "/api/v1/providers/acme/test", Some(&admin.token));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.json::<Value>().await.unwrap()
        };
        let good = test().await;
        assert_eq!(good["passed"], true, "{good}");
        let patch = json!({"client_secret": "wrong"});
        assert_eq!(app.patch("/api/v1/providers/acme", &admin.token, &patch).await.status(), 200);
        let bad = test().await;
        let failed: Vec<_> = bad["checks"].as_array().unwrap().iter().filter(|check| check["passed"] == false).collect();
        assert_eq!((bad["passed"].clone(), failed[0]["check"].as_str()), (json!(false), Some("client")), "{bad}");
        let patch = json!({"settings": {"issuer": "http://127.0.0.1:1"}});
        assert_eq!(app.patch("/api/v1/providers/acme", &admin.token, &patch).await.status(), 200);
        let bad = test().await;
        assert!(bad["checks"].to_string().contains("discovery"), "{bad}");
    }

    async fn two_changes_at_once_do_not_overwrite_each_other(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&OPEN).await;
        let admin = app.admin().await;
        assert_eq!(create(&app, &admin.token, &acme(&issuer)).await.status(), 201);
        let path = "/api/v1/providers/acme";
        let (label, trust) = (json!({"settings": {"label": "One"}}), json!({"settings": {"trust_mfa": true}}));
        let (one, other) =
            tokio::join!(app.patch(path, &admin.token, &label), app.patch(path, &admin.token, &trust));
        let body = app.json(path, &admin.token).await;
        for (status, is_there) in [(one.status(), body["settings"]["label"] == "One"), (other.status(), body["settings"]["trust_mfa"] == true)] {
            assert!(matches!(status.as_u16(), 200 | 412), "{status}");
            assert!(status != 200 || is_there, "a change that was acknowledged is lost: {body}");
        }
    }
}
