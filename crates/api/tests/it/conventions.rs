//! What every answer carries: the request id, the security headers, CORS, compression.

use std::io::Read;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, on_both, problem};

const ORIGIN: &str = "https://app.example.com";

async fn send(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = app.request(method, path, None);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

on_both! {
    async fn a_harmless_request_id_is_taken(app: TestApp) {
        let longest = "a".repeat(128);
        for id in ["abc", "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "a/b_c.d:e+f=", &longest] {
            for path in ["/health", "/nothing"] {
                assert_eq!(header(&send(&app, Method::GET, path, &[("x-request-id", id)]).await, "x-request-id"), Some(id));
            }
            problem(send(&app, Method::GET, "/api/v1/me", &[("x-request-id", id)]).await, 401, "unauthenticated").await;
        }
    }

    async fn a_harmful_request_id_is_replaced(app: TestApp) {
        let too_long = "a".repeat(129);
        for id in ["", " ", "two words", "quote\"", "tab\tbed", "<script>", "{{x}}", "ü", "\u{1b}[31m".trim_start_matches('\u{1b}'), &too_long] {
            let response = send(&app, Method::GET, "/health", &[("x-request-id", id)]).await;
            let made = header(&response, "x-request-id").unwrap();
            assert_eq!(made.len(), 36, "{id:?} became {made}");
        }
        let (one, two) = (send(&app, Method::GET, "/health", &[]).await, send(&app, Method::GET, "/health", &[]).await);
        assert_ne!(header(&one, "x-request-id"), header(&two, "x-request-id"));
    }

    async fn browsers_are_told_to_be_careful(app: TestApp) {
        for (path, status) in [("/health", 200), ("/nothing", 404), ("/api/v1/me", 401), ("/.well-known/jwks.json", 200), ("/docs/", 200)] {
            let response = send(&app, Method::GET, path, &[]).await;
            assert_eq!(response.status(), status, "{path}");
            let policy = header(&response, "content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(header(&response, "x-frame-options"), Some("DENY"), "{path}");
            assert_eq!(header(&response, "referrer-policy"), Some("no-referrer"), "{path}");
            assert!(header(&response, "strict-transport-security").unwrap().starts_with("max-age="), "{path}");
            assert!(header(&response, "cache-control").is_some(), "{path}");
            assert_eq!(header(&response, "server"), None, "{path}");
        }
    }

    async fn answers_about_people_are_kept_by_no_cache_in_between(app: TestApp) {
        let user = app.user().await;
        let cached = header(&app.get(&user.path(), &user.token).await, "cache-control").unwrap().to_owned();
        assert_eq!(cached, "private, no-cache");
        let refused = app.try_sign_in(&user.email, "a guess").await;
        assert_eq!(header(&refused, "cache-control"), Some("private, no-cache"));
    }

    async fn pages_of_other_origins_may_not_call(app: TestApp) {
        for (method, path) in [(Method::GET, "/health"), (Method::OPTIONS, "/api/v1/users"), (Method::GET, "/api/v1/me")] {
            let response = send(&app, method, path, &[("origin", ORIGIN), ("access-control-request-method", "POST")]).await;
            assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{path}");
        }
    }

    async fn pages_of_a_configured_origin_may_call(app: TestApp, "server.cors_origins" = "https://app.example.com,https://other.example.com") {
        for (path, status) in [("/health", 200), ("/api/v1/me", 401), ("/nothing", 404)] {
            let response = send(&app, Method::GET, path, &[("origin", ORIGIN)]).await;
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "access-control-allow-origin"), Some(ORIGIN), "{path}");
            let exposed = header(&response, "access-control-expose-headers").unwrap().to_lowercase();
            for name in ["etag", "link", "location", "retry-after", "x-request-id", "x-total-count", "x-total-count-limited", "idempotency-replayed", "www-authenticate"] {
                assert!(exposed.contains(name), "{name} in {exposed}");
            }
            assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
            assert!(response.headers().get_all("vary").iter().any(|vary| vary.to_str().unwrap().to_lowercase().contains("origin")));
        }
        for origin in ["https://evil.example.com", "http://app.example.com", "https://app.example.com.evil.example", "null"] {
            let response = send(&app, Method::GET, "/health", &[("origin", origin)]).await;
            assert_ne!(header(&response, "access-control-allow-origin"), Some(origin));
            assert_ne!(header(&response, "access-control-allow-origin"), Some("*"));
        }
    }

    async fn a_preflight_is_answered_for_a_configured_origin(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let asked = [("origin", ORIGIN), ("access-control-request-method", method),
                ("access-control-request-headers", "authorization,content-type,if-match,idempotency-key,x-csrf-token,x-request-id")];
            let response = send(&app, Method::OPTIONS, "/api/v1/users/1", &asked).await;
            assert!(response.status().is_success());
            assert_eq!(header(&response, "access-control-allow-origin"), Some(ORIGIN));
            assert!(header(&response, "access-control-allow-methods").unwrap().contains(method));
            let headers = header(&response, "access-control-allow-headers").unwrap().to_lowercase();
            for name in asked[2].1.split(',') {
                assert!(headers.contains(name), "{name} in {headers}");
            }
            assert!(header(&response, "access-control-max-age").is_some());
            assert!(header(&response, "x-request-id").is_some());
        }
    }

    async fn large_answers_are_compressed_when_asked_for(app: TestApp) {
        let admin = app.admin().await;
        let lines: Vec<_> = (0..100).map(|at| format!("{{\"email\":\"p{at}@example.com\",\"name\":\"Somebody\"}}")).collect();
        app.import(&admin, lines.join("\n")).await;
        let list = async |accept: Option<&str>| {
            let mut request = app.request(Method::GET, "/api/v1/users?limit=100", Some(&admin.token));
            if let Some(accept) = accept {
                request = request.header("accept-encoding", accept);
            }
            request.send().await.unwrap()
        };
        let plain = list(None).await;
        assert_eq!(header(&plain, "content-encoding"), None);
        let plain = plain.bytes().await.unwrap();
        for encoding in ["gzip", "br", "zstd"] {
            let response = list(Some(encoding)).await;
            assert_eq!(header(&response, "content-encoding"), Some(encoding));
            assert!(header(&response, "vary").unwrap().to_lowercase().contains("accept-encoding"));
            assert_eq!(header(&response, "content-type"), Some("application/json"));
            let bytes = response.bytes().await.unwrap();
            assert!(bytes.len() * 3 < plain.len(), "{encoding}: {} of {}", bytes.len(), plain.len());
            if encoding == "gzip" {
                let mut text = Vec::new();
                flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
                assert_eq!(text, plain);
            }
        }
        let small = send(&app, Method::GET, "/health", &[("accept-encoding", "gzip")]).await;
        assert_eq!(header(&small, "content-encoding"), None);
        let error = send(&app, Method::GET, "/nothing", &[("accept-encoding", "gzip")]).await;
        problem(error, 404, "route_not_found").await;
    }

    async fn a_head_is_a_get_without_its_body(app: TestApp) {
        let user = app.user().await;
        for path in [user.path(), "/health".into(), "/api/v1/me".into(), "/.well-known/jwks.json".into(), "/nothing".into()] {
            let get = app.get(&path, &user.token).await;
            let head = app.request(Method::HEAD, &path, Some(&user.token)).send().await.unwrap();
            assert_eq!(head.status(), get.status(), "{path}");
            for name in ["etag", "content-type", "content-length"] {
                assert_eq!(header(&head, name), header(&get, name), "{name} of {path}");
            }
            assert!(head.bytes().await.unwrap().is_empty());
        }
    }

    async fn health_says_what_was_looked_at(app: TestApp) {
        for path in ["/health", "/health/ready"] {
            let response = send(&app, Method::GET, path, &[]).await;
            assert_eq!(response.status(), 200);
            let body: Value = response.json().await.unwrap();
            let checks = json!({"database": "ok", "migrations": "ok", "signing_keys": "ok", "workers": "ok"});
            assert_eq!(body, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "checks": checks}));
        }
        for path in ["/health/live", "/health/startup"] {
            let body: Value = send(&app, Method::GET, path, &[]).await.json().await.unwrap();
            assert_eq!(body, json!({"status": "ok"}), "{path}");
        }
    }

    async fn both_versions_of_http_are_spoken(app: TestApp) {
        let client = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
        let response = client.get(format!("{}/health", app.url)).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_11);
        // The preface of HTTP/2 and empty settings (RFC 9113 §3.4): the server answers with settings of its own.
        let mut client = crate::raw::RawClient::connect(&app).await;
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        let frame = client.read_some(9).await;
        assert_eq!((frame[3], &frame[5..9]), (4, &[0; 4][..]), "a SETTINGS frame");
    }

    async fn forwarded_addresses_count_from_trusted_proxies_only(app: TestApp, "limits.address_per_second" = "1", "limits.address_burst" = "4") {
        let mut statuses = Vec::new();
        for at in 0..8 {
            let address = format!("198.51.100.{at}");
            statuses.push(send(&app, Method::GET, "/nothing", &[("x-forwarded-for", &address)]).await.status().as_u16());
        }
        assert!(statuses.contains(&429), "{statuses:?}");
    }

    async fn clients_behind_a_trusted_proxy_have_budgets_of_their_own(app: TestApp,
        "server.trusted_proxies" = "127.0.0.1", "limits.address_per_second" = "1", "limits.address_burst" = "2") {
        for at in 0..8 {
            let address = format!("198.51.100.{at}");
            assert_eq!(send(&app, Method::GET, "/nothing", &[("x-forwarded-for", &address)]).await.status(), 404);
        }
        let body = json!({"email": "a@example.com", "password": PASSWORD});
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let request = app.request(Method::POST, "/api/v1/sessions", None).header("x-forwarded-for", "2001:db8::1");
            statuses.push(request.json(&body).send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses[0], 401);
        assert!(statuses.contains(&429), "{statuses:?}");
    }
}
