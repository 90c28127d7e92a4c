//! `/metrics`, in the text format of Prometheus or, if the client prefers it, of `OpenMetrics`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use prometheus_client::encoding::{prometheus_text, text};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Limits};
use crate::http::Shared;
use crate::listener::{self, Sockets};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How many connections may be open: a few scrapers.
const CONNECTIONS_MAX: u32 = 64;
/// How long until it is tried again to listen on an address that is in use.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How long a scrape may take when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The route.
pub(crate) fn router(shared: &Shared) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Shared::clone(shared))
}

async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let metrics = &shared.metrics;
    let _scraping = metrics.scraping.lock().await;
    metrics.sample(&shared).await;
    let mut body = String::with_capacity(32 * 1024);
    let wants_open_metrics = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("openmetrics"));
    let (encoded, content_type) = if wants_open_metrics {
        (text::encode(&mut body, &metrics.registry), OPEN_METRICS)
    } else {
        (prometheus_text::encode(&mut body, &metrics.registry), PROMETHEUS)
    };
    match encoded {
        Ok(()) => ([(CONTENT_TYPE, content_type)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "encoding the metrics failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Serves the metrics on their own address until `stop` is cancelled. During a rolling restart on one machine, the address
/// is still in use by the previous process: that must not stop this one, so it is tried again.
pub(crate) async fn serve(router: Router, config: &Config, stop: &CancellationToken) {
    let address = SocketAddr::new(config.metrics.host, config.metrics.port);
    let Some(listener) = listen(address, stop).await else { return };
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("metrics are at http://{address}/metrics");
    let limits = Limits { connections: CONNECTIONS_MAX, ..config.limits.clone() };
    let sockets = Sockets { listener, tls: None, metrics: None };
    listener::run(sockets, router, (&limits, &config.server), stop, STOP_PATIENCE).await;
}

async fn listen(address: SocketAddr, stop: &CancellationToken) -> Option<TcpListener> {
    let mut is_reported = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) if !is_reported => {
                is_reported = true;
                tracing::warn!(
                    %error,
                    "cannot listen on {address} for metrics, retrying; set metrics.port to another port, or \
                     metrics.enabled to false"
                );
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(LISTEN_AGAIN) => {}
        }
    }
}
