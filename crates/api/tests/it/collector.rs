//! An OpenTelemetry collector: receives spans over gRPC and over HTTP, and keeps them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// A collector on a port of its own.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) url: String,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    /// The resource of the last export.
    resource: Vec<KeyValue>,
    /// Header `api-key` of the last export.
    api_key: Option<String>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, received: Arc::default() };
        let grpc = Routes::new(TraceServiceServer::new(collector.clone())).into_axum_router();
        let http = Router::new().route("/v1/traces", post(over_http)).with_state(collector.clone());
        let router = grpc.reset_fallback().merge(http);
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// The spans of a trace, by its id in hexadecimal.
    pub(crate) fn trace(&self, id: &str) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        received.spans.iter().filter(|span| hex(&span.trace_id) == id).cloned().collect()
    }

    /// An attribute of the process that sent the spans.
    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        text(&self.received.lock().unwrap().resource, key)
    }

    pub(crate) fn api_key(&self) -> Option<String> {
        self.received.lock().unwrap().api_key.clone()
    }

    fn take(&self, request: ExportTraceServiceRequest, api_key: Option<String>) {
        let mut received = self.received.lock().unwrap();
        received.api_key = api_key;
        for spans in request.resource_spans {
            received.resource = spans.resource.unwrap_or_default().attributes;
            received.spans.extend(spans.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let api_key = request.metadata().get("api-key").map(|value| value.to_str().unwrap().to_owned());
        self.take(request.into_inner(), api_key);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn over_http(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let api_key = headers.get("api-key").map(|value| value.to_str().unwrap().to_owned());
    collector.take(ExportTraceServiceRequest::decode(body).unwrap(), api_key);
    (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
}

/// A text attribute.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref().and_then(|AnyValue { value }| value.as_ref())? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
