//! `POST /oauth2/token`: RFC 6749 as a client sees it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::access::Permissions;
use denizen_domain::api_keys::{self, NewApiKey};
use denizen_domain::id::{ApiKeyId, ServiceAccountId};
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::{self, NewServiceAccount, ServiceAccountChange};
use denizen_domain::users::{DisplayName, Status};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{Db, TestApp, on_both, problem};

/// A service account with one API key.
pub(crate) struct Program {
    pub(crate) id: ServiceAccountId,
    pub(crate) key_id: ApiKeyId,
    pub(crate) secret: String,
}

impl Program {
    /// One whose role is admin and whose key carries these scopes.
    pub(crate) async fn create(app: &TestApp, scopes: &str) -> Self {
        let new = NewServiceAccount {
            name: DisplayName::parse("A program").unwrap(),
            description: Description::parse("For tests").unwrap(),
            role: RoleName::admin(),
            status: Status::Active,
        };
        let account = service_accounts::create(&app.operator(), new).await.unwrap();
        let new = NewApiKey {
            name: DisplayName::parse("A key").unwrap(),
            scopes: Permissions::parse(scopes).unwrap(),
            expires_at: None,
            service_account: Some(account.id),
        };
        let issued = api_keys::create(&app.operator(), new).await.unwrap();
        Self { id: account.id, key_id: issued.key.id, secret: issued.secret.expose_secret().to_owned() }
    }

    pub(crate) fn basic(&self) -> String {
        basic(&self.id.to_string(), &self.secret)
    }

    /// The parameters of a client that authenticates in the body, after others.
    pub(crate) fn beside(&self, form: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [("client_id".to_owned(), self.id.to_string()), ("client_secret".to_owned(), self.secret.clone())];
        form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(own).collect()
    }

    pub(crate) async fn change(&self, app: &TestApp, change: ServiceAccountChange) {
        service_accounts::update(&app.operator(), self.id, change, None).await.unwrap();
    }

    pub(crate) async fn token(&self, app: &TestApp, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let body = granted(send(app, "token", Some(&self.basic()), &form).await).await;
        body["access_token"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

pub(crate) fn request(app: &TestApp, operation: &str, authorization: Option<&str>) -> RequestBuilder {
    let request = app.request(Method::POST, &format!("/oauth2/{operation}"), None);
    match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    }
}

/// Sends parameters as a form.
pub(crate) async fn send<N: AsRef<str>, V: AsRef<str>>(
    app: &TestApp,
    operation: &str,
    authorization: Option<&str>,
    form: &[(N, V)],
) -> Response {
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    send_text(app, operation, authorization, serde_urlencoded::to_string(form).unwrap()).await
}

async fn send_text(app: &TestApp, operation: &str, authorization: Option<&str>, body: impl Into<String>) -> Response {
    let request = request(app, operation, authorization).header("content-type", "application/x-www-form-urlencoded");
    request.body(body.into()).send().await.unwrap()
}

pub(crate) fn check_not_stored(response: &Response) {
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["pragma"], "no-cache");
}

/// Asserts that a token was granted, and returns the answer.
pub(crate) async fn granted(response: Response) -> Value {
    check_not_stored(&response);
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{body}");
    body
}

/// Asserts the error shape of RFC 6749 §5.2.
pub(crate) async fn refused(response: Response, status: u16, code: &str) -> String {
    check_not_stored(&response);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let got = response.status().as_u16();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let has_retry_after = response.headers().contains_key("retry-after");
    let body: Value = response.json().await.unwrap();
    assert_eq!((got, &body["error"]), (status, &json!(code)), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert!(!matches!(status, 429 | 503) || has_retry_after, "{body}");
    assert_eq!(challenge.is_some(), status == 401, "{body}");
    if code == "invalid_client" {
        assert_eq!(challenge.as_deref(), Some("Basic realm=\"denizen\""));
    }
    let description = body["error_description"].as_str().unwrap().to_owned();
    let is_describing = |byte: u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    assert!(!description.is_empty() && description.bytes().all(is_describing), "{body}");
    description
}

pub(crate) async fn users_status(app: &TestApp, token: &str) -> u16 {
    app.get("/api/v1/users", token).await.status().as_u16()
}

const CLIENT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

pub(crate) fn refreshing(token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

on_both! {
    async fn a_client_gets_a_token_that_does_what_its_key_may(app: TestApp) {
        let program = Program::create(&app, "users:read roles:read").await;
        let by_header = granted(send(&app, "token", Some(&program.basic()), &CLIENT).await).await;
        let by_body = granted(send(&app, "token", None, &program.beside(&CLIENT)).await).await;
        for body in [&by_header, &by_body] {
            assert_eq!((&body["scope"], &body["expires_in"]), (&json!("users:read roles:read"), &json!(900)));
            assert_eq!(body.as_object().unwrap().len(), 4, "no refresh token: {body}");
            let token = body["access_token"].as_str().unwrap();
            assert_eq!(users_status(&app, token).await, 200);
            let user = app.user().await;
            problem(app.delete(&user.path(), token).await, 403, "forbidden").await;
            problem(app.get("/api/v1/me", token).await, 403, "forbidden").await;
        }
        assert_ne!(by_header["access_token"], by_body["access_token"]);
    }

    async fn a_client_narrows_its_scope_and_never_widens_it(app: TestApp) {
        let program = Program::create(&app, "users:read roles:read").await;
        let ask = async |scope: &str| {
            send(&app, "token", Some(&program.basic()), &[("grant_type", "client_credentials"), ("scope", scope)]).await
        };
        let narrowed = granted(ask("roles:read").await).await;
        assert_eq!(narrowed["scope"], "roles:read");
        assert_eq!(users_status(&app, narrowed["access_token"].as_str().unwrap()).await, 403);
        assert_eq!(granted(ask("roles:read users:read").await).await["scope"], "users:read roles:read");
        assert_eq!(granted(ask("").await).await["scope"], "users:read roles:read", "an empty value is none");
        for scope in ["users:write", "users:read users:write", "openid", "users:read,roles:read", "USERS:READ", "*"] {
            refused(ask(scope).await, 400, "invalid_scope").await;
        }
    }

    async fn a_client_token_dies_with_what_it_stands_on(app: TestApp) {
        let programs = [
            Program::create(&app, "users:read").await,
            Program::create(&app, "users:read").await,
            Program::create(&app, "users:read").await,
            Program::create(&app, "users:read").await,
        ];
        let mut tokens = Vec::new();
        for program in &programs {
            let token = program.token(&app, "users:read").await;
            assert_eq!(users_status(&app, &token).await, 200);
            tokens.push(token);
        }
        api_keys::revoke(&app.operator(), programs[0].key_id, None).await.unwrap();
        programs[1].change(&app, ServiceAccountChange { status: Some(Status::Disabled), ..Default::default() }).await;
        let role = Some(RoleName::user());
        programs[2].change(&app, ServiceAccountChange { role, ..Default::default() }).await;
        service_accounts::delete(&app.operator(), programs[3].id, None).await.unwrap();
        for (at, expected) in [(0, 401), (1, 401), (2, 403), (3, 401)] {
            assert_eq!(users_status(&app, &tokens[at]).await, expected, "{at}");
        }
        for at in [0, 1, 3] {
            let response = send(&app, "token", Some(&programs[at].basic()), &CLIENT).await;
            refused(response, 401, "invalid_client").await;
        }
        let form = [("grant_type", "client_credentials"), ("scope", "users:read")];
        refused(send(&app, "token", Some(&programs[2].basic()), &form).await, 400, "invalid_scope").await;
        assert_eq!(granted(send(&app, "token", Some(&programs[2].basic()), &CLIENT).await).await["scope"], "");
    }

    async fn a_client_that_does_not_prove_itself_is_refused_alike(app: TestApp) {
        let (program, other) = (Program::create(&app, "users:read").await, Program::create(&app, "users:read").await);
        let (id, secret) = (program.id.to_string(), program.secret.as_str());
        let bent = format!("{}{}", &secret[..secret.len() - 1], if secret.ends_with('A') { "E" } else { "A" });
        let mut descriptions = Vec::new();
        for (id, secret) in [
            (id.as_str(), other.secret.as_str()), (&other.id.to_string(), secret), (&id, ""), (&id, "dnk_"), (&id, &bent),
            (&id, &secret[..secret.len() - 4]), (&id, &format!("{secret}AAAA")), ("", secret), ("admin", secret),
            ("019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", secret), (&id, "%00"),
        ] {
            descriptions.push(refused(send(&app, "token", Some(&basic(id, secret)), &CLIENT).await, 401, "invalid_client").await);
            if !id.is_empty() && !secret.is_empty() {
                let form = [CLIENT[0], ("client_id", id), ("client_secret", secret)];
                descriptions.push(refused(send(&app, "token", None, &form).await, 401, "invalid_client").await);
            }
        }
        descriptions.dedup();
        assert_eq!(descriptions.len(), 1, "{descriptions:?}");
        for header in ["Basic", "Basic ", "Basic ***", "Basic aWQ=", "Digest username=x", "Negotiate x", ""] {
            refused(send(&app, "token", Some(header), &CLIENT).await, 401, "invalid_client").await;
        }
        refused(send(&app, "token", None, &CLIENT).await, 401, "invalid_client").await;
        refused(send(&app, "token", Some(&format!("Bearer {secret}")), &CLIENT).await, 401, "invalid_client").await;
        refused(send(&app, "token", None, &[CLIENT[0], ("client_id", id.as_str())]).await, 401, "invalid_client").await;
    }

    async fn id_and_secret_may_be_encoded_as_in_a_form(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        let encoded = |text: &str| text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        let header = basic(&encoded(&program.id.to_string()), &encoded(&program.secret));
        granted(send(&app, "token", Some(&header), &CLIENT).await).await;
        granted(send(&app, "token", Some(&header.replace("Basic", "bASIC")), &CLIENT).await).await;
        granted(send(&app, "token", Some(&header), &[CLIENT[0], ("client_id", &program.id.to_string())]).await).await;
    }

    async fn authentication_in_several_ways_is_refused(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        let other = ServiceAccountId::parse("019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e").unwrap().to_string();
        let refused_as = async |header: Option<&str>, form: &[(String, String)]| {
            refused(send(&app, "token", header, form).await, 400, "invalid_request").await;
        };
        refused_as(Some(&program.basic()), &program.beside(&CLIENT)).await;
        refused_as(Some("Bearer x"), &program.beside(&CLIENT)).await;
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let grant = owned("grant_type", "client_credentials");
        refused_as(Some(&program.basic()), &[grant.clone(), owned("client_id", &other)]).await;
        refused_as(None, &[grant, owned("client_secret", &program.secret)]).await;
        let twice = request(&app, "token", Some(&program.basic())).header("authorization", program.basic());
        let twice = twice.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
        refused(twice.send().await.unwrap(), 400, "invalid_request").await;
    }

    async fn what_is_missing_or_said_twice_is_an_invalid_request(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        for body in ["", "scope=users%3Aread", "grant_type=", "grant_type", "grant_type=refresh_token", "grant_type=refresh_token&refresh_token=",
            "grant_type=client_credentials&grant_type=client_credentials", "grant_type=client_credentials&scope=a&scope=b",
            "grant_type=client_credentials&client_id=", "grant_type=refresh_token&refresh_token=x&client_id"] {
            refused(send_text(&app, "token", Some(&program.basic()), body).await, 400, "invalid_request").await;
        }
        for grant in ["password", "authorization_code", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "CLIENT_CREDENTIALS"] {
            let response = send(&app, "token", Some(&program.basic()), &[("grant_type", grant)]).await;
            refused(response, 400, "unsupported_grant_type").await;
        }
        for ignored in ["audience=x&resource=y", "resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example", "unknown=1&unknown=2"] {
            let form = format!("grant_type=client_credentials&{ignored}");
            granted(send_text(&app, "token", Some(&program.basic()), form).await).await;
        }
        for operation in ["introspect", "revoke"] {
            refused(send_text(&app, operation, Some(&program.basic()), "").await, 400, "invalid_request").await;
            refused(send_text(&app, operation, Some(&program.basic()), "token=").await, 400, "invalid_request").await;
            refused(send_text(&app, operation, Some(&program.basic()), "token=a&token=b").await, 400, "invalid_request").await;
        }
    }

    async fn errors_of_the_middleware_have_the_shape_of_oauth(app: TestApp, "limits.body_bytes" = "2048") {
        for (method, path, status) in [(Method::GET, "token", 405), (Method::PUT, "revoke", 405), (Method::GET, "authorize", 404), (Method::POST, "token/", 404), (Method::POST, "", 404)] {
            let response = app.request(method, &format!("/oauth2/{path}"), None).send().await.unwrap();
            assert_eq!(response.headers().contains_key("allow"), status == 405, "{path}");
            refused(response, status, "invalid_request").await;
        }
        problem(app.request(Method::GET, "/oauth2", None).send().await.unwrap(), 404, "route_not_found").await;
        refused(send_text(&app, "token", None, format!("token={}", "a".repeat(3000))).await, 413, "invalid_request").await;
        let many: Vec<_> = (0..100).map(|at| format!("p{at}=1")).collect();
        refused(send_text(&app, "token", None, many.join("&")).await, 400, "invalid_request").await;
        for media_type in ["application/json", "text/plain", "", "multipart/form-data"] {
            let request = request(&app, "token", None).header("content-type", media_type).body("grant_type=refresh_token");
            refused(request.send().await.unwrap(), 400, "invalid_request").await;
        }
        let bare = request(&app, "token", None).body("grant_type=refresh_token").send().await.unwrap();
        refused(bare, 400, "invalid_request").await;
        let encoded = request(&app, "token", None).header("content-type", "application/x-www-form-urlencoded").header("content-encoding", "gzip");
        refused(encoded.body("x").send().await.unwrap(), 400, "invalid_request").await;
        let with_charset = request(&app, "revoke", None).header("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8");
        assert_eq!(with_charset.body("token=x").send().await.unwrap().status(), 200);
    }

    async fn a_budget_that_is_spent_is_temporarily_unavailable(app: TestApp, "limits.address_per_second" = "1", "limits.address_burst" = "1") {
        send_text(&app, "revoke", None, "token=x").await;
        refused(send_text(&app, "revoke", None, "token=x").await, 429, "temporarily_unavailable").await;
    }

    async fn a_session_goes_on_by_the_refresh_grant(app: TestApp) {
        let user = app.user().await;
        let body = granted(send(&app, "token", None, &refreshing(&user.refresh_token)).await).await;
        assert_eq!((body["scope"].as_str().unwrap(), body.as_object().unwrap().len()), ("", 5));
        assert_eq!(app.me_status(body["access_token"].as_str().unwrap()).await, 200);
        let program = Program::create(&app, "users:read").await;
        let next = body["refresh_token"].as_str().unwrap();
        let body = granted(send(&app, "token", Some(&program.basic()), &refreshing(next)).await).await;
        let next = body["refresh_token"].as_str().unwrap();
        refused(send(&app, "token", Some(&basic("x", "y")), &refreshing(next)).await, 401, "invalid_client").await;
        let stale = send(&app, "token", Some("Bearer stale"), &refreshing(next)).await;
        granted(stale).await;
        for token in ["dnr_", "x", user.token.as_str(), program.secret.as_str(), &format!("{next}A"), user.refresh_token.as_str()] {
            refused(send(&app, "token", None, &refreshing(token)).await, 400, "invalid_grant").await;
        }
        assert_eq!(app.me_status(&user.token).await, 401, "the last one was two generations old");
    }

    async fn a_session_is_refreshed_with_all_its_scopes_or_not_at_all(app: TestApp) {
        let admin = app.admin().await;
        let ask = async |token: &str, scope: &str| {
            send(&app, "token", None, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]).await
        };
        for scope in ["users:read", "openid", "users:read openid"] {
            refused(ask(&admin.refresh_token, scope).await, 400, "invalid_scope").await;
        }
        let all = Permissions::ALL.to_string();
        let body = granted(ask(&admin.refresh_token, &all).await).await;
        assert_eq!(body["scope"], all);
        refused(ask(&admin.refresh_token, "users:read").await, 400, "invalid_scope").await;
        let user = app.user().await;
        refused(ask(&user.refresh_token, "users:read").await, 400, "invalid_scope").await;
        granted(ask(&user.refresh_token, "").await).await;
        refused(ask("dnr_x", &all).await, 400, "invalid_grant").await;
    }

    async fn a_key_of_idempotency_replays_nothing_here(app: TestApp) {
        let program = Program::create(&app, "users:read").await;
        let ask = async |header: &str| {
            let request = request(&app, "token", Some(header)).header("idempotency-key", "key");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.body("grant_type=client_credentials").send().await.unwrap()
        };
        let first = granted(ask(&program.basic()).await).await;
        let again = ask(&program.basic()).await;
        assert!(!again.headers().contains_key("idempotency-replayed"));
        assert_ne!(granted(again).await["access_token"], first["access_token"]);
        refused(ask(&basic(&program.id.to_string(), "dnk_")).await, 401, "invalid_client").await;
    }

    async fn the_metadata_names_the_endpoints(app: TestApp) {
        let response = app.request(Method::GET, "/.well-known/openid-configuration", None).send().await.unwrap();
        let metadata: Value = response.json().await.unwrap();
        for (name, path) in [("token_endpoint", "token"), ("introspection_endpoint", "introspect"), ("revocation_endpoint", "revoke")] {
            assert_eq!(metadata[name], format!("{}/oauth2/{path}", metadata["issuer"].as_str().unwrap()));
        }
        assert_eq!(metadata["grant_types_supported"], json!(["client_credentials", "refresh_token"]));
        for endpoint in ["token", "revocation"] {
            let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            assert_eq!(methods, &json!(["client_secret_basic", "client_secret_post", "none"]));
        }
        let methods = json!(["client_secret_basic", "client_secret_post"]);
        assert_eq!(metadata["introspection_endpoint_auth_methods_supported"], methods);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_temporarily_unavailable() {
    let app = TestApp::start(Db::Postgres).await;
    let program = Program::create(&app, "users:read").await;
    app.services.store.close().await;
    refused(send(&app, "token", Some(&program.basic()), &CLIENT).await, 503, "temporarily_unavailable").await;
}
