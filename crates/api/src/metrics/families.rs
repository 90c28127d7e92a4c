//! The values of the metrics, registered under the names of the catalogue.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::MatchedPath;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::catalogue::{self as names, Kind, Metric};

/// Bounds of durations, in seconds: those that OpenTelemetry recommends, and finer ones, because most requests take less
/// than a millisecond.
const DURATION_BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A gauge of fractions.
pub(super) type FloatGauge = Gauge<f64, AtomicU64>;
/// A counter of fractions.
pub(super) type FloatCounter = Counter<f64, AtomicU64>;
/// No labels: the value can be absent.
pub(super) type NoLabels = [(&'static str, &'static str); 0];
type Durations<L> = Family<L, Histogram, NewDurations>;

/// The route of a request: its template, which the router matched.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// A route of the router.
    Matched(MatchedPath),
    /// No route.
    None,
}

impl Route {
    /// The template.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Matched(path) => path.as_str(),
            Self::None => "none",
        }
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

/// The labels of HTTP requests.
#[expect(clippy::struct_field_names, reason = "the names of the labels")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HttpLabels {
    pub(super) http_request_method: &'static str,
    pub(super) http_route: Route,
    pub(super) http_response_status_code: u16,
}

/// The labels of gRPC calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RpcLabels {
    pub(super) rpc_method: &'static str,
    pub(super) rpc_response_status_code: &'static str,
}

/// An error code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabels {
    pub(super) code: Cow<'static, str>,
}

macro_rules! labels {
    ($($(#[$doc:meta])* $labels:ident { $($label:ident),+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $labels {
            $(pub(super) $label: &'static str,)+
        }
    )+};
}

labels! {
    /// An attempt to sign in.
    SignInLabels { method, result }
    /// What came of something.
    ResultLabels { result }
    /// The state of a signing key.
    StateLabels { state }
    /// A background job.
    JobLabels { job_name }
    /// A run of a background job.
    JobRunLabels { job_name, result }
    /// The build.
    BuildLabels { version, database }
}

/// Makes the histogram of a route.
#[derive(Debug, Clone)]
pub(super) struct NewDurations;

impl MetricConstructor<Histogram> for NewDurations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(DURATION_BOUNDS)
    }
}

macro_rules! families {
    ($($field:ident: $type:ty = $metric:ident,)+) => {
        /// The values.
        #[derive(Debug)]
        pub(super) struct Families {
            $(pub(super) $field: $type,)+
        }

        impl Families {
            /// New values, registered.
            pub(super) fn register(registry: &mut Registry) -> Self {
                $(let $field = <$type as New>::new();
                register(registry, &names::$metric, $field.clone());)+
                Self { $($field),+ }
            }
        }
    };
}

families! {
    http_duration: Durations<HttpLabels> = HTTP_DURATION,
    http_active: Gauge = HTTP_ACTIVE,
    canceled: Counter = CANCELED,
    rpc_duration: Durations<RpcLabels> = RPC_DURATION,
    errors: Family<CodeLabels, Counter> = ERRORS,
    connections: Gauge = CONNECTIONS,
    sign_ins: Family<SignInLabels, Counter> = SIGN_INS,
    hashes_running: Gauge = HASHES_RUNNING,
    hashes_queued: Gauge = HASHES_QUEUED,
    hashes: Counter = HASHES,
    hashing_time: FloatCounter = HASHING_TIME,
    hashes_refused: Counter = HASHES_REFUSED,
    key_age: Family<StateLabels, FloatGauge> = KEY_AGE,
    database_up: Gauge = DATABASE_UP,
    database_latency: FloatGauge = DATABASE_LATENCY,
    database_used: Gauge = DATABASE_USED,
    database_max: Gauge = DATABASE_MAX,
    database_queued: Gauge = DATABASE_QUEUED,
    cache_reads: Family<ResultLabels, Counter> = CACHE_READS,
    mail_backlog: Family<NoLabels, Gauge> = MAIL_BACKLOG,
    mail_lag: Family<NoLabels, FloatGauge> = MAIL_LAG,
    mails: Family<ResultLabels, Counter> = MAILS,
    webhook_backlog: Family<NoLabels, Gauge> = WEBHOOK_BACKLOG,
    webhook_lag: Family<NoLabels, FloatGauge> = WEBHOOK_LAG,
    webhook_attempts: Family<ResultLabels, Counter> = WEBHOOK_ATTEMPTS,
    webhook_events: Family<NoLabels, Gauge> = WEBHOOK_EVENTS,
    event_position: Family<NoLabels, Gauge> = EVENT_POSITION,
    event_streams: Gauge = EVENT_STREAMS,
    job_runs: Family<JobRunLabels, Counter> = JOB_RUNS,
    job_succeeded: Family<JobLabels, FloatGauge> = JOB_SUCCEEDED,
    log_dropped: Counter = LOG_DROPPED,
    build: Family<BuildLabels, Gauge> = BUILD,
    process_cpu: FloatCounter = PROCESS_CPU,
    process_resident: Gauge = PROCESS_RESIDENT,
    process_virtual: Gauge = PROCESS_VIRTUAL,
    process_fds: Gauge = PROCESS_FDS,
    process_fds_max: Gauge = PROCESS_FDS_MAX,
    process_threads: Gauge = PROCESS_THREADS,
    process_started: FloatGauge = PROCESS_STARTED,
    tokio_workers: Gauge = TOKIO_WORKERS,
    tokio_tasks: Gauge = TOKIO_TASKS,
    tokio_queue: Gauge = TOKIO_QUEUE,
    tokio_busy: FloatCounter = TOKIO_BUSY,
}

/// How a value of a metric is made, and what kind it is.
trait New {
    const KIND: Kind;
    fn new() -> Self;
}

impl<N: Default, A: Default> New for Counter<N, A> {
    const KIND: Kind = Kind::Counter;
    fn new() -> Self {
        Self::default()
    }
}

impl<N: Default, A: Default> New for Gauge<N, A> {
    const KIND: Kind = Kind::Gauge;
    fn new() -> Self {
        Self::default()
    }
}

impl<L: Clone + Hash + Eq> New for Durations<L> {
    const KIND: Kind = Kind::Histogram;
    fn new() -> Self {
        Self::new_with_constructor(NewDurations)
    }
}

impl<L: Clone + Hash + Eq, M: New + Default> New for Family<L, M> {
    const KIND: Kind = M::KIND;
    fn new() -> Self {
        Self::default()
    }
}

fn register<V: New + prometheus_client::registry::Metric>(registry: &mut Registry, metric: &Metric, value: V) {
    debug_assert!(V::KIND == metric.kind, "{} is a {}", metric.name, metric.kind.as_str());
    // The registry adds the suffix of counters, and the period.
    let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
    let help = metric.help.strip_suffix('.').unwrap_or(metric.help);
    registry.register(name, help, value);
}

/// Sets a counter to a total that is counted elsewhere.
pub(super) fn set_total(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

/// The same for fractions.
pub(super) fn set_float_total(counter: &FloatCounter, total: f64) {
    counter.inner().store(total.to_bits(), Ordering::Relaxed);
}

/// A number as gauges take it.
pub(super) fn gauge_of(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
