//! Pages of other origins: which may call, and what a refused one learns.

use reqwest::{Method, Response};
use serde_json::json;

use crate::browser::{ACCESS, Browser};
use crate::harness::{Db, PASSWORD, TestApp, on_both, problem};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

async fn preflight(app: &TestApp, origin: &str, asked: &str) -> Response {
    let request = app.request(Method::OPTIONS, "/api/v1/users", None).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", asked).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn origins_of_applications_and_extensions_may_call() {
    let origins = "capacitor://localhost,ionic://localhost,tauri://localhost,chrome-extension://abcdefghijklmnop,\
                   https://app.example.org:443,HTTPS://Shop.example.org";
    let app = TestApp::start_with(Db::Sqlite, &[("server.cors_origins", origins)]).await;
    for origin in [
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnop",
        "https://app.example.org",
        "https://shop.example.org",
    ] {
        let response = app.request(Method::GET, "/health", None).header("origin", origin).send().await.unwrap();
        assert_eq!(header(&response, ALLOW_ORIGIN), Some(origin));
        assert_eq!(header(&preflight(&app, origin, "content-type").await, ALLOW_ORIGIN), Some(origin));
    }
    for origin in ["https://app.example.org:443", "capacitor://localhost:1", "tauri://other", "http://app.example.org"]
    {
        let response = app.request(Method::GET, "/health", None).header("origin", origin).send().await.unwrap();
        assert_eq!(header(&response, ALLOW_ORIGIN), None, "{origin}");
        assert_eq!(header(&preflight(&app, origin, "content-type").await, ALLOW_ORIGIN), None, "{origin}");
    }
}

#[tokio::test]
async fn loopback_origins_may_call_in_development() {
    let app = TestApp::start(Db::Sqlite).await;
    for origin in ["http://localhost:4321", "http://127.0.0.1:8000", "http://[::1]:3000", "https://app.localhost"] {
        let response = app.request(Method::GET, "/health", None).header("origin", origin).send().await.unwrap();
        assert_eq!(header(&response, ALLOW_ORIGIN), Some(origin));
    }
    for origin in ["http://localhost.example.com", "http://10.0.0.1:3000", "null"] {
        let response = app.request(Method::GET, "/health", None).header("origin", origin).send().await.unwrap();
        assert_eq!(header(&response, ALLOW_ORIGIN), None, "{origin}");
        assert!(header(&response, "vary").unwrap().contains("origin"), "a cache must not mix them up");
    }
}

#[tokio::test]
async fn a_preflight_allows_the_headers_of_tracing_and_event_streams() {
    let app = TestApp::start(Db::Sqlite).await;
    let asked = "authorization,baggage,cache-control,content-type,last-event-id,sentry-trace,traceparent,tracestate,x-requested-with";
    let response = preflight(&app, "http://localhost:3000", asked).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-headers"), Some(asked));
    assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&response, "access-control-max-age"), Some("7200"));
}

#[tokio::test]
async fn a_refused_sign_in_by_cookies_says_which_check_failed() {
    let app = TestApp::start(Db::Sqlite).await;
    let body = json!({"email": app.user().await.email, "password": PASSWORD, "cookies": true});
    for (name, value, expected) in [
        ("sec-fetch-site", "cross-site", "cross-site"),
        ("origin", "https://evil.example", "server.cors_origins"),
        ("origin", "null", "server.cors_origins"),
    ] {
        let request = app.request(Method::POST, "/api/v1/sessions", None).json(&body).header(name, value);
        let error = problem(request.send().await.unwrap(), 403, "csrf_failed").await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(expected) && !message.contains("X-CSRF-Token"), "{message}");
    }
    let browser = Browser::signed_in(&app, body["email"].as_str().unwrap()).await;
    for (token, expected) in [(None, "require the session's CSRF token"), (Some("AAAA"), "does not match the session")]
    {
        let headers: Vec<_> = token.iter().map(|token| ("x-csrf-token", *token)).collect();
        let refused = browser.send(&app, Method::DELETE, "/api/v1/sessions", None, &headers).await;
        let error = problem(refused, 403, "csrf_failed").await;
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
    }
}

on_both! {
    async fn a_live_cookie_does_not_stand_in_the_way_of_signing_up(app: TestApp) {
        let browser = Browser::signed_in(&app, &app.user().await.email).await;
        let sign_up = |email: &str| json!({"email": email, "password": PASSWORD, "name": "New"});
        let email = app.fresh_email();
        let response = browser.send(&app, Method::POST, "/api/v1/users", Some(&sign_up(&email)), &[]).await;
        assert_eq!(response.status(), 201);
        assert_eq!(app.try_sign_in(&email, PASSWORD).await.status(), 201);
        // What needs the session says what it lacks.
        let mut admin = sign_up(&app.fresh_email());
        admin["role"] = json!("admin");
        let response = browser.send(&app, Method::POST, "/api/v1/users", Some(&admin), &[]).await;
        problem(response, 403, "csrf_failed").await;
    }

    async fn closed_sign_up_says_what_a_session_lacks(app: TestApp, "signup.mode" = "closed") {
        let admin = app.admin().await;
        let browser = Browser::signed_in(&app, &admin.email).await;
        let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New"});
        problem(browser.send(&app, Method::POST, "/api/v1/users", Some(&body), &[]).await, 403, "csrf_failed").await;
        let stale = format!("{ACCESS}=x");
        let response = Browser::default().send(&app, Method::POST, "/api/v1/users", Some(&body), &[("cookie", &stale)]).await;
        problem(response, 401, "invalid_token").await;
        problem(app.post("/api/v1/users", &body).await, 403, "signup_closed").await;
        assert_eq!(browser.change(&app, Method::POST, "/api/v1/users", Some(&body)).await.status(), 201);
    }

    async fn a_refresh_by_cookies_needs_no_body(app: TestApp) {
        let browser = Browser::signed_in(&app, &app.user().await.email).await;
        let response = browser.change(&app, Method::POST, "/api/v1/sessions/refresh", None).await;
        assert_eq!(response.status(), 200);
        assert_eq!(browser.me(&app).await.status(), 200);
        let token = browser.token();
        let headers = [("x-csrf-token", token.as_str()), ("content-type", "text/plain")];
        assert_eq!(browser.send(&app, Method::POST, "/api/v1/sessions/refresh", None, &headers).await.status(), 200);
        crate::harness::field_problem(Browser::default().refresh(&app).await, "refresh_token", "required").await;
        problem(browser.send(&app, Method::POST, "/api/v1/sessions/refresh", None, &[]).await, 403, "csrf_failed").await;
    }
}

#[test]
fn a_wildcard_is_refused_with_the_reason() {
    use denizen::config::{Config, Overrides, Sources};

    let sources =
        Sources { dir: std::env::temp_dir(), config_dir: None, env_file: None, env: std::collections::BTreeMap::new() };
    for origin in ["https://*.example.com", "*", "https://app.example.com/path", "https://app.example.com/"] {
        let mut flags = Overrides::default();
        flags.push("server.cors_origins", origin, "test");
        let refused = Config::from_sources(&sources, &flags).unwrap_err().to_string();
        assert!(refused.starts_with("server.cors_origins from "), "{refused}");
        assert!(refused.contains("without a path") && refused.contains("wildcards are not supported"), "{refused}");
    }
}
