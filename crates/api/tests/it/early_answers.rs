//! Answers to requests whose body has not come yet: the connection goes on, or says that it ends.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Db, PASSWORD, TestApp};
use crate::raw::{RawClient, parse};

const ME: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// Heads of requests that are refused before their bodies are read, and the status of the refusal.
const REFUSED: [(&str, u16); 5] = [
    ("POST /nothing HTTP/1.1\r\nHost: x\r\n", 404),
    ("POST /health HTTP/1.1\r\nHost: x\r\n", 405),
    ("POST /api/v1/users/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n", 401),
    ("POST /api/v1/users?unknown=1 HTTP/1.1\r\nHost: x\r\n", 400),
    ("POST /denizen.v1.UserService/Get HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n", 415),
];

#[tokio::test]
async fn an_answer_before_the_body_closes_the_connection() {
    let app = TestApp::start(Db::Sqlite).await;
    for (head, status) in REFUSED {
        for framing in [
            "Content-Length: 5\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        ] {
            let mut client = RawClient::connect(&app).await;
            client.send(format!("{head}{framing}")).await;
            let answer = timeout(Duration::from_secs(5), client.answer()).await.expect("the connection is closed");
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{head}{framing}");
        }
    }
}

#[tokio::test]
async fn a_request_after_a_refused_one_is_served_on_the_same_connection() {
    let app = TestApp::start(Db::Sqlite).await;
    for (head, status) in REFUSED {
        for body in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
            let mut client = RawClient::connect(&app).await;
            client.send(format!("{head}{body}{ME}")).await;
            client.send(ME.replace("Host: x", "Host: x\r\nConnection: close")).await;
            let bytes = client.read_all().await.expect("the connection is closed in the end");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let statuses: Vec<_> = text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect();
            assert_eq!(statuses, [status.to_string(), "200".to_owned(), "200".to_owned()], "{head}{body}");
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_gets_its_answer() {
    let app = TestApp::start(Db::Sqlite).await;
    let mut client = RawClient::connect(&app).await;
    client.send("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n").await;
    for _ in 0..90 {
        client.send(vec![b'a'; 10_000]).await;
    }
    let bytes = client.read_all().await.expect("the connection is closed");
    let answer = parse(&bytes).expect("an answer, and not a reset");
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
}

#[tokio::test]
async fn a_body_that_was_read_leaves_the_connection_open() {
    let app = TestApp::start(Db::Sqlite).await;
    let body = json!({"email": "nobody@example.com", "password": PASSWORD});
    let client = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
    for _ in 0..3 {
        let answer = client.post(format!("{}/api/v1/sessions", app.url)).json(&body).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("connection")), (401, None));
    }
}

#[tokio::test]
async fn no_encoding_that_is_acceptable_means_none() {
    let app = TestApp::start(Db::Sqlite).await;
    for (at, accept) in ["identity;q=0", "*;q=0", "identity;q=0, *;q=0", "gzip;q=0, identity;q=0"].iter().enumerate() {
        let body = json!({"email": format!("a{at}@example.com"), "password": PASSWORD, "name": "A", "attributes": {"a": "x".repeat(2000)}});
        let request = app.request(Method::POST, "/api/v1/users", None).header("accept-encoding", *accept);
        let response = request.json(&body).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers().get("content-encoding")), (201, None), "{accept}");
        for path in ["/docs/", "/api/v1/openapi.json", "/.well-known/jwks.json", "/account/page.js"] {
            let response =
                app.request(Method::GET, path, None).header("accept-encoding", *accept).send().await.unwrap();
            assert_eq!((response.status().as_u16(), response.headers().get("content-encoding")), (200, None), "{path}");
        }
    }
}

#[tokio::test]
async fn the_document_has_the_answers_of_every_route() {
    let app = TestApp::start(Db::Sqlite).await;
    let document: serde_json::Value = app.json("/api/v1/openapi.json", "").await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(_, operation)| operation.is_object()) {
            assert!(operation["responses"]["431"].is_object(), "{method} {path}");
        }
    }
    let live = &document["paths"]["/health/live"]["get"]["responses"]["200"];
    assert!(live["content"]["application/json"]["schema"].is_object(), "{live}");
    let long = "x".repeat(17 * 1024);
    for path in ["/health", "/health/live", "/.well-known/jwks.json", "/api/v1/me", "/oauth2/token"] {
        let response = app.request(Method::GET, path, None).header("x-long", &long).send().await.unwrap();
        assert_eq!(response.status(), 431, "{path}");
    }
}
