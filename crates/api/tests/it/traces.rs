//! Traces: one request is one trace, from its caller to what it causes later.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::collector::{Collector, hex, text};
use crate::grpc::Rpc;
use crate::harness::{PASSWORD, World, eventually, on_both};
use crate::process::{Process, run_on};
use crate::webhook_sinks::{Mood, Sink};

const WITHIN: Duration = Duration::from_secs(30);
const CALLER: &str = "b7ad6b7169203331";

/// The header of a caller whose trace has this id.
fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>()))
}

fn attribute(span: &Span, key: &str) -> String {
    text(&span.attributes, key).unwrap_or_default()
}

/// An administrator's token.
async fn admin(world: &World, process: &Process) -> String {
    let arguments =
        ["users", "create", "--email", "root@example.com", "--name", "Root", "--role", "admin", "--password-stdin"];
    assert_eq!(run_on(world, &[], &arguments, PASSWORD).await.code, 0);
    process.token("root@example.com", PASSWORD).await.unwrap()
}

on_both! {
    async fn one_request_is_one_trace(world: World) {
        let (collector, sink) = (Collector::start().await, Sink::that(Mood::Answer(200, "ok")).await);
        let process = Process::start(&world, &[
            ("telemetry.otlp_endpoint", &collector.url),
            ("telemetry.otlp_headers", "api-key=secret"),
            ("telemetry.service_name", "accounts"),
            ("webhooks.allowed_hosts", "127.0.0.1"),
        ]).await;
        let token = admin(&world, &process).await;
        let hook = json!({"url": sink.url, "types": ["user.updated"]});
        let made = process.request(Method::POST, "/api/v1/webhooks", Some(&token)).json(&hook).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let me: Value = process.request(Method::GET, "/api/v1/me", Some(&token)).send().await.unwrap().json().await.unwrap();
        let id = me["id"].as_str().unwrap();

        let trace = "0af7651916cd43dd8448eb211c80319c";
        let request = process.request(Method::PATCH, &format!("/api/v1/users/{id}"), Some(&token));
        let request = request.header("traceparent", traceparent(trace)).header("tracestate", "vendor=value");
        let request = request.header("content-type", "application/merge-patch+json").body(r#"{"name": "Renamed"}"#);
        assert_eq!(request.send().await.unwrap().status(), 200);
        eventually("the webhook is called", WITHIN, async || !sink.came().is_empty()).await;
        let has = |name: &str| collector.trace(trace).iter().any(|span| span.name == name);
        eventually("the spans arrive", WITHIN, async || has("webhook.deliver") && has("PATCH /api/v1/users/{id}")).await;

        let spans = collector.trace(trace);
        let server = named(&spans, "PATCH /api/v1/users/{id}");
        assert_eq!(hex(&server.parent_span_id), CALLER);
        assert_eq!(server.kind, SpanKind::Server as i32);
        assert_eq!(server.trace_state, "vendor=value");
        for (key, value) in [
            ("http.request.method", "PATCH"),
            ("http.route", "/api/v1/users/{id}"),
            ("http.response.status_code", "200"),
            ("client.address", "127.0.0.1"),
            ("user.id", id),
        ] {
            assert_eq!(attribute(server, key), value, "{key}");
        }
        let system = if world.sqlite_file().is_some() { "sqlite" } else { "postgresql" };
        let statement = named(&spans, "update_user");
        assert_eq!(statement.parent_span_id, server.span_id);
        assert_eq!(attribute(statement, "db.system.name"), system);
        let delivery = named(&spans, "webhook.deliver");
        assert_eq!(delivery.parent_span_id, server.span_id);
        let call = spans.iter().find(|span| span.parent_span_id == delivery.span_id && span.name == "POST").unwrap();
        assert_eq!(call.kind, SpanKind::Client as i32);
        assert_eq!(attribute(call, "server.address"), "127.0.0.1");
        // The receiver goes on with it.
        assert_eq!(sink.came()[0].header("traceparent"), format!("00-{trace}-{}-01", hex(&call.span_id)));
        assert_eq!(collector.resource("service.name").as_deref(), Some("accounts"));
        assert_eq!(collector.api_key().as_deref(), Some("secret"));
        assert!(!format!("{spans:?}").contains("in-the-address"), "a secret URL is in a span");
    }

    async fn calls_and_mail_are_traced_over_http(world: World) {
        let collector = Collector::start().await;
        let settings = [("telemetry.otlp_endpoint", &*collector.url), ("telemetry.otlp_protocol", "http")];
        let process = Process::start(&world, &settings).await;
        let token = admin(&world, &process).await;

        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let mut request = tonic::Request::new(denizen_proto::v1::GetMeRequest::default());
        request.metadata_mut().insert("traceparent", traceparent(trace).parse().unwrap());
        Rpc::at(&process.url).by(&token).users().get_me(request).await.unwrap();
        let mailed = "5bf92f3577b34da6a3ce929d0e0e4736";
        let body = json!({"email": "root@example.com"});
        let reset = process.request(Method::POST, "/api/v1/password-resets", None).json(&body);
        assert_eq!(reset.header("traceparent", traceparent(mailed)).send().await.unwrap().status(), 202);

        let has = |trace: &str, name: &str| collector.trace(trace).iter().any(|span| span.name == name);
        eventually("the call arrives", WITHIN, async || has(trace, "denizen.v1.UserService/GetMe")).await;
        eventually("the mail arrives", WITHIN, async || has(mailed, "mail.deliver")).await;
        let spans = collector.trace(trace);
        let call = named(&spans, "denizen.v1.UserService/GetMe");
        assert_eq!(hex(&call.parent_span_id), CALLER);
        for (key, value) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "denizen.v1.UserService/GetMe"),
            ("rpc.response.status_code", "OK"),
        ] {
            assert_eq!(attribute(call, key), value, "{key}");
        }
    }

    async fn a_trace_that_its_caller_does_not_record_is_not_recorded(world: World) {
        let collector = Collector::start().await;
        let process = Process::start(&world, &[("telemetry.otlp_endpoint", &collector.url)]).await;
        let ask = async |header: &str| {
            let request = process.request(Method::GET, "/api/v1/me", None).header("traceparent", header);
            assert_eq!(request.send().await.unwrap().status(), 401);
        };
        let (unrecorded, recorded) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c");
        ask(&format!("00-{unrecorded}-{CALLER}-00")).await;
        ask(&format!("00-{recorded}-{CALLER}-01")).await;
        eventually("the other trace arrives", WITHIN, async || !collector.trace(recorded).is_empty()).await;
        assert_eq!(collector.trace(unrecorded), []);
    }

    async fn a_collector_that_does_not_answer_holds_up_nothing(world: World) {
        // Accepts connections, and never reads.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let process = Process::start(&world, &[("telemetry.otlp_endpoint", &url)]).await;
        for _ in 0..200 {
            assert_eq!(process.status("/health/live", None).await, 200);
        }
        process.terminate().await;
        assert!(process.ended(Duration::from_secs(20)).await.success());
    }

    async fn a_collector_that_is_away_is_reported_once(world: World) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = [("telemetry.otlp_endpoint", &*format!("http://127.0.0.1:{port}"))];
        let process = Process::start(&world, &settings).await;
        let reports = || process.log().matches("exporting traces failed").count();
        assert_eq!(process.status("/api/v1/me", None).await, 401);
        eventually("the failure is reported", WITHIN, async || reports() == 1).await;
    }
}
