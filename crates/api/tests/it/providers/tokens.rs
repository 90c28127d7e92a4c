//! Tokens of the provider that are kept for the backend of the product.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::native::nonce;
use super::{APP, Browser, VERIFIER, ada, signed_in};
use crate::harness::{SignedIn, TestApp, field_problem, on_both, problem};

/// Whose tokens are asked for.
struct Ada {
    id: String,
    token: String,
    path: String,
}

/// Signs Ada in through the provider.
async fn arrive(app: &TestApp) -> Ada {
    let body = signed_in(app, &Browser::new().sign_in(app).await).await;
    let (id, token) = (text(&body["user"]["id"]), text(&body["access_token"]));
    let identities = app.json("/api/v1/me/identities", &token).await;
    let path = format!("/api/v1/users/{id}/identities/{}/token", text(&identities[0]["id"]));
    Ada { id, token, path }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn ask(app: &TestApp, token: &str, path: &str) -> Response {
    app.request(Method::POST, path, Some(token)).header("idempotency-key", "same").send().await.unwrap()
}

async fn access_token(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    text(&body["access_token"])
}

/// The key of a program that may do nothing but obtain tokens.
async fn program(app: &TestApp, admin: &SignedIn) -> String {
    let role = json!({"name": "calendar", "permissions": ["identities:tokens"]});
    assert_eq!(app.post_as("/api/v1/roles", &admin.token, &role).await.status(), 201);
    let account = json!({"name": "Calendar", "role": "calendar"});
    let account: Value = app.post_as("/api/v1/service-accounts", &admin.token, &account).await.json().await.unwrap();
    let key = json!({"name": "Calendar", "scopes": ["identities:tokens"], "service_account_id": account["id"]});
    let key: Value = app.post_as("/api/v1/api-keys", &admin.token, &key).await.json().await.unwrap();
    text(&key["key"])
}

const KEEP: (&str, &str) = ("providers.acme.keep_tokens", "true");

on_both! {
    async fn tokens_of_another_client_are_gone(world: World) {
        let issuer = Issuer::start().await;
        issuer.user(ada());
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        let renamed = world.serve(&issuer.settings(&[KEEP, ("providers.acme.client_id", "another")])).await;
        problem(ask(&renamed, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-1");
    }

    async fn a_program_obtains_the_token_of_a_user(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        issuer.user(ada());
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        let key = program(&app, &admin).await;
        let response = ask(&app, &key, &ada.path).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["access_token"], &body["token_type"], &body["scope"]),
            (&json!("access-1"), &json!("bearer"), &json!("openid files")));
        assert!(body["expires_at"].is_string() && body.as_object().unwrap().len() == 4, "{body}");
        assert_eq!(issuer.refreshed(), 0);
        // Neither the user nor anybody without the permission gets it.
        problem(ask(&app, &ada.token, &ada.path).await, 403, "forbidden").await;
        problem(ask(&app, &app.user().await.token, &ada.path).await, 403, "forbidden").await;
        let absent = format!("/api/v1/users/{}/identities/{}/token", ada.id, ada.id);
        problem(ask(&app, &key, &absent).await, 404, "identity_not_found").await;
        // The tokens of a user who may do more are not the program's to have.
        assert_eq!(app.patch(&format!("/api/v1/users/{}", ada.id), &admin.token, &json!({"role": "admin"})).await.status(), 200);
        problem(ask(&app, &key, &ada.path).await, 403, "forbidden").await;
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-1");
    }

    async fn tokens_are_sealed_and_of_one_identity(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        issuer.user(ada());
        let ada = arrive(&app).await;
        issuer.user(json!({"sub": "2", "email": "bob@example.com", "email_verified": true}));
        let bob = arrive(&app).await;
        let id = |path: &str| denizen_domain::id::IdentityId::parse(path.split('/').nth(6).unwrap()).unwrap();
        let mut tx = app.services.store.write().await.unwrap();
        let mut stored = tx.find_identity_tokens(id(&ada.path)).await.unwrap().unwrap();
        for secret in ["access-1", "refresh-1"] {
            assert!(!stored.sealed.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
        // Write access to the database is not sufficient to move the tokens of one user to another.
        stored.identity_id = id(&bob.path);
        tx.put_identity_tokens(&stored).await.unwrap();
        tx.commit().await.unwrap();
        let admin = app.admin().await;
        problem(ask(&app, &admin.token, &bob.path).await, 409, "provider_tokens_gone").await;
    }

    async fn of_many_requests_on_two_nodes_one_refreshes(world: World) {
        let issuer = Issuer::start().await;
        let (app, node) = (world.serve(&issuer.settings(&[KEEP])).await, world.serve(&issuer.settings(&[KEEP])).await);
        issuer.user(ada());
        issuer.set_lifetime_s(0);
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        for round in 1..=2 {
            // The provider revokes everything if a refresh token is used twice.
            issuer.set_lifetime_s(if round == 1 { 0 } else { 3_600 });
            let asks = [&app, &node, &app, &node].map(|app| ask(app, &admin.token, &ada.path));
            let expected = if round == 1 { 1..=5 } else { 1..=6 };
            for response in futures_of(asks).await {
                assert!(access_token(response).await.starts_with("access-"));
            }
            assert!(expected.contains(&issuer.refreshed()), "{}", issuer.refreshed());
        }
        let before = issuer.refreshed();
        let [one, other] = [access_token(ask(&app, &admin.token, &ada.path).await).await,
            access_token(ask(&node, &admin.token, &ada.path).await).await];
        assert_eq!((one, issuer.refreshed()), (other, before));
    }

    async fn a_revoked_consent_needs_a_new_sign_in(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        issuer.user(ada());
        issuer.set_lifetime_s(0);
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        issuer.revoke_refresh_tokens();
        for _ in 0..2 {
            problem(ask(&app, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
        }
        issuer.set_lifetime_s(3_600);
        arrive(&app).await;
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-2");
    }

    async fn an_outage_loses_no_tokens(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        issuer.user(ada());
        issuer.set_lifetime_s(0);
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        issuer.go_down();
        let response = ask(&app, &admin.token, &ada.path).await;
        assert!(response.headers().contains_key("retry-after"));
        problem(response, 503, "provider_unavailable").await;
        issuer.come_back();
        issuer.set_lifetime_s(3_600);
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-2");
        // A token that is about to expire is better than none.
        issuer.set_lifetime_s(30);
        arrive(&app).await;
        issuer.go_down();
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-3");
    }

    async fn a_refresh_token_that_is_issued_once_is_kept(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        issuer.user(ada());
        arrive(&app).await;
        issuer.set_lifetime_s(0);
        issuer.withhold_refresh_tokens();
        let ada = arrive(&app).await;
        let admin = app.admin().await;
        issuer.set_lifetime_s(3_600);
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-3");
        assert_eq!(issuer.refreshed(), 1);
    }

    async fn tokens_go_when_they_are_not_kept_any_more(world: World) {
        let issuer = Issuer::start().await;
        let kept = world.serve(&issuer.settings(&[KEEP])).await;
        let not_kept = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let ada = arrive(&kept).await;
        let admin = kept.admin().await;
        problem(ask(&not_kept, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
        let path = format!("/api/v1/users/{}", ada.id);
        assert_eq!(kept.patch(&path, &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        problem(ask(&kept, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
        assert_eq!(kept.patch(&path, &admin.token, &json!({"status": "active"})).await.status(), 200);
        assert_eq!(access_token(ask(&kept, &admin.token, &ada.path).await).await, "access-1");
        // The maintenance of a server that does not keep them removes them for good.
        assert_eq!(denizen_domain::identities::tokens::purge(&not_kept.services, 100).await.unwrap(), 1);
        problem(ask(&kept, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
    }

    async fn disabling_keep_tokens_and_unlinking_remove_them(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&[("sign_in.provider_allowed_hosts", "127.0.0.1"), ("sign_in.redirect_urls", APP)]).await;
        let admin = app.admin().await;
        let settings = json!({"issuer": issuer.url(), "client_id": "the-client", "keep_tokens": true});
        let acme = json!({"name": "acme", "settings": settings, "client_secret": "the-client-secret"});
        assert_eq!(app.post_as("/api/v1/providers", &admin.token, &acme).await.status(), 201);
        issuer.user(ada());
        let ada = arrive(&app).await;
        assert_eq!(access_token(ask(&app, &admin.token, &ada.path).await).await, "access-1");
        // The tokens of one server are not sent to another one of the same name.
        let other = Issuer::start().await;
        for (url, status) in [(other.url(), 409), (issuer.url(), 200)] {
            let change = json!({"settings": {"issuer": url}});
            assert_eq!(app.patch("/api/v1/providers/acme", &admin.token, &change).await.status(), 200);
            assert_eq!(ask(&app, &admin.token, &ada.path).await.status(), status);
        }
        let disable = json!({"enabled": false});
        assert_eq!(app.patch("/api/v1/providers/acme", &admin.token, &disable).await.status(), 200);
        problem(ask(&app, &admin.token, &ada.path).await, 404, "provider_not_found").await;
        for keep_tokens in [false, true] {
            let change = json!({"enabled": true, "settings": {"keep_tokens": keep_tokens}});
            assert_eq!(app.patch("/api/v1/providers/acme", &admin.token, &change).await.status(), 200);
        }
        problem(ask(&app, &admin.token, &ada.path).await, 409, "provider_tokens_gone").await;
        let user = app.user().await;
        let code = Browser::new().sign_in(&app).await;
        let proof = json!({"code": code, "code_verifier": VERIFIER});
        problem(app.post_as("/api/v1/me/identities/acme", &user.token, &proof).await, 409, "identity_taken").await;
        assert_eq!(app.delete(ada.path.trim_end_matches("/token"), &admin.token).await.status(), 409);
        issuer.user(json!({"sub": "2"}));
        let proof = json!({"code": Browser::new().sign_in(&app).await, "code_verifier": VERIFIER});
        let linked = app.post_as("/api/v1/me/identities/acme", &user.token, &proof).await;
        let linked: Value = linked.json().await.unwrap();
        let path = format!("/api/v1/users/{}/identities/{}", user.id, text(&linked["id"]));
        let token = format!("{path}/token");
        assert!(access_token(ask(&app, &admin.token, &token).await).await.starts_with("access-"));
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        problem(ask(&app, &admin.token, &token).await, 404, "identity_not_found").await;
    }

    async fn native_codes_have_tokens_and_id_tokens_have_none(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[KEEP])).await;
        let admin = app.admin().await;
        issuer.user(ada());
        let made = nonce(&app).await;
        let id_token = json!({"id_token": issuer.id_token(&made, &ada()), "nonce": made});
        let body: Value = app.post("/api/v1/sessions/acme", &id_token).await.json().await.unwrap();
        let identities = app.json("/api/v1/me/identities", &text(&body["access_token"])).await;
        let path = format!("/api/v1/users/{}/identities/{}/token", text(&body["user"]["id"]), text(&identities[0]["id"]));
        problem(ask(&app, &admin.token, &path).await, 409, "provider_tokens_gone").await;
        let made = nonce(&app).await;
        let code = json!({"authorization_code": issuer.code(&[("nonce", &made)]), "nonce": made});
        assert_eq!(app.post("/api/v1/sessions/acme", &code).await.status(), 201);
        assert_eq!(access_token(ask(&app, &admin.token, &path).await).await, "access-1");
        let invalid = ask(&app, &admin.token, &path.replace("/identities/", "/identities/x")).await;
        field_problem(invalid, "identity_id", "invalid_id").await;
    }
}

async fn futures_of<const N: usize>(asks: [impl Future<Output = Response>; N]) -> Vec<Response> {
    futures_util::future::join_all(asks).await
}
