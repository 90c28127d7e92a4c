//! What OAuth 2 libraries expect of the server: a client id in every token, metadata where RFC 8414 puts it, and documents
//! that pages of any origin can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Db, TestApp, on_both, problem};
use crate::oauth2::{Program, granted, refused, send};

const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const OPENID_METADATA: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

async fn refresh(app: &TestApp, token: &str, client_id: &str) -> Response {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client_id)];
    send(app, "token", None, &form).await
}

on_both! {
    async fn tokens_say_whether_the_address_is_verified(app: TestApp) {
        let (program, user) = (Program::create(&app, "").await, app.user().await);
        assert_eq!(claims(&user.token)["email_verified"], false);
        let body = json!({"token": app.token_to(&user.email, "verify-email").await});
        assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &body).await.status(), 204);
        let form = [("token", user.token.as_str())];
        let body: Value = send(&app, "introspect", Some(&program.basic()), &form).await.json().await.unwrap();
        assert_eq!(body["email_verified"], true, "introspection answers for this moment");
        let body = granted(refresh(&app, &user.refresh_token, "denizen").await).await;
        let claims = claims(body["access_token"].as_str().unwrap());
        assert_eq!((&claims["email_verified"], &claims["client_id"]), (&json!(true), &json!("denizen")));
    }

    async fn the_public_client_refreshes_and_revokes_but_authenticates_nothing(app: TestApp) {
        let (program, user) = (Program::create(&app, "").await, app.user().await);
        for other in ["Denizen", "denizen ", "x", &program.id.to_string()] {
            refused(refresh(&app, &user.refresh_token, other).await, 401, "invalid_client").await;
        }
        refused(refresh(&app, &user.refresh_token, "").await, 400, "invalid_request").await;
        let body = granted(refresh(&app, &user.refresh_token, "denizen").await).await;
        let grant = [("grant_type", "client_credentials"), ("client_id", "denizen")];
        refused(send(&app, "token", None, &grant).await, 401, "invalid_client").await;
        let with_secret = [grant[0], grant[1], ("client_secret", program.secret.as_str())];
        refused(send(&app, "token", None, &with_secret).await, 401, "invalid_client").await;
        let ask = [("token", user.token.as_str()), ("client_id", "denizen")];
        refused(send(&app, "introspect", None, &ask).await, 401, "invalid_client").await;
        let token = body["refresh_token"].as_str().unwrap();
        let revoke = [("token", token), ("client_id", "denizen")];
        assert_eq!(send(&app, "revoke", None, &revoke).await.status(), 200);
        refused(refresh(&app, token, "denizen").await, 400, "invalid_grant").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_where_rfc_8414_puts_it() {
    let app = TestApp::start(Db::Sqlite).await;
    let metadata = app.json(SERVER_METADATA, "").await;
    assert_eq!(metadata, app.json(OPENID_METADATA, "").await);
    assert_eq!(metadata["issuer"], "https://accounts.example.com");
    // This issuer has no path.
    for path in ["/auth", "/", "/accounts.example.com"] {
        problem(app.get(&format!("{SERVER_METADATA}{path}"), "").await, 404, "route_not_found").await;
    }
    let below_a_path = TestApp::start_with(Db::Sqlite, &[("tokens.issuer", "https://example.com/auth/one")]).await;
    for document in [SERVER_METADATA, OPENID_METADATA] {
        let found = below_a_path.json(&format!("{document}/auth/one"), "").await;
        assert_eq!(found["issuer"], "https://example.com/auth/one");
        assert_eq!(found["jwks_uri"], "https://example.com/auth/one/.well-known/jwks.json");
        for other in ["/auth", "/auth/one/two", "/auth%2Ftwo"] {
            problem(below_a_path.get(&format!("{document}{other}"), "").await, 404, "route_not_found").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_any_origin_read_the_public_documents_without_credentials() {
    let none: &[(&str, &str)] = &[];
    for settings in [none, &[("server.cors_origins", "https://app.example.com")]] {
        let app = TestApp::start_with(Db::Sqlite, settings).await;
        for origin in ["https://app.example.com", "https://elsewhere.example", "null"] {
            let asked = async |method: Method, path: &str| {
                app.request(method, path, None).header("origin", origin).send().await.unwrap()
            };
            for path in [JWKS, OPENID_METADATA, SERVER_METADATA, "/.well-known/oauth-authorization-server/other"] {
                let response = asked(Method::GET, path).await;
                assert_eq!(response.headers()["access-control-allow-origin"], "*", "{origin} {path}");
                assert!(!response.headers().contains_key("access-control-allow-credentials"), "{origin} {path}");
            }
            let preflight = app.request(Method::OPTIONS, JWKS, None).header("origin", origin);
            let preflight = preflight.header("access-control-request-method", "GET");
            let answer = preflight.header("access-control-request-headers", "if-none-match").send().await.unwrap();
            assert_eq!(answer.status(), 204);
            assert_eq!(answer.headers()["access-control-allow-origin"], "*");
            assert_eq!(answer.headers()["access-control-allow-headers"], "*");
            assert!(!answer.headers().contains_key("access-control-allow-credentials"));
            let own = asked(Method::GET, "/api/v1/me").await;
            let is_configured = !settings.is_empty() && origin == "https://app.example.com";
            assert_eq!(own.headers().contains_key("access-control-allow-origin"), is_configured, "{origin}");
        }
    }
}
