//! Every error has one shape, wherever it arises.

use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, field_problem, on_both, problem};
use crate::raw::exchange;

const USERS: &str = "/api/v1/users";

async fn post_text(app: &TestApp, content_type: &str, body: impl Into<reqwest::Body>) -> Response {
    app.request(Method::POST, USERS, None).header("content-type", content_type).body(body).send().await.unwrap()
}

/// A request as it is written, its lines ended, that asks to close the connection.
fn raw(start: &str, headers: &[&str], body: &str) -> String {
    let head = [&["Host: x", "Connection: close"], headers].concat().join("\r\n");
    format!("{start} HTTP/1.1\r\n{head}\r\n\r\n{body}")
}

on_both! {
    async fn an_unknown_route_is_told_as_such(app: TestApp) {
        for path in ["/api/v1", "/api/v1/nothing", "/api/v2/users", "/api/v1/users/", "//", "/health/", "/.well-known/", "/api/v1/users/%2e%2e/x/y"] {
            let response = app.request(Method::GET, path, None).send().await.unwrap();
            problem(response, 404, "route_not_found").await;
        }
    }

    async fn a_wrong_method_names_the_right_ones(app: TestApp) {
        for (method, path, expected) in [
            (Method::DELETE, USERS, vec!["GET", "HEAD", "POST"]),
            (Method::POST, "/api/v1/users/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", vec!["DELETE", "GET", "HEAD", "PATCH", "PUT"]),
            (Method::PUT, "/api/v1/sessions", vec!["DELETE", "GET", "HEAD", "POST"]),
            (Method::GET, "/api/v1/sessions/current", vec!["DELETE"]),
            (Method::PATCH, "/api/v1/api-keys", vec!["GET", "HEAD", "POST"]),
            (Method::GET, "/api/v1/me/password", vec!["PUT"]),
            (Method::POST, "/health", vec!["GET", "HEAD"]),
            (Method::PUT, "/api/v1/users/import", vec!["POST"]),
            (Method::POST, "/api/v1/users/export", vec!["GET", "HEAD"]),
            (Method::from_bytes(b"BREW").unwrap(), "/api/v1/me", vec!["GET", "HEAD"]),
            (Method::TRACE, "/api/v1/me", vec!["GET", "HEAD"]),
        ] {
            let response = app.request(method.clone(), path, None).send().await.unwrap();
            let allow = response.headers()["allow"].to_str().unwrap().to_owned();
            let mut allowed: Vec<_> = allow.split(',').map(str::trim).collect();
            allowed.sort_unstable();
            assert_eq!(allowed, expected, "{method} {path}");
            problem(response, 405, "method_not_allowed").await;
        }
    }

    async fn unreadable_json_says_where(app: TestApp) {
        let whole_and_more = format!("{} {{}}", json!({"email": "a@example.com", "password": PASSWORD, "name": "A"}));
        for body in ["", "{", "{\"email\":", &whole_and_more, "nul", "{'email':1}", "{\"email\":\u{1}}", "{\"email\":\"\\ud800\"}", "{\"attributes\":{\"a\":1e999}}", "\u{feff}{}"] {
            let error = problem(post_text(&app, "application/json", body.to_owned()).await, 400, "invalid_json").await;
            assert_eq!(error["fields"], json!([]));
        }
        let not_utf8 = post_text(&app, "application/json", b"{\"email\":\"\xff\xfe\"}".to_vec()).await;
        problem(not_utf8, 400, "invalid_json").await;
    }

    async fn a_field_said_twice_is_refused(app: TestApp) {
        let body = format!("{{\"email\":\"a@example.com\",\"password\":\"{PASSWORD}\",\"name\":\"A\",\"email\":\"b@example.com\"}}");
        field_problem(post_text(&app, "application/json", body).await, "email", "duplicate").await;
        let user = app.user().await;
        let request = app.request(Method::PATCH, &user.path(), Some(&user.token)).header("content-type", "application/json");
        let response = request.body("{\"attributes\":{\"a\":1,\"a\":2}}").send().await.unwrap();
        field_problem(response, "attributes", "duplicate").await;
    }

    async fn nesting_has_a_bound(app: TestApp) {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [200, 100_000] {
                let body = format!("{{\"attributes\":{{\"a\":{}1{}}}}}", open.repeat(depth), close.repeat(depth));
                problem(post_text(&app, "application/json", body).await, 400, "invalid_json").await;
            }
        }
    }

    async fn an_error_does_not_repeat_what_was_sent(app: TestApp) {
        for body in ["{\"email\":\"hunter2\",\"password\":\"hunter2\",\"name\":\"\"}", "{\"password\":[\"hunter2\"]}", "{\"attributes\":\"hunter2\"}", "\"hunter2\""] {
            let answer = post_text(&app, "application/json", body).await.text().await.unwrap();
            assert!(!answer.contains("hunter2"), "{answer}");
        }
    }

    async fn other_media_types_are_refused(app: TestApp) {
        let body = json!({"email": "a@example.com", "password": PASSWORD, "name": "A"}).to_string();
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/xml", "", "json"] {
            problem(post_text(&app, media_type, body.clone()).await, 415, "unsupported_media_type").await;
        }
        let bare = app.request(Method::POST, USERS, None).body(body.clone()).send().await.unwrap();
        problem(bare, 415, "unsupported_media_type").await;
        assert_eq!(post_text(&app, "Application/JSON; charset=utf-8", body).await.status(), 201);
    }

    async fn encoded_bodies_are_refused_unread(app: TestApp) {
        use std::io::Write;
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![b' '; 8 << 20]).unwrap();
        let bomb = bomb.finish().unwrap();
        for encoding in ["gzip", "br", "deflate", "identity", "gzip, gzip"] {
            let request = app.request(Method::POST, USERS, None).header("content-type", "application/json");
            let response = request.header("content-encoding", encoding).body(bomb.clone()).send().await.unwrap();
            problem(response, 415, "unsupported_media_type").await;
        }
    }

    async fn an_announced_body_that_is_too_large_is_not_read(app: TestApp, "limits.body_bytes" = "2048") {
        for length in ["2049", "1000000000000", "9223372036854775807"] {
            let request = raw(&format!("POST {USERS}"), &["Content-Type: application/json", &format!("Content-Length: {length}")], "");
            exchange(&app, request).await.problem(413, "body_too_large");
        }
    }

    async fn a_body_that_turns_out_too_large_is_refused(app: TestApp, "limits.body_bytes" = "2048") {
        let padded = |length: usize| format!("{{\"email\":\"{}\"}}", "a".repeat(length - 12));
        let chunked = |body: String| {
            let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            raw(&format!("POST {USERS}"), &["Content-Type: application/json", "Transfer-Encoding: chunked"], &body)
        };
        exchange(&app, chunked(padded(2049))).await.problem(413, "body_too_large");
        exchange(&app, chunked(padded(2048))).await.problem(400, "invalid_input");
        field_problem(post_text(&app, "application/json", padded(2048)).await, "password", "required").await;
        let keyed = app.request(Method::POST, USERS, None).header("content-type", "application/json");
        let keyed = keyed.header("idempotency-key", "k").body(padded(2049)).send().await.unwrap();
        problem(keyed, 413, "body_too_large").await;
    }

    async fn a_body_that_ends_early_is_bad(app: TestApp) {
        for (headers, body) in [
            (["Content-Type: application/json", "Transfer-Encoding: chunked"], "5\r\nabc"),
            (["Content-Type: application/json", "Transfer-Encoding: chunked"], "zz\r\nabc\r\n"),
        ] {
            let mut client = crate::raw::RawClient::connect(&app).await;
            client.send(raw(&format!("POST {USERS}"), &headers, body)).await;
            client.shut().await;
            let bytes = client.read_all().await.expect("the server hangs up");
            if let Some(answer) = crate::raw::parse(&bytes) {
                assert_eq!(answer.status, 400, "{answer:?}");
            }
        }
        assert_eq!(app.request(Method::GET, "/health", None).send().await.unwrap().status(), 200);
    }

    async fn headers_have_a_bound(app: TestApp) {
        let with = |bytes: usize| raw("GET /health/live", &[&format!("X-Long: {}", "a".repeat(bytes))], "");
        assert_eq!(exchange(&app, with(8_000)).await.status, 200);
        exchange(&app, with(20_000)).await.problem(431, "headers_too_large");
        exchange(&app, raw(&format!("GET /health/live?{}", "a".repeat(20_000)), &[], "")).await.problem(431, "headers_too_large");
        let many: Vec<String> = (0..90).map(|at| format!("X-{at}: {}", "b".repeat(300))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        exchange(&app, raw("GET /health/live", &many, "")).await.problem(431, "headers_too_large");
        // Beyond the listener's own buffer there is no request to answer, and still a status.
        assert_eq!(exchange(&app, with(200_000)).await.status, 431);
        let floods: Vec<String> = (0..500).map(|at| format!("X-{at}: b")).collect();
        let floods: Vec<&str> = floods.iter().map(String::as_str).collect();
        assert_eq!(exchange(&app, raw("GET /health/live", &floods, "")).await.status, 431);
    }

    async fn bytes_that_are_no_text_in_an_address_or_a_header(app: TestApp) {
        let admin = app.admin().await;
        let bearer = format!("Authorization: Bearer {}", admin.token);
        exchange(&app, raw("GET /api/v1/users/%ff%fe", &[&bearer], "")).await.problem(400, "invalid_input");
        for query in ["q=%ff%fe", "q=%zz", "%ff=1", "=", "&&&", "q=%ED%A0%80"] {
            let answer = exchange(&app, raw(&format!("GET {USERS}?{query}"), &[&bearer], "")).await;
            assert!([200, 400].contains(&answer.status), "{query}: {answer:?}");
        }
        let mut request = raw(&format!("GET {USERS}"), &["If-Match: \u{1}"], "").into_bytes();
        let at = request.iter().position(|byte| *byte == 1).unwrap();
        request[at] = 0xff;
        exchange(&app, request).await.problem(401, "unauthenticated");
    }
}
