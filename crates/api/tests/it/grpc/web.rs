//! gRPC-web, byte by byte: binary and text, over HTTP/1.1, from pages of other origins.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_proto::v1;
use denizen_proto::v1::watch_response::Told;
use prost::Message;
use reqwest::{Body, Method, RequestBuilder, Response};

use crate::harness::{PASSWORD, TestApp, on_both, timed};

fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend(bytes);
    frame
}

/// The messages and the trailers of a body.
fn parted(mut body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let (mut messages, mut trailers) = (Vec::new(), String::new());
    while body.len() >= 5 {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let payload = &body[5..5 + length];
        if body[0] & 0x80 == 0 {
            messages.push(payload.to_vec());
        } else {
            trailers.push_str(std::str::from_utf8(payload).unwrap());
        }
        body = &body[5 + length..];
    }
    (messages, trailers)
}

async fn send(app: &TestApp, method: &str, kind: &str, token: Option<&str>, body: Vec<u8>) -> Response {
    to(app, method, kind, token).body(body).send().await.unwrap()
}

fn to(app: &TestApp, method: &str, kind: &str, token: Option<&str>) -> RequestBuilder {
    let request = app.request(Method::POST, &format!("/denizen.v1.{method}"), token);
    let request =
        request.header("content-type", kind).header("x-grpc-web", "1").header("origin", "https://app.example.com");
    request.header("accept", kind)
}

/// The `grpc-status` of an answer, in its headers or in its trailers.
async fn status_of(response: Response) -> String {
    let header = response.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
    let (_, trailers) = parted(&response.bytes().await.unwrap());
    let trailer = trailers.lines().find_map(|line| line.strip_prefix("grpc-status:")).map(str::to_owned);
    header.or(trailer).expect("there is a status")
}

on_both! {
    async fn a_page_signs_in_and_reads(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        let admin = app.admin().await;
        let ask = v1::SignInRequest { email: admin.email.clone(), password: PASSWORD.into(), ..Default::default() };
        let response = send(&app, "SessionService/SignIn", "application/grpc-web+proto", None, framed(&ask)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
        let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap().to_lowercase();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        let body = response.bytes().await.unwrap();
        let (messages, trailers) = parted(&body);
        assert!(trailers.contains("grpc-status:0"), "{trailers}");
        let signed_in = v1::SignInResponse::decode(messages[0].as_slice()).unwrap();
        let token = signed_in.tokens.unwrap().access_token;

        let text = "application/grpc-web-text+proto";
        let packed = STANDARD.encode(framed(&v1::ExportUsersRequest {})).into_bytes();
        let response = send(&app, "UserService/ExportUsers", text, Some(&token), packed).await;
        assert_eq!(response.headers()["content-type"], text);
        let body = response.text().await.unwrap();
        // Each chunk is padded by itself.
        let unpacked: Vec<u8> = body.as_bytes().chunks(4).flat_map(|part| STANDARD.decode(part).unwrap()).collect();
        let (messages, trailers) = parted(&unpacked);
        assert!(trailers.contains("grpc-status:0"), "{trailers}");
        let users = v1::ExportUsersResponse::decode(messages[0].as_slice()).unwrap().users;
        assert_eq!(users[0].id, admin.id);
    }

    async fn a_refusal_reaches_the_page(app: TestApp, "server.cors_origins" = "https://app.example.com", "limits.address_per_second" = "1", "limits.address_burst" = "3") {
        let ask = framed(&v1::GetMeRequest {});
        let mut seen = Vec::new();
        for _ in 0..8 {
            let response = send(&app, "UserService/GetMe", "application/grpc-web", Some("forged"), ask.clone()).await;
            assert_eq!(response.status(), 200, "over gRPC-web too the status is in the trailers");
            assert!(response.headers().contains_key("access-control-allow-origin"));
            seen.push(status_of(response).await);
        }
        assert_eq!(seen[0], "16", "by the method");
        assert_eq!(seen[7], "8", "by the budget: {seen:?}");
    }

    async fn a_deadline_gives_up_what_waits(app: TestApp, "security.hash_concurrency" = "1", "security.argon2_memory_kib" = "65536", "security.argon2_iterations" = "10") {
        // Not by the generated client: that one looks at the time itself.
        let kind = "application/grpc-web+proto";
        let ask = v1::SignInRequest { email: "a@example.com".into(), password: PASSWORD.into(), ..Default::default() };
        let sign_in = async |timeout: &str| {
            let request = to(&app, "SessionService/SignIn", kind, None).header("grpc-timeout", timeout);
            status_of(request.body(framed(&ask)).send().await.unwrap()).await
        };
        assert_eq!(sign_in("10m").await, "4");
        assert_eq!(sign_in("soon").await, "3");
        assert_eq!(sign_in("60S").await, "16", "what was given up holds no place in the queue");

        let admin = app.admin().await;
        let silent = tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let importing = to(&app, "UserService/ImportUsers", kind, Some(&admin.token)).header("grpc-timeout", "200m");
        let (answer, waited) = timed(importing.body(Body::wrap_stream(silent)).send()).await;
        assert_eq!(status_of(answer.unwrap()).await, "4");
        assert!(waited < Duration::from_secs(20), "{waited:?}");
    }

    async fn a_page_follows_until_its_time_is_over(app: TestApp) {
        let admin = app.admin().await;
        for (kind, is_text) in [("application/grpc-web+proto", false), ("application/grpc-web-text+proto", true)] {
            let ask = framed(&v1::WatchRequest::default());
            let ask = if is_text { STANDARD.encode(ask).into_bytes() } else { ask };
            let request = to(&app, "EventService/Watch", kind, Some(&admin.token)).header("grpc-timeout", "2S");
            let (made, body) = tokio::join!(app.user(), async {
                request.body(ask).send().await.unwrap().bytes().await.unwrap()
            });
            let unpack = |part: &[u8]| STANDARD.decode(part).unwrap();
            let body = if is_text { body.chunks(4).flat_map(unpack).collect() } else { body.to_vec() };
            let (messages, trailers) = parted(&body);
            assert!(trailers.contains("grpc-status:4") && trailers.contains("grpc-status-details-bin"), "{trailers}");
            let told = messages.iter().map(|message| v1::WatchResponse::decode(message.as_slice()).unwrap().told.unwrap());
            // Whether the user came before the stream or after it is not said.
            assert!(told.clone().any(|told| matches!(told, Told::Heartbeat(beat) if beat.caught_up)), "{kind}");
            let mut events = told.filter_map(|told| if let Told::Event(event) = told { Some(event) } else { None });
            assert!(events.all(|event| event.subject.as_ref() == Some(&made.id)), "{kind}");
        }
    }

    async fn other_origins_may_not(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        let preflight = async |origin: &str| {
            let request = app.request(Method::OPTIONS, "/denizen.v1.UserService/GetUser", None).header("origin", origin);
            let request = request.header("access-control-request-method", "POST");
            request.header("access-control-request-headers", "content-type,x-grpc-web,authorization,grpc-timeout").send().await.unwrap()
        };
        let ours = preflight("https://app.example.com").await;
        assert_eq!(ours.headers()["access-control-allow-origin"], "https://app.example.com");
        let allowed = ours.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
        for name in ["x-grpc-web", "authorization", "content-type", "grpc-timeout"] {
            assert!(allowed.contains(name), "{allowed}");
        }
        assert!(!preflight("https://evil.example.com").await.headers().contains_key("access-control-allow-origin"));
    }

    async fn broken_pages_break_nothing(app: TestApp) {
        for (kind, body) in [
            ("application/grpc-web", &b""[..]),
            ("application/grpc-web", b"\0\0\0\0\xffx"),
            ("application/grpc-web", b"\x80\0\0\0\x03a:b"),
            ("application/grpc-web-text", b"!!! not base64 !!!"),
            ("application/grpc-web-text", b"AAAAAAA"),
        ] {
            let response = send(&app, "UserService/GetMe", kind, None, body.to_vec()).await;
            let header = response.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
            let bytes = response.bytes().await.unwrap();
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let code = header.unwrap_or_else(|| shown.clone());
            assert!(code == "3" || code == "16" || shown.contains("grpc-status:3") || kind.contains("text"), "{kind} {body:?}: {code} {shown}");
            assert_eq!(app.request(Method::GET, "/health", None).send().await.unwrap().status(), 200);
        }
    }
}
