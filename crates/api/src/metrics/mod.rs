//! Metrics, for Prometheus.
//!
//! Reading order: `catalogue` (every metric) → `families` (their values) → this file (what is counted as it happens) →
//! `sample` (what is read when the metrics are) → `endpoint` (`/metrics`, on a listener of its own).
//!
//! Labels have few values: routes are templates, methods and codes come from lists of ours.

pub mod catalogue;
mod document;
mod endpoint;
mod families;
mod process;
mod sample;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use denizen_domain::ports::Clock;
use denizen_domain::time::Timestamp;
use denizen_infra::clock::SystemClock;
use families::{BuildLabels, CodeLabels, Families, HttpLabels, JobLabels, JobRunLabels, ResultLabels, RpcLabels};

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use document::page;
pub(crate) use endpoint::{router, serve};
pub(crate) use families::Route;

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    families: Families,
    /// Held while the values are read from the database and encoded: one scrape at a time.
    scraping: Mutex<()>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// All of them at zero, for a server with this kind of database.
    pub(crate) fn new(database: &'static str) -> Arc<Self> {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry);
        let build = BuildLabels { version: env!("CARGO_PKG_VERSION"), database };
        families.build.get_or_create(&build).set(1);
        // More precisely by `/proc`, unless it is hidden.
        families.process_started.set(seconds_of(SystemClock.now()));
        Arc::new(Self { registry, families, scraping: Mutex::default() })
    }

    /// A request has begun.
    pub(crate) fn request_began(&self) {
        self.families.http_active.inc();
    }

    /// A request has ended, with or without a response.
    pub(crate) fn request_ended(&self) {
        self.families.http_active.dec();
    }

    /// A request ended without a response, because its client had gone.
    pub(crate) fn request_canceled(&self) {
        self.families.canceled.inc();
    }

    /// A connection, from now on.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.families.connections.inc();
        OpenConnection(self.families.connections.clone())
    }

    /// An answered HTTP request.
    pub(crate) fn answered(&self, method: &'static str, route: Route, status: u16, took: Duration) {
        let labels = HttpLabels { http_request_method: method, http_route: route, http_response_status_code: status };
        self.families.http_duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// An answered call.
    pub(crate) fn called(&self, method: &'static str, code: &'static str, took: Duration) {
        let labels = RpcLabels { rpc_method: method, rpc_response_status_code: code };
        self.families.rpc_duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// An error response.
    pub(crate) fn refused(&self, code: Cow<'static, str>) {
        self.families.errors.get_or_create(&CodeLabels { code }).inc();
    }

    /// What came of a mail.
    pub(crate) fn mail(&self, result: &'static str) {
        self.families.mails.get_or_create(&ResultLabels { result }).inc();
    }

    /// What came of a request to a webhook.
    pub(crate) fn webhook_attempt(&self, result: &'static str) {
        self.families.webhook_attempts.get_or_create(&ResultLabels { result }).inc();
    }

    /// A run of a background job.
    pub(crate) fn job_ran(&self, job_name: &'static str, has_succeeded: bool, now: Timestamp) {
        let result = if has_succeeded { "succeeded" } else { "failed" };
        self.families.job_runs.get_or_create(&JobRunLabels { job_name, result }).inc();
        if has_succeeded {
            self.families.job_succeeded.get_or_create(&JobLabels { job_name }).set(seconds_of(now));
        }
    }
}

/// A moment as a Unix time in seconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds of this era are exact in 53 bits")]
fn seconds_of(moment: Timestamp) -> f64 {
    moment.as_micros() as f64 / 1e6
}
