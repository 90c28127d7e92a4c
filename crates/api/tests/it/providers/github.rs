//! A server that behaves like GitHub: plain OAuth 2, an API for the user, and a list of addresses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::issuer::{CLIENT_ID, CLIENT_SECRET};
use super::{APP, Browser, exchange, location, param, s256, signed_in};
use crate::harness::{on_both, problem};

#[derive(Clone)]
struct GitHub(Arc<Inner>);

struct Inner {
    url: String,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    user: Value,
    /// `None` if the user did not grant the scope.
    emails: Option<Value>,
    /// The challenge of each code that was not redeemed.
    codes: HashMap<String, String>,
    issued: u32,
    /// Whether the code of the next token request has expired.
    is_expired: bool,
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
impl GitHub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self(Arc::new(Inner { url, state: Mutex::default() }));
        let router = Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(access_token))
            .route("/user", get(user))
            .route("/user/emails", get(emails))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let url = |path: &str| format!("{}{path}", self.0.url);
        vec![
            ("providers.acme.preset", "github".to_owned()),
            ("providers.acme.authorization_url", url("/login/oauth/authorize")),
            ("providers.acme.token_url", url("/login/oauth/access_token")),
            ("providers.acme.userinfo_url", url("/user")),
            ("providers.acme.client_id", CLIENT_ID.to_owned()),
            ("providers.acme.client_secret", CLIENT_SECRET.to_owned()),
            ("sign_in.provider_allowed_hosts", "127.0.0.1".to_owned()),
            ("sign_in.redirect_urls", APP.to_owned()),
        ]
    }

    /// Who signs in from now on, with these addresses.
    fn user(&self, user: Value, emails: Option<Value>) {
        let mut script = self.0.state.lock().unwrap();
        (script.user, script.emails) = (user, emails);
    }
}

async fn authorize(State(server): State<GitHub>, Query(request): Query<HashMap<String, String>>) -> Response {
    assert_eq!((request["client_id"].as_str(), request["scope"].as_str()), (CLIENT_ID, "read:user user:email"));
    assert!(!request.contains_key("nonce"), "it has no ID tokens");
    let mut script = server.0.state.lock().unwrap();
    script.issued += 1;
    let code = format!("code-{}", script.issued);
    script.codes.insert(code.clone(), request["code_challenge"].clone());
    let location = format!("{}?code={code}&state={}", request["redirect_uri"], request["state"]);
    (StatusCode::FOUND, [("location", location)]).into_response()
}

/// Errors have the status 200, and the form is the default.
async fn access_token(State(server): State<GitHub>, headers: HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap_or_default();
    let mut script = server.0.state.lock().unwrap();
    let is_client = (form["client_id"].as_str(), form["client_secret"].as_str()) == (CLIENT_ID, CLIENT_SECRET);
    let challenge = form.get("code").and_then(|code| script.codes.remove(code));
    let members = if !is_client {
        vec![("error", "incorrect_client_credentials")]
    } else if script.is_expired || challenge != form.get("code_verifier").map(|verifier| s256(verifier)) {
        vec![("error", "bad_verification_code"), ("error_description", "The code passed is incorrect or expired.")]
    } else {
        vec![("access_token", "gho_16C7e42F"), ("scope", "read:user,user:email"), ("token_type", "bearer")]
    };
    if headers.get("accept").is_some_and(|accept| accept == "application/json") {
        let members: serde_json::Map<_, _> =
            members.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        return Json(Value::Object(members)).into_response();
    }
    let form = serde_urlencoded::to_string(members).unwrap_or_default();
    ([("content-type", "application/x-www-form-urlencoded")], form).into_response()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == "Bearer gho_16C7e42F")
        && headers.contains_key("user-agent")
        && headers.get("x-github-api-version").is_some_and(|value| value == "2022-11-28")
}

async fn user(State(server): State<GitHub>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    Json(server.0.state.lock().unwrap().user.clone()).into_response()
}

async fn emails(State(server): State<GitHub>, headers: HeaderMap) -> Response {
    let emails = server.0.state.lock().unwrap().emails.clone();
    match emails.filter(|_| is_allowed(&headers)) {
        Some(emails) => Json(emails).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response(),
    }
}

fn octocat() -> Value {
    json!({"id": 583_231, "login": "octocat", "name": "The Octocat", "email": "public@example.com", "avatar_url": "https://x/y"})
}

fn addresses() -> Value {
    json!([
        {"email": "old@example.com", "primary": false, "verified": true, "visibility": null},
        {"email": "octocat@example.com", "primary": true, "verified": true, "visibility": "private"},
        {"email": "5+octocat@users.noreply.github.com", "primary": false, "verified": true, "visibility": null},
    ])
}

async fn serve(world: &crate::harness::World, server: &GitHub) -> crate::harness::TestApp {
    let settings = server.settings();
    world.serve(&settings.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>()).await
}

on_both! {
    async fn the_primary_verified_address_makes_a_user_who_is_known_by_id(world: World) {
        let server = GitHub::start().await;
        let app = serve(&world, &server).await;
        server.user(octocat(), Some(addresses()));
        let first = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        let of = |body: &Value, name: &str| body["user"][name].clone();
        assert_eq!((of(&first, "email"), of(&first, "name"), of(&first, "email_verified")),
            (json!("octocat@example.com"), json!("The Octocat"), json!(true)));
        let identities = app.json("/api/v1/me/identities", first["access_token"].as_str().unwrap()).await;
        assert_eq!((&identities[0]["subject"], &identities[0]["issuer"]), (&json!("583231"), &json!(server.0.url)));
        // Login and address are another's now, or gone: the id decides.
        let mut renamed = octocat();
        renamed["login"] = json!("renamed");
        renamed["email"] = json!(null);
        server.user(renamed, Some(json!([{"email": "new@example.com", "primary": true, "verified": false}])));
        let second = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!((of(&second, "id"), of(&second, "email")), (of(&first, "id"), of(&first, "email")));
        // The released login and address belong to another person.
        let mut other = octocat();
        other["id"] = json!(999);
        server.user(other, Some(addresses()));
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 409, "link_required").await;
    }

    async fn a_user_without_a_name_is_called_by_the_address(world: World) {
        let server = GitHub::start().await;
        let app = serve(&world, &server).await;
        server.user(json!({"id": 7, "login": "shy", "name": null, "email": null}), Some(addresses()));
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!((&body["user"]["name"], &body["user"]["email"]),
            (&json!("octocat@example.com"), &json!("octocat@example.com")));
    }

    async fn the_address_of_the_profile_proves_nothing(world: World) {
        let server = GitHub::start().await;
        let app = serve(&world, &server).await;
        let user = app.user().await;
        // Anybody can write the address of another person into their profile, or add it without verifying it.
        let mut profile = octocat();
        profile["email"] = json!(user.email);
        profile["email_verified"] = json!(true);
        let unverified = json!([{"email": user.email, "primary": true, "verified": false},
            {"email": "other@example.com", "primary": false, "verified": true}]);
        for list in [None, Some(json!([])), Some(unverified)] {
            server.user(profile.clone(), list);
            problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "email_unverified").await;
        }
    }

    async fn an_error_with_status_200_is_an_error(world: World) {
        let server = GitHub::start().await;
        let app = serve(&world, &server).await;
        server.user(octocat(), Some(addresses()));
        server.0.state.lock().unwrap().is_expired = true;
        let mut browser = Browser::new();
        let callback = browser.at_callback(&app).await;
        let end = location(&browser.get(&callback).await);
        assert_eq!(param(&end, "error").as_deref(), Some("provider_refused"), "{end}");
        assert_eq!(param(&end, "code"), None);
    }
}
