//! The export of traces to an OpenTelemetry collector (OTLP 1.x, over gRPC or HTTP).
//!
//! Ended spans go through a bounded queue to a thread that exports them in batches. What does not fit is dropped: no request
//! waits for the collector.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, Sampler, SdkTracer, SdkTracerProvider, SpanData};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::outside::tls_of;
use crate::tracing_context;

/// How long an export may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of the process waits for spans that are still queued.
const FLUSH_PATIENCE: Duration = Duration::from_secs(3);

/// How spans are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protocol Buffers over HTTP.
    Http,
}

/// Where and how spans are sent.
#[derive(Debug)]
pub struct Settings {
    /// The URL of the collector.
    pub endpoint: String,
    /// The protocol.
    pub protocol: OtlpProtocol,
    /// Headers that every request has, `name=value` with commas in between, as in `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Option<SecretString>,
    /// The name of the service in traces (`service.name`).
    pub service_name: String,
    /// The version of the service (`service.version`).
    pub version: &'static str,
    /// The share of the traces that start here that are recorded, in percent.
    pub sampled_percent: u32,
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The headers are not a list of names and values.
    #[error("headers must be NAME=VALUE, with commas in between")]
    Headers,
    /// TLS cannot be set up.
    #[error("setting up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The exporter cannot be built.
    #[error(transparent)]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// A running exporter. Dropping it exports what is queued, for a few seconds at most.
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts it. Nothing is connected before the first span is exported. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// As [`OtlpError`] lists them.
    pub fn start(settings: Settings) -> Result<Self, OtlpError> {
        let headers = headers_of(settings.headers.as_ref())?;
        let exporter = match settings.protocol {
            OtlpProtocol::Grpc => over_grpc(&settings.endpoint, headers)?,
            OtlpProtocol::Http => over_http(&settings.endpoint, headers)?,
        };
        let share = f64::from(settings.sampled_percent) / 100.0;
        let resource = Resource::builder()
            .with_service_name(settings.service_name)
            .with_attribute(KeyValue::new("service.version", settings.version))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Reporting { exporter, is_failing: AtomicBool::new(false) })
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// Declares that [`layer`](Self::layer) records the spans of this process.
    pub fn activate(&self) {
        tracing_context::set_on();
    }

    /// The layer that records spans.
    #[must_use]
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("denizen"));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_PATIENCE) {
            tracing::warn!(%error, "exporting the last spans failed");
        }
    }
}

/// Logs when exports begin to fail, and when they succeed again: once, not for each batch.
#[derive(Debug)]
struct Reporting {
    exporter: SpanExporter,
    is_failing: AtomicBool,
}

impl trace::SpanExporter for Reporting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => tracing::warn!(%error, "exporting traces failed, dropping spans"),
            Ok(()) if was_failing => tracing::info!("exporting traces again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

fn over_grpc(endpoint: &str, headers: HeaderMap) -> Result<SpanExporter, OtlpError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        .with_metadata(MetadataMap::from_headers(headers));
    let exporter = if endpoint.starts_with("https://") {
        exporter.with_tls_config(ClientTlsConfig::new().with_webpki_roots())
    } else {
        exporter
    };
    Ok(exporter.build()?)
}

fn over_http(endpoint: &str, headers: HeaderMap) -> Result<SpanExporter, OtlpError> {
    let client = Client::new(headers).map_err(OtlpError::Client)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(TIMEOUT);
    Ok(exporter.build()?)
}

/// Parses `NAME=VALUE,NAME=VALUE`.
fn headers_of(list: Option<&SecretString>) -> Result<HeaderMap, OtlpError> {
    let mut headers = HeaderMap::new();
    let list = list.map_or("", |list| list.expose_secret());
    for entry in list.split(',').filter(|entry| !entry.trim().is_empty()) {
        let (name, value) = entry.split_once('=').ok_or(OtlpError::Headers)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| OtlpError::Headers)?;
        let mut value = HeaderValue::try_from(value.trim()).map_err(|_| OtlpError::Headers)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Sends requests on the runtime of the server: the thread that exports has none.
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new(headers: HeaderMap) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_of(&[]))
            .default_headers(headers)
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let (status, body) = (response.status(), response.bytes().await?);
            Ok::<_, reqwest::Error>((status, body))
        });
        let (status, body) = sending.await??;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::headers_of;

    #[test]
    fn headers_are_names_and_values() {
        let check = |list: &str, expected: Option<&[(&str, &str)]>| {
            let headers = headers_of(Some(&list.to_owned().into())).ok();
            let found: Option<Vec<_>> = headers
                .as_ref()
                .map(|headers| headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect());
            assert_eq!(found.as_deref(), expected, "{list}");
        };
        check("", Some(&[]));
        check("api-key=secret", Some(&[("api-key", "secret")]));
        check("a=1, b = x=y ", Some(&[("a", "1"), ("b", "x=y")]));
        check("a", None);
        check("a b=1", None);
    }
}
