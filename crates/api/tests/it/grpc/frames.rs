//! Bytes that no client sends: the right status each time, and the listener lives.

use bytes::{BufMut, Bytes, BytesMut};
use denizen_proto::v1;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use prost::Message;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

use super::client::Rpc;
use crate::harness::{TestApp, on_both};
use crate::raw::RawClient;

const GET_USER: &str = "/denizen.v1.UserService/GetUser";
const NOBODY: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
const SIGN_IN: &str = "/denizen.v1.SessionService/SignIn";

/// A message with its prefix.
fn framed(flag: u8, announced: usize, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(announced).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

async fn send(channel: &Channel, path: &str, headers: &[(&'static str, &str)], body: Body) -> http::Response<Body> {
    let mut request = http::Request::post(path).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    channel.clone().ready().await.unwrap().call(request.body(body).unwrap()).await.unwrap()
}

/// The status of the answer, wherever it stands.
async fn status_of(response: http::Response<Body>) -> Status {
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    Status::from_header_map(&parts.headers).or_else(|| Status::from_header_map(&trailers)).expect("there is a status")
}

async fn check(
    app: &TestApp,
    channel: &Channel,
    path: &str,
    headers: &[(&'static str, &str)],
    bytes: Bytes,
    code: Code,
    reason: &str,
) {
    let response = send(channel, path, headers, Body::new(Full::new(bytes.clone()))).await;
    let status = status_of(response).await;
    let got = status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
    assert_eq!((status.code(), got.as_str()), (code, reason), "{path} {:?}: {status:?}", &bytes[..bytes.len().min(32)]);
    let health = Rpc::to(app).health().check(tonic_health::pb::HealthCheckRequest::default()).await;
    health.expect("the listener lives");
}

fn channel(app: &TestApp) -> Channel {
    Endpoint::from_shared(app.url.clone()).unwrap().connect_lazy()
}

on_both! {
    async fn malformed_messages_are_refused_and_break_nothing(app: TestApp) {
        let channel = channel(&app);
        let good = v1::GetUserRequest { id: NOBODY.into() }.encode_to_vec();
        let whole = framed(0, good.len(), &good);
        let unreadable = [
            Bytes::new(),
            Bytes::from_static(&[0]),
            Bytes::from_static(&[0, 0, 0, 0, 9]),
            framed(0, 100, &good),
            framed(2, good.len(), &good),
            framed(255, good.len(), &good),
            framed(1, good.len(), &good),
            framed(0, 3, &[0xff, 0xff, 0xff]),
            framed(0, 2, &[0x0a, 0x7f]),
            framed(0, 4, &[0x0a, 0x02, 0xff, 0xfe]),
            framed(0, 1_024, &[0x0b; 1_024]),
        ];
        for bytes in unreadable {
            check(&app, &channel, GET_USER, &[], bytes, Code::InvalidArgument, "unreadable_body").await;
        }
        let bomb = [("grpc-encoding", "gzip")];
        check(&app, &channel, GET_USER, &bomb, framed(1, good.len(), &good), Code::InvalidArgument, "unreadable_body").await;
        check(&app, &channel, GET_USER, &[("grpc-encoding", "br")], whole.clone(), Code::Unimplemented, "route_not_found").await;
        check(&app, &channel, GET_USER, &[], whole, Code::Unauthenticated, "unauthenticated").await;
    }

    async fn what_is_too_large_is_refused_packed_or_not(app: TestApp) {
        let channel = channel(&app);
        let large = v1::SignInRequest { email: "x".repeat(2_000_000), ..Default::default() }.encode_to_vec();
        check(&app, &channel, SIGN_IN, &[], framed(0, large.len(), &large), Code::ResourceExhausted, "body_too_large").await;
        check(&app, &channel, SIGN_IN, &[], framed(0, u32::MAX as usize, b"x"), Code::ResourceExhausted, "body_too_large").await;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut gzip, &large).unwrap();
        let bomb = gzip.finish().unwrap();
        assert!(bomb.len() < 10_000);
        check(&app, &channel, SIGN_IN, &[("grpc-encoding", "gzip")], framed(1, bomb.len(), &bomb), Code::ResourceExhausted, "body_too_large").await;
    }

    async fn what_is_no_method_is_unimplemented(app: TestApp) {
        let channel = channel(&app);
        let empty = framed(0, 0, &[]);
        for path in ["/denizen.v1.UserService/Nothing", "/denizen.v1.NothingService/GetUser", "/", "/nothing", "/denizen.v1.UserService", "/denizen.v2.UserService/GetUser"] {
            check(&app, &channel, path, &[], empty.clone(), Code::Unimplemented, "route_not_found").await;
        }
        let web = [("content-type", "application/grpc-web+proto")];
        check(&app, &channel, "/denizen.v1.NothingService/GetUser", &web, empty.clone(), Code::Unimplemented, "route_not_found").await;
        // A route of REST is no method.
        let rest = send(&channel, "/api/v1/users", &[], Body::new(Full::new(empty))).await;
        assert_eq!(status_of(rest).await.code(), Code::InvalidArgument);
    }

    async fn credentials_in_trailers_do_not_count(app: TestApp) {
        let user = app.user().await;
        let message = v1::GetUserRequest { id: user.id.clone() }.encode_to_vec();
        let mut trailers = HeaderMap::new();
        trailers.insert("authorization", format!("Bearer {}", user.token).parse::<HeaderValue>().unwrap());
        trailers.insert("grpc-status", HeaderValue::from_static("99"));
        let frames = [Ok::<_, Status>(Frame::data(framed(0, message.len(), &message))), Ok(Frame::trailers(trailers))];
        let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
        let status = status_of(send(&channel(&app), GET_USER, &[], body).await).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    }

    async fn what_is_no_call_does_not_reach_a_method(app: TestApp) {
        for (method, kind) in [("GET", "application/grpc"), ("POST", "application/json"), ("POST", "text/plain"), ("PUT", "application/grpc-web")] {
            let request = app.client.request(method.parse().unwrap(), format!("{}{GET_USER}", app.url));
            let response = request.header("content-type", kind).body("{}").send().await.unwrap();
            crate::harness::problem(response, 415, "unsupported_media_type").await;
        }
    }

    async fn a_head_that_is_too_large_is_refused(app: TestApp) {
        let channel = channel(&app);
        let large = "x".repeat(10_000);
        let headers = [("x-one", large.as_str()), ("x-two", large.as_str())];
        let request = http::Request::post(GET_USER).header("content-type", "application/grpc");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = channel.clone().ready().await.unwrap().call(request.body(Body::empty()).unwrap()).await;
        // The connection refuses what is beyond its bound before it becomes a request.
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 431));
        Rpc::to(&app).health().check(tonic_health::pb::HealthCheckRequest::default()).await.expect("the listener lives");
    }

    async fn bytes_below_grpc_end_their_connection_and_no_other(app: TestApp, "limits.header_timeout_s" = "2") {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for garbage in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            // Settings that are no multiple of six; data on no stream; a head that is no HPACK; a frame of 16 MiB.
            b"\0\0\x05\x04\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0x",
            b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x01\x04\0\0\0\x01\xff\xff\xff\xff",
            b"\xff\xff\xff\x04\0\0\0\0\0",
        ] {
            let mut client = RawClient::connect(&app).await;
            client.send([PREFACE, garbage].concat()).await;
            assert!(client.read_all().await.is_some(), "the connection ends: {garbage:?}");
            let health = Rpc::to(&app).health().check(tonic_health::pb::HealthCheckRequest::default()).await;
            health.expect("the listener lives");
        }
    }
}
