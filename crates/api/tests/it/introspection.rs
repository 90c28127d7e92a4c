//! `POST /oauth2/introspect` (RFC 7662): every kind of token, alive and dead, for every kind of caller.

use std::time::Duration;

use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Credential, Origin, Permissions, Principal, Subject};
use denizen_domain::api_keys::{self, NewApiKey};
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::roles::RoleName;
use denizen_domain::service_accounts::ServiceAccountChange;
use denizen_domain::users::{DisplayName, Status};
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, eventually, on_both};
use crate::oauth2::{Program, basic, granted, refused, send};

async fn ask(app: &TestApp, authorization: Option<&str>, token: &str) -> Response {
    send(app, "introspect", authorization, &[("token", token)]).await
}

async fn told(app: &TestApp, program: &Program, token: &str) -> Value {
    let response = ask(app, Some(&program.basic()), token).await;
    assert_eq!((response.status().as_u16(), response.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    response.json().await.unwrap()
}

async fn dead(app: &TestApp, program: &Program, token: &str) {
    assert_eq!(told(app, program, token).await, json!({"active": false}), "{token}");
}

fn names(body: &Value) -> Vec<&str> {
    let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// An API key of a user, which carries nothing.
async fn key_of(app: &TestApp, user: &SignedIn) -> (denizen_domain::id::ApiKeyId, String) {
    let session = app.json("/api/v1/me", &user.token).await["session"]["id"].as_str().unwrap().to_owned();
    let principal = Principal {
        expires_at: None,
        key_digest: None,
        subject: Subject::User(UserId::parse(&user.id).unwrap()),
        credential: Credential::Session(SessionId::parse(&session).unwrap()),
        role: RoleName::user(),
        permissions: Permissions::NONE,
    };
    let ctx = Ctx::new(app.services.clone(), Actor::Known(principal), Origin::default());
    let name = DisplayName::parse("Mine").unwrap();
    let new = NewApiKey { name, scopes: Permissions::NONE, expires_at: None, service_account: None };
    let issued = api_keys::create(&ctx, new).await.unwrap();
    (issued.key.id, issued.secret.expose_secret().to_owned())
}

on_both! {
    async fn the_access_token_of_a_session(app: TestApp) {
        let (program, admin) = (Program::create(&app, "").await, app.admin().await);
        let body = told(&app, &program, &admin.token).await;
        let me = app.json("/api/v1/me", &admin.token).await;
        assert_eq!(names(&body), ["acr", "active", "amr", "aud", "auth_time", "client_id", "email_verified", "exp", "iat", "iss", "jti", "kind", "role", "scope", "sid", "sub", "token_type", "username"]);
        assert_eq!(body["active"], true);
        assert_eq!((&body["client_id"], &body["email_verified"]), (&json!("denizen"), &json!(false)));
        assert_eq!((&body["kind"], &body["token_type"]), (&json!("access_token"), &json!("Bearer")));
        assert_eq!((&body["sub"], &body["sid"], &body["username"]), (&me["id"], &me["session"]["id"], &me["email"]));
        assert_eq!((&body["role"], &body["scope"]), (&json!("admin"), &json!(Permissions::ALL.to_string())));
        assert_eq!((&body["iss"], &body["aud"]), (&json!("https://accounts.example.com"), &json!("denizen")));
        assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 900);
    }

    async fn the_refresh_token_of_a_session(app: TestApp) {
        let (program, user) = (Program::create(&app, "").await, app.user().await);
        let body = told(&app, &program, &user.refresh_token).await;
        assert_eq!(names(&body), ["acr", "active", "amr", "auth_time", "client_id", "email_verified", "exp", "iat", "iss", "kind", "role", "scope", "sid", "sub", "username"]);
        assert_eq!(body["client_id"], "denizen");
        assert_eq!((&body["kind"], &body["sub"]), (&json!("refresh_token"), &json!(user.id)));
        let form = [("grant_type", "refresh_token"), ("refresh_token", user.refresh_token.as_str())];
        let next = granted(send(&app, "token", None, &form).await).await;
        dead(&app, &program, &user.refresh_token).await;
        let next = next["refresh_token"].as_str().unwrap();
        assert_eq!(told(&app, &program, next).await["active"], true, "to ask uses nothing up");
    }

    async fn the_keys_of_users_and_programs(app: TestApp) {
        let (program, user) = (Program::create(&app, "users:read").await, app.user().await);
        let body = told(&app, &program, &program.secret).await;
        assert_eq!(names(&body), ["active", "aud", "client_id", "iss", "kind", "role", "scope", "sub", "token_type"]);
        assert_eq!((&body["kind"], &body["scope"]), (&json!("api_key"), &json!("users:read")));
        assert_eq!((&body["client_id"], &body["sub"]), (&json!(program.id.to_string()), &json!(program.id.to_string())));
        let (_, secret) = key_of(&app, &user).await;
        let body = told(&app, &program, &secret).await;
        assert_eq!(names(&body), ["active", "aud", "email_verified", "iss", "kind", "role", "scope", "sub", "token_type", "username"]);
        assert_eq!((&body["sub"], &body["username"]), (&json!(user.id), &json!(user.email)));
    }

    async fn the_token_of_a_client(app: TestApp) {
        let program = Program::create(&app, "users:read roles:read").await;
        let token = program.token(&app, "roles:read").await;
        let body = told(&app, &program, &token).await;
        assert_eq!(names(&body), ["active", "aud", "client_id", "exp", "iat", "iss", "jti", "kind", "role", "scope", "sub", "token_type"]);
        assert_eq!((&body["client_id"], &body["scope"]), (&json!(program.id.to_string()), &json!("roles:read")));
        program.change(&app, ServiceAccountChange { role: Some(RoleName::user()), ..Default::default() }).await;
        let body = told(&app, &program, &token).await;
        assert_eq!((&body["active"], &body["scope"], &body["role"]), (&json!(true), &json!(""), &json!("user")), "what it may do now");
    }

    async fn the_dead_are_all_alike(app: TestApp) {
        let (program, other, admin) = (Program::create(&app, "").await, Program::create(&app, "").await, app.admin().await);
        let (signed_out, disabled, deleted) = (app.user().await, app.user().await, app.user().await);
        let (key_id, key) = key_of(&app, &signed_out).await;
        let (_, key_of_disabled) = key_of(&app, &disabled).await;
        let token = other.token(&app, "").await;
        assert_eq!(app.delete("/api/v1/sessions/current", &signed_out.token).await.status(), 204);
        assert_eq!(told(&app, &program, &key).await["active"], true, "a key outlives sessions");
        api_keys::revoke(&app.operator(), key_id, None).await.unwrap();
        assert_eq!(app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        assert_eq!(app.delete(&deleted.path(), &admin.token).await.status(), 204);
        other.change(&app, ServiceAccountChange { status: Some(Status::Disabled), ..Default::default() }).await;
        for user in [&signed_out, &disabled, &deleted] {
            dead(&app, &program, &user.token).await;
            dead(&app, &program, &user.refresh_token).await;
        }
        for token in [&key, &key_of_disabled, &token, &other.secret] {
            dead(&app, &program, token).await;
        }
        for token in ["x", "dnr_", "dnk_", "a.b.c", &format!("{}A", admin.refresh_token), &admin.token[..admin.token.len() - 2]] {
            dead(&app, &program, token).await;
        }
    }

    async fn a_wrong_hint_does_no_harm(app: TestApp) {
        let (program, user) = (Program::create(&app, "").await, app.user().await);
        for hint in ["access_token", "refresh_token", "nonsense"] {
            for token in [&user.token, &user.refresh_token, &program.secret] {
                let form = [("token", token.as_str()), ("token_type_hint", hint)];
                let body: Value = send(&app, "introspect", Some(&program.basic()), &form).await.json().await.unwrap();
                assert_eq!(body["active"], true, "{hint}");
            }
        }
    }

    async fn who_may_ask(app: TestApp) {
        let (program, user, admin) = (Program::create(&app, "").await, app.user().await, app.admin().await);
        let (_, key) = key_of(&app, &user).await;
        let bearer = |token: &str| format!("Bearer {token}");
        let token = program.token(&app, "").await;
        for caller in [program.basic(), bearer(&program.secret), bearer(&token), bearer(&admin.token)] {
            let response = ask(&app, Some(&caller), &user.token).await;
            assert_eq!(response.status(), 200, "{caller}");
            assert_eq!(response.json::<Value>().await.unwrap()["active"], true, "{caller}");
        }
        let in_body = send(&app, "introspect", None, &program.beside(&[("token", &user.token)])).await;
        assert_eq!(in_body.status(), 200);
        for caller in [bearer(&user.token), bearer(&key)] {
            refused(ask(&app, Some(&caller), &user.token).await, 403, "insufficient_scope").await;
        }
        refused(ask(&app, None, &user.token).await, 401, "invalid_client").await;
        refused(ask(&app, Some(&basic("x", "y")), &user.token).await, 401, "invalid_client").await;
        refused(ask(&app, Some(&bearer("stale")), &user.token).await, 401, "invalid_token").await;
        refused(ask(&app, Some(&bearer(&user.refresh_token)), &user.token).await, 401, "invalid_token").await;
        program.change(&app, ServiceAccountChange { status: Some(Status::Disabled), ..Default::default() }).await;
        refused(ask(&app, Some(&program.basic()), &user.token).await, 401, "invalid_client").await;
        refused(ask(&app, Some(&bearer(&token)), &user.token).await, 401, "invalid_token").await;
    }

    async fn an_end_is_felt_by_another_server_too(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        let (program, user) = (Program::create(&one, "").await, one.user().await);
        assert_eq!(told(&two, &program, &user.token).await["active"], true);
        assert_eq!(send(&one, "revoke", None, &[("token", &user.refresh_token)]).await.status(), 200);
        eventually("the end is felt", Duration::from_secs(5), async || {
            told(&two, &program, &user.token).await["active"] == false
        }).await;
        dead(&two, &program, &user.token).await;
        dead(&two, &program, &user.refresh_token).await;
    }
}
