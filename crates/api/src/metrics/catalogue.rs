//! Every metric: its name, kind, labels and description. The registry and `docs/metrics.md` are made from it.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that only grows while the process lives.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Observations by size.
    Histogram,
}

impl Kind {
    /// The name of the kind in the exposition format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name in the exposition format; the unit is its suffix.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! catalogue {
    ($($(#[doc = $help:literal])+ $constant:ident: $kind:ident $name:literal [$($label:literal),*];)+) => {
        $(
            $(#[doc = $help])+
            pub(super) const $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: concat!($($help),+).trim_ascii(),
            };
        )+

        /// Every metric, in the order of the documentation.
        pub const CATALOGUE: &[Metric] = &[$($constant),+];
    };
}

catalogue! {
    /// Duration of HTTP requests, except gRPC, from the request head to the response head.
    HTTP_DURATION: Histogram "http_server_request_duration_seconds"
        ["http_request_method", "http_route", "http_response_status_code"];
    /// Requests and gRPC calls in progress, until the response head.
    HTTP_ACTIVE: Gauge "http_server_active_requests" [];
    /// Requests and gRPC calls that ended before the response head, because the client closed the connection or the stream.
    CANCELED: Counter "denizen_canceled_requests_total" [];
    /// Duration of gRPC and gRPC-Web calls, until the response or the first message of a response stream.
    RPC_DURATION: Histogram "rpc_server_call_duration_seconds" ["rpc_method", "rpc_response_status_code"];
    /// Error responses by error code; see docs/errors.md. Rate limits are `too_many_requests`, lack of capacity `overloaded`.
    ERRORS: Counter "denizen_error_responses_total" ["code"];
    /// Open connections.
    CONNECTIONS: Gauge "denizen_open_connections" [];

    /// Attempts to sign in, by method and result: succeeded, challenged (another factor is required), rejected,
    /// `rate_limited`, overloaded or failed. The completion of a challenge (a second factor, or a mailed code) is counted as
    /// an attempt of its own.
    SIGN_INS: Counter "denizen_sign_ins_total" ["method", "result"];
    /// Password hashes that are being computed.
    HASHES_RUNNING: Gauge "denizen_password_hashes_running" [];
    /// Password hashes that wait for a thread.
    HASHES_QUEUED: Gauge "denizen_password_hashes_queued" [];
    /// Password hashes that were computed.
    HASHES: Counter "denizen_password_hashes_total" [];
    /// Time that was spent on computing password hashes, over all threads.
    HASHING_TIME: Counter "denizen_password_hashing_seconds_total" [];
    /// Password hashes that were rejected because the queue was full.
    HASHES_REFUSED: Counter "denizen_password_hashes_rejected_total" [];
    /// Age of the newest signing key in each state, since it was created.
    KEY_AGE: Gauge "denizen_signing_key_age_seconds" ["state"];

    /// Whether the database answered when the metrics were read. While it is 0, values that are read from it are absent.
    DATABASE_UP: Gauge "denizen_database_up" [];
    /// Duration of the queries that read these metrics.
    DATABASE_LATENCY: Gauge "denizen_database_latency_seconds" [];
    /// Database connections in use: of the pool on PostgreSQL, for long reads on SQLite.
    DATABASE_USED: Gauge "denizen_database_connections_used" [];
    /// Maximum number of these connections.
    DATABASE_MAX: Gauge "denizen_database_connections_max" [];
    /// Writes that wait for the write lock (SQLite).
    DATABASE_QUEUED: Gauge "denizen_database_writes_queued" [];
    /// Look-ups of sessions, API keys and users in the cache, by result (hit or miss).
    CACHE_READS: Counter "denizen_cache_reads_total" ["result"];

    /// Mails that are due and not sent yet, at most 10,000.
    MAIL_BACKLOG: Gauge "denizen_mail_backlog" [];
    /// How long the oldest of these mails has been due.
    MAIL_LAG: Gauge "denizen_mail_lag_seconds" [];
    /// Mails by result: sent, settled (no longer needed), retried, rejected, expired, unreadable (queued by
    /// another release) or failed.
    MAILS: Counter "denizen_mails_total" ["result"];
    /// Webhook deliveries that are due, at most 10,000.
    WEBHOOK_BACKLOG: Gauge "denizen_webhook_backlog" [];
    /// How long the oldest of these deliveries has been due.
    WEBHOOK_LAG: Gauge "denizen_webhook_lag_seconds" [];
    /// Requests to webhooks by result: delivered, retried, parked, disabled, obsolete (settled by another node, or the
    /// webhook was deleted) or failed.
    WEBHOOK_ATTEMPTS: Counter "denizen_webhook_attempts_total" ["result"];
    /// Events that were not yet distributed to the webhooks.
    WEBHOOK_EVENTS: Gauge "denizen_webhook_undistributed_events" [];

    /// Position of the last event in the log.
    EVENT_POSITION: Gauge "denizen_event_log_position" [];
    /// Event streams that are open on this node (WebSocket, SSE, gRPC).
    EVENT_STREAMS: Gauge "denizen_event_streams" [];

    /// Runs of background jobs, by result (succeeded or failed).
    JOB_RUNS: Counter "denizen_job_runs_total" ["job_name", "result"];
    /// When the job last succeeded, as a Unix time.
    JOB_SUCCEEDED: Gauge "denizen_job_last_success_timestamp_seconds" ["job_name"];
    /// Log lines that were dropped because standard error was not read fast enough.
    LOG_DROPPED: Counter "denizen_log_lines_dropped_total" [];
    /// Always 1; the labels describe the build.
    BUILD: Gauge "denizen_build_info" ["version", "database"];

    /// CPU time of the process, user and system.
    PROCESS_CPU: Counter "process_cpu_seconds_total" [];
    /// Resident memory.
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" [];
    /// Virtual memory.
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" [];
    /// Open file descriptors.
    PROCESS_FDS: Gauge "process_open_fds" [];
    /// Maximum number of open file descriptors.
    PROCESS_FDS_MAX: Gauge "process_max_fds" [];
    /// Threads.
    PROCESS_THREADS: Gauge "process_threads" [];
    /// When the process started, as a Unix time.
    PROCESS_STARTED: Gauge "process_start_time_seconds" [];
    /// Worker threads of the asynchronous runtime.
    TOKIO_WORKERS: Gauge "tokio_workers" [];
    /// Tasks that exist in the runtime.
    TOKIO_TASKS: Gauge "tokio_alive_tasks" [];
    /// Tasks that wait in the global queue of the runtime.
    TOKIO_QUEUE: Gauge "tokio_global_queue_depth" [];
    /// Time that the workers of the runtime were busy.
    TOKIO_BUSY: Counter "tokio_workers_busy_seconds_total" [];
}
