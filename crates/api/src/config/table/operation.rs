//! The keys of the operation: limits, metrics, logs and traces.

use std::net::IpAddr;

use denizen_infra::otlp::OtlpProtocol;
use secrecy::SecretString;

use crate::config::declare::{Key, section_types};
use crate::config::layers::Layers;
use crate::config::rule::{
    LogFormat, Rule, flag, http_url, ip_address, log_filter, one_of, optional, password, text, whole,
};

section_types! {
    /// Limits per client and in total.
    limits: Limits {
        /// Maximum size of a request body, in bytes. Imports are limited per line instead.
        body_bytes: u32 = "1048576", whole(1_024..=104_857_600);
        /// Maximum size of the request line and headers, in bytes.
        header_bytes: u32 = "16384", whole(8_192..=1_048_576);
        /// Request timeout, in seconds.
        request_timeout_s: u32 = "30", whole(1..=600);
        /// Maximum number of concurrent requests; further requests fail with 503. A request counts from when its body
        /// has been received.
        concurrent_requests: u32 = "1024", whole(1..=100_000);
        /// Maximum number of concurrent requests per client address (IPv6: per /64), from the request head to the last
        /// byte of the response; further requests fail with 429. 0 means half of `limits.concurrent_requests`, and at
        /// least 16.
        address_requests: u32 = "0", whole(0..=1_000_000);
        /// Maximum rate of requests per client address, per second; 0 means unlimited.
        address_per_second: u32 = "1000", whole(0..=1_000_000);
        /// Maximum burst of requests per client address before the rate applies.
        address_burst: u32 = "2000", whole(1..=1_000_000);
        /// Number of failed password attempts per account before a lockout, during which attempts fail with 429.
        /// Attempts at the second factor, and attempts from a device that has signed in to the account, are counted
        /// separately.
        failures_free: u32 = "10", whole(1..=100_000);
        /// Duration of the first lockout, in seconds; it doubles with each further failure.
        failures_delay_s: u32 = "10", whole(1..=86_400);
        /// Maximum duration of a lockout, in seconds (15 minutes).
        failures_delay_max_s: u32 = "900", whole(1..=86_400);
        /// How long after the last failure or lockout the count of failures is reset, in seconds (1 hour).
        failures_forgotten_s: u32 = "3600", whole(1..=2_592_000);
        /// Number of failed attempts per client address (IPv6: per /64), across all accounts, before a lockout of the
        /// address; 0 means unlimited. Devices that have signed in to the account are exempt.
        address_failures_free: u32 = "200", whole(0..=1_000_000);
        /// Maximum number of mails per recipient address, per hour.
        mails_per_hour: u32 = "10", whole(1..=10_000);
        /// Maximum number of mails that one client can request, per hour, across all recipients.
        mail_requests_per_hour: u32 = "1000", whole(1..=1_000_000);
        /// Maximum number of accounts with a verification mail that one client can create, per hour.
        sign_up_mails_per_hour: u32 = "1000", whole(1..=1_000_000);
        /// Maximum number of mails that one account can cause, per hour; 50 times as many for callers with
        /// `users:write`.
        account_mails_per_hour: u32 = "20", whole(1..=1_000_000);
        /// Maximum total size of `attributes` in accounts that one client can create, per hour, in KiB (16 MiB).
        sign_up_attributes_kib_per_hour: u32 = "16384", whole(1..=1_073_741_824);
        /// Maximum number of changes per account, per minute, with bursts of twice as many; sign-ins and password
        /// changes are each counted separately with the same limit. 1,000 times as many for callers with a write
        /// permission. Counted per node; 0 means unlimited.
        account_writes_per_minute: u32 = "30", whole(0..=1_000_000);
        /// Maximum length of an import line, in bytes.
        import_line_bytes: u32 = "65536", whole(1_024..=1_048_576);
        /// Maximum number of open connections, also limited by the open file limit. When it is exceeded, an idle
        /// connection is closed; if there is none, the new connection can only be used for health checks.
        connections: u32 = "20000", whole(1..=1_000_000);
        /// Maximum number of open connections per peer address (IPv6: per /64); addresses in `server.trusted_proxies`
        /// are exempt. 0 means a quarter of `limits.connections`.
        address_connections: u32 = "0", whole(0..=1_000_000);
        /// How long a client may take to send the request head, in seconds, and to send the body in addition to the
        /// time at 1 KiB per second.
        header_timeout_s: u32 = "10", whole(1..=120);
    }

    /// Metrics for Prometheus, at `/metrics` on an address of their own; see docs/metrics.md.
    metrics: Metrics {
        /// Whether metrics are served.
        enabled: bool = "true", flag();
        /// The address to listen on. Anyone who can connect to it can read the metrics.
        host: IpAddr = "127.0.0.1", ip_address();
        /// The port to listen on; 0 selects a free port.
        port: u16 = "9464", whole(0..=65_535);
    }

    /// Logging and tracing.
    telemetry: Telemetry {
        /// The log format: `text` is human-readable, `json` is machine-readable.
        log_format: LogFormat = "text", one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        /// The log filter: a level (`error`, `warn`, `info`, `debug`, `trace`), optionally with levels for single
        /// modules.
        log_filter: String = "info", log_filter();
        /// The URL of an OpenTelemetry collector that traces are sent to, such as `http://localhost:4317`. If empty, no
        /// traces are recorded.
        otlp_endpoint: Option<String> = "", optional(http_url());
        /// The protocol of the collector: `grpc` (usually port 4317), or `http` for Protocol Buffers over HTTP (usually
        /// port 4318; `/v1/traces` is added to the URL).
        otlp_protocol: OtlpProtocol = "grpc", one_of(&[("grpc", OtlpProtocol::Grpc), ("http", OtlpProtocol::Http)]);
        /// Headers of requests to the collector: `NAME=VALUE`, with commas in between.
        otlp_headers: Option<SecretString> = "", optional(password());
        /// The name of this service in traces (`service.name`).
        service_name: String = "denizen", text();
        /// Whether `traceparent` is accepted from clients with a public address, too. They could then choose which of their
        /// requests are recorded, and add spans to any trace.
        accept_public_traces: bool = "false", flag();
        /// The share of traces that are recorded, in percent. Requests that belong to a trace already are recorded if the
        /// rest of the trace is.
        sampled_percent: u32 = "100", whole(0..=100);
    }
}
