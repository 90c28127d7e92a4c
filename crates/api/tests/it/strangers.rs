//! What one address may take of the server: connections, streams, unfinished requests, memory. It keeps no other out.
//!
//! The attacker connects from 127.0.0.2, everybody else from 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{PASSWORD, TestApp, eventually, on_both, problem, timed};
use crate::process::Process;

pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// The first bytes of HTTP/2: the preface and empty settings (RFC 9113 §3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

pub(crate) async fn connect(url: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((ATTACKER, 0)))?;
    socket.connect(address(url)).await
}

/// Idle connections of HTTP/2; those that the server closes again are kept too.
async fn idle(url: &str, count: usize) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut stream = connect(url).await.unwrap();
        let _ = stream.write_all(HTTP2).await;
        idle.push(stream);
    }
    idle
}

/// A connection over HTTP/2 whose streams have a window of so many bytes.
pub(crate) async fn http2(url: &str, window: u32) -> SendRequest<Bytes> {
    let stream = connect(url).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (sender, connection) = builder.initial_window_size(window).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Requests of which the server gets the head and some of the body, as long as it takes any.
pub(crate) async fn half_sent(
    url: &str,
    (connections, streams): (usize, usize),
    (path, kind): (&str, &str),
    body: &Bytes,
) -> Vec<(SendRequest<Bytes>, Vec<(ResponseFuture, SendStream<Bytes>)>)> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut sender = http2(url, 65_535).await;
        let mut begun = Vec::new();
        for _ in 0..streams {
            let Ok(Ok(mut ready)) = timeout(Duration::from_secs(2), sender.clone().ready()).await else { break };
            let request = Request::post(format!("{url}{path}")).header("content-type", kind).body(()).unwrap();
            let Ok((answer, mut stream)) = ready.send_request(request, false) else { break };
            let _ = stream.send_data(body.clone(), false);
            begun.push((answer, stream));
            sender = ready;
        }
        open.push((sender, begun));
    }
    open
}

/// Others sign up, sign in, refresh and read while an attack goes on.
pub(crate) async fn others_are_served(app: &TestApp) {
    let (user, waited) = timed(timeout(SOON, app.user())).await;
    let user = user.expect("others sign up and in");
    assert_eq!(app.me_status(&user.token).await, 200);
    let refreshed =
        app.post("/api/v1/sessions/refresh", &serde_json::json!({"refresh_token": user.refresh_token})).await;
    assert_eq!(refreshed.status(), StatusCode::OK);
    assert!(waited < SOON, "{waited:?}");
}

on_both! {
    async fn idle_connections_of_one_address_keep_nobody_out(app: TestApp, "limits.connections" = "40") {
        let _idle = idle(&app.url, 60).await;
        others_are_served(&app).await;
    }

    async fn idle_connections_make_room_when_all_are_taken(app: TestApp, "limits.connections" = "12", "limits.address_connections" = "12") {
        let _idle = idle(&app.url, 12).await;
        others_are_served(&app).await;
        let mut silent = Vec::new();
        for begun in ["", "GET /health HTTP/1.1\r\nHost:", "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"].repeat(4) {
            let mut stream = connect(&app.url).await.unwrap();
            let _ = stream.write_all(begun.as_bytes()).await;
            silent.push(stream);
        }
        others_are_served(&app).await;
    }

    async fn health_is_answered_when_every_connection_is_in_use(app: TestApp, "limits.connections" = "2", "limits.address_connections" = "2") {
        let user = app.user().await;
        let mut followers = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(&app.url).await.unwrap();
            let request = format!("GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", user.token);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut begun = [0; 12];
            stream.read_exact(&mut begun).await.unwrap();
            assert_eq!(&begun, b"HTTP/1.1 200");
            followers.push(stream);
        }
        let _idle = idle(&app.url, 50).await;
        let get = async |path: &str| {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            client.get(format!("{}{path}", app.url)).send().await
        };
        assert_eq!(get("/health/ready").await.unwrap().status(), 200);
        problem(get("/.well-known/jwks.json").await.unwrap(), 503, "overloaded").await;
        assert_eq!(get("/health/live").await.unwrap().status(), 200);
        drop(followers);
        eventually("the connections are free again", SOON, async || {
            get("/.well-known/jwks.json").await.is_ok_and(|response| response.status() == 200)
        }).await;
    }

    async fn half_sent_requests_take_no_place_from_others(app: TestApp, "limits.concurrent_requests" = "32") {
        let half = Bytes::from_static(b"{\"email\":");
        let rest = half_sent(&app.url, (5, 100), ("/api/v1/users", "application/json"), &half).await;
        others_are_served(&app).await;
        drop(rest);
        let half = Bytes::from_static(b"\0\0\0\0\x20abc");
        for path in ["/denizen.v1.SessionService/SignIn", "/grpc.health.v1.Health/Check", "/denizen.v1.EventService/Follow"] {
            let rest = half_sent(&app.url, (2, 100), (path, "application/grpc"), &half).await;
            others_are_served(&app).await;
            drop(rest);
        }
        let mut slow = Vec::new();
        for _ in 0..64 {
            let mut stream = connect(&app.url).await.unwrap();
            stream.write_all(b"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
            slow.push(stream);
        }
        others_are_served(&app).await;
    }

    async fn a_body_that_arrives_too_slowly_is_refused(app: TestApp, "limits.header_timeout_s" = "1") {
        let mut slow = crate::raw::RawClient::connect(&app).await;
        slow.send("POST /api/v1/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{").await;
        slow.answer().await.problem(408, "body_timeout");
        let half = Bytes::from_static(b"{");
        let mut begun = half_sent(&app.url, (1, 1), ("/api/v1/users", "application/json"), &half).await;
        let (answer, _stream) = begun[0].1.pop().unwrap();
        assert_eq!(timeout(SOON, answer).await.unwrap().unwrap().status(), 408);
        let half = Bytes::from_static(b"\0\0\0\0\x20abc");
        let mut begun = half_sent(&app.url, (1, 1), ("/denizen.v1.SessionService/SignIn", "application/grpc"), &half).await;
        let (answer, _stream) = begun[0].1.pop().unwrap();
        let answer = timeout(SOON, answer).await.unwrap().unwrap();
        assert_eq!(answer.headers()["grpc-status"], (tonic::Code::DeadlineExceeded as i32).to_string());
    }

    async fn an_address_has_so_many_requests_under_way(app: TestApp, "limits.address_requests" = "3") {
        let half = Bytes::from_static(b"{");
        let mut begun = half_sent(&app.url, (1, 4), ("/api/v1/users", "application/json"), &half).await;
        let (answers, streams): (Vec<_>, Vec<_>) = begun[0].1.drain(..).unzip();
        let (answer, _, rest) = timeout(SOON, futures_util::future::select_all(answers)).await.unwrap();
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "1");
        others_are_served(&app).await;
        drop((rest, streams));
        let again = reqwest::Client::builder().no_proxy().local_address(std::net::IpAddr::from(ATTACKER)).build().unwrap();
        eventually("those that ended count no more", SOON, async || {
            again.get(format!("{}/.well-known/jwks.json", app.url)).send().await.unwrap().status() == 200
        }).await;
    }

    async fn a_limit_of_open_files_keeps_nobody_out(world: World) {
        let server = Process::start_with_open_files(&world, 160).await;
        let mut idle = Vec::new();
        for _ in 0..300 {
            if let Ok(stream) = connect(&server.url).await {
                idle.push(stream);
            }
        }
        let answer = timeout(SOON, server.status("/.well-known/jwks.json", None)).await;
        assert_eq!(answer.expect("others are accepted"), 200);
        let made = timeout(SOON, server.sign_up(&world.fresh_email())).await.expect("others are served");
        assert_eq!(made.unwrap().status(), StatusCode::CREATED);
    }

    async fn stalled_responses_cost_no_memory(world: World) {
        let server = Process::start(&world, &[("limits.address_requests", "2000")]).await;
        assert_eq!(server.status("/docs/", None).await, 200);
        let before = server.resident_bytes();
        let mut stalled = Vec::new();
        for (encoding, path) in [("br", "/docs/swagger-ui-bundle.js"), ("zstd", "/docs/swagger-ui-bundle.js"), ("gzip", "/api/v1/openapi.json")].repeat(4) {
            let sender = http2(&server.url, 1).await;
            for _ in 0..100 {
                let mut sender = sender.clone().ready().await.unwrap();
                let request = Request::get(format!("{}{path}", server.url)).header("accept-encoding", encoding).body(()).unwrap();
                let (answer, _) = sender.send_request(request, true).unwrap();
                let answer = timeout(SOON, answer).await.unwrap().unwrap();
                assert_eq!(answer.status(), 200);
                stalled.push(answer);
            }
        }
        let (status, waited) = timed(server.status("/.well-known/jwks.json", None)).await;
        let grown = server.resident_bytes().saturating_sub(before);
        eprintln!("{} stalled responses: {} KiB more, others are answered in {waited:?}", stalled.len(), grown / 1024);
        assert_eq!(status, 200);
        assert!(grown < 96 * 1024 * 1024, "{grown} bytes for {} stalled responses", stalled.len());
    }

    async fn half_sent_bodies_cost_bounded_memory(world: World) {
        let server = Process::start(&world, &[]).await;
        let email = world.fresh_email();
        assert_eq!(server.sign_up(&email).await.unwrap().status(), StatusCode::CREATED);
        let before = server.resident_bytes();
        let half = Bytes::from(vec![b' '; 60_000]);
        let begun = half_sent(&server.url, (20, 100), ("/api/v1/users", "application/json"), &half).await;
        let body = serde_json::json!({"email": email, "password": PASSWORD});
        let sign_in = server.request(Method::POST, "/api/v1/sessions", None).json(&body).send();
        let (answer, waited) = timed(timeout(SOON, sign_in)).await;
        let grown = server.resident_bytes().saturating_sub(before);
        eprintln!("{} connections of half-sent bodies: {} KiB more, a sign-in takes {waited:?}", begun.len(), grown / 1024);
        assert_eq!(answer.expect("others sign in").unwrap().status(), StatusCode::CREATED);
        assert!(grown < 128 * 1024 * 1024, "{grown} bytes");
    }

    async fn static_files_are_compressed_when_they_are_built(app: TestApp) {
        let get = async |accept: &str, tag: Option<&str>| {
            let request = app.request(Method::GET, "/docs/swagger-ui-bundle.js", None).header("accept-encoding", accept);
            let request = match tag {
                Some(tag) => request.header("if-none-match", tag),
                None => request,
            };
            request.send().await.unwrap()
        };
        let plain = get("identity", None).await;
        assert!(!plain.headers().contains_key("content-encoding"));
        let plain = plain.bytes().await.unwrap();
        let mut tags = std::collections::BTreeSet::new();
        for (accept, expected) in [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")] {
            let response = get(accept, None).await;
            assert_eq!(response.headers()["content-encoding"], expected);
            assert_eq!(response.headers()["vary"], "accept-encoding");
            assert!(response.headers().contains_key("cache-control"));
            let tag = response.headers()["etag"].to_str().unwrap().to_owned();
            let again = get(accept, Some(&tag)).await;
            assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag.parse().unwrap()));
            tags.insert(tag);
            let bytes = response.bytes().await.unwrap();
            assert!(bytes.len() * 3 < plain.len());
            if expected == "gzip" {
                let mut text = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
                assert!(text == plain);
            }
        }
        assert_eq!(tags.len(), 2, "each encoding has an entity tag of its own");
    }
}
