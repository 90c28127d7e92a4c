//! What one client, or all of them, may ask: budgets, time, and how many at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{TestApp, eventually, on_both, problem, timed};
use crate::raw::{RawClient, exchange};

/// The head of a request whose body is yet to come.
const SLOW_BODY: &str = "POST /api/v1/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";

async fn status(app: &TestApp, path: &str) -> u16 {
    app.request(Method::GET, path, None).send().await.unwrap().status().as_u16()
}

on_both! {
    async fn an_address_has_a_budget(app: TestApp, "limits.address_per_second" = "1", "limits.address_burst" = "5") {
        let mut refused = None;
        for _ in 0..20 {
            let response = app.request(Method::GET, "/nothing", None).send().await.unwrap();
            if response.status() == 429 {
                refused = Some(response);
                break;
            }
        }
        let refused = refused.expect("the budget is spent");
        assert_eq!(refused.headers()["retry-after"], "1");
        problem(refused, 429, "too_many_requests").await;
        for path in ["/health", "/health/live", "/health/ready"] {
            assert_eq!(status(&app, path).await, 200, "health is outside budgets");
        }
        eventually("the budget fills again", Duration::from_secs(10), async || status(&app, "/nothing").await == 404).await;
    }

    async fn zero_is_no_budget_to_spend(app: TestApp, "limits.address_per_second" = "0", "limits.address_burst" = "1") {
        for _ in 0..50 {
            assert_eq!(status(&app, "/nothing").await, 404);
        }
    }

    async fn more_at_once_than_allowed_is_shed(app: TestApp, "limits.concurrent_requests" = "1") {
        let admin = app.admin().await;
        // An import is worked on from its first line.
        let import = format!(
            "POST /api/v1/users/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
            admin.token
        );
        let mut slow = RawClient::connect(&app).await;
        eventually("the one place is taken", Duration::from_secs(10), async || {
            // An answer arrives a moment before its place is free: the import may be shed as well.
            slow = RawClient::connect(&app).await;
            slow.send(&import).await;
            slow.read_some(12).await == b"HTTP/1.1 100"
        }).await;
        slow.send("{").await;
        let (response, waited) = timed(app.request(Method::GET, "/api/v1/me", None).send()).await;
        assert!(waited < Duration::from_secs(2), "shedding is quick: {waited:?}");
        problem(response.unwrap(), 503, "overloaded").await;
        assert_eq!(status(&app, "/health/ready").await, 200, "health is outside shedding");

        drop(slow);
        eventually("the place is free again", Duration::from_secs(10), async || {
            status(&app, "/.well-known/jwks.json").await == 200
        }).await;
    }

    async fn a_request_that_takes_too_long_is_given_up(app: TestApp, "limits.request_timeout_s" = "1") {
        let mut slow = RawClient::connect(&app).await;
        slow.send(SLOW_BODY).await;
        let (answer, waited) = timed(slow.answer()).await;
        answer.problem(503, "timeout");
        assert!(answer.header("retry-after").is_some());
        assert!((Duration::from_millis(900)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
        let mut keyed = RawClient::connect(&app).await;
        keyed.send(SLOW_BODY.replace("Host: x", "Host: x\r\nIdempotency-Key: k")).await;
        keyed.answer().await.problem(503, "timeout");
    }

    async fn a_client_that_stalls_in_its_head_is_cut(app: TestApp, "limits.header_timeout_s" = "1") {
        for begun in ["", "G", "GET /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut slow = RawClient::connect(&app).await;
            slow.send(begun).await;
            let (end, waited) = timed(slow.read_all()).await;
            let bytes = end.unwrap_or_else(|| panic!("still open after {begun:?}"));
            assert!(waited < Duration::from_secs(10), "{begun:?}: {waited:?}");
            assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&bytes));
        }
        assert_eq!(status(&app, "/health").await, 200);
    }

    async fn many_stalled_clients_keep_nobody_out(app: TestApp, "limits.header_timeout_s" = "30") {
        let mut stalled = Vec::new();
        for _ in 0..200 {
            let mut client = RawClient::connect(&app).await;
            client.send("GET /health HTTP/1.1\r\nHost:").await;
            stalled.push(client);
        }
        let (status, waited) = timed(status(&app, "/health")).await;
        assert_eq!(status, 200);
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }

    async fn garbage_does_not_end_the_listener(app: TestApp) {
        for garbage in [
            &b"\0\0\0\0\0\0\0\0\r\n\r\n"[..],
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, identity\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let mut client = RawClient::connect(&app).await;
            client.send(garbage).await;
            client.shut().await;
            let bytes = client.read_all().await.expect("the server hangs up");
            if let Some(answer) = crate::raw::parse(&bytes) {
                assert_eq!(answer.status, 400, "{answer:?}");
            }
            assert_eq!(status(&app, "/health").await, 200, "after {garbage:?}");
        }
    }

    async fn two_lengths_do_not_smuggle_a_request(app: TestApp) {
        let smuggled = concat!(
            "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n",
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        );
        let answer = exchange(&app, smuggled).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.body.contains("HTTP/1.1 200"), "{answer:?}");
    }

    async fn hashing_beyond_the_queue_is_shed(app: TestApp,
        "security.argon2_memory_kib" = "65536", "security.argon2_iterations" = "4", "security.hash_concurrency" = "1", "security.hash_queue" = "1", "limits.failures_free" = "100") {
        let body = json!({"email": "nobody@example.com", "password": "a guess"});
        let tries: Vec<_> = (0..12).map(|_| {
            tokio::spawn(app.request(Method::POST, "/api/v1/sessions", None).json(&body).send())
        }).collect();
        let reads = timed(app.request(Method::GET, "/.well-known/jwks.json", None).send()).await;
        assert_eq!(reads.0.unwrap().status(), 200, "reads go on while sign-ins flood");
        let mut shed = 0;
        for one in tries {
            let response = one.await.unwrap().unwrap();
            if response.status() == 503 {
                problem(response, 503, "overloaded").await;
                shed += 1;
            } else {
                problem(response, 401, "invalid_credentials").await;
            }
        }
        assert!((1..12).contains(&shed), "{shed}");
    }
}
