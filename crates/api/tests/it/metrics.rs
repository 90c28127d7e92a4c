//! Metrics: what was counted, under the names of the catalogue, on an address of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use denizen::metrics::CATALOGUE;
use denizen_proto::v1::GetUserRequest;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::grpc::Rpc;
use crate::harness::{PASSWORD, eventually, on_both};
use crate::process::Process;
use crate::webhook_sinks::{Mood, Sink};

const WITHIN: Duration = Duration::from_secs(20);

/// A port that was free a moment ago.
fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Every sample, by its name and labels.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    async fn read(port: &str) -> Self {
        let response = client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(&response.text().await.unwrap())
    }

    fn parse(text: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    fn check(&self, name: &str, expected: f64) {
        assert_eq!(self.get(name), Some(expected), "{name}: {:#?}", self.0.keys());
    }

    fn is_at_least(&self, name: &str, least: f64) {
        assert!(self.get(name).is_some_and(|value| value >= least), "{name}: {:?}", self.get(name));
    }
}

fn requests(method: &str, route: &str, status: u16) -> String {
    format!(
        "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",http_route=\"{route}\",\
         http_response_status_code=\"{status}\"}}"
    )
}

on_both! {
    async fn metrics_say_what_happened(world: World) {
        let port = free_port();
        let app = world.serve(&[("metrics.enabled", "true"), ("metrics.port", &port)]).await;
        let user = app.user().await;
        assert_eq!(app.try_sign_in(&user.email, "not the password").await.status(), 401);
        for _ in 0..3 {
            assert_eq!(app.get(&user.path(), &user.token).await.status(), 200);
        }
        assert_eq!(app.get("/no/such/route", &user.token).await.status(), 404);
        let odd = Method::from_bytes(b"FORGED").unwrap();
        assert_eq!(app.request(odd, "/api/v1/me", None).send().await.unwrap().status(), 405);

        eventually("metrics are served", WITHIN, async || {
            client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.is_ok()
        }).await;
        let samples = Samples::read(&port).await;
        samples.check(&requests("POST", "/api/v1/users", 201), 1.0);
        samples.check(&requests("POST", "/api/v1/sessions", 201), 1.0);
        samples.check(&requests("POST", "/api/v1/sessions", 401), 1.0);
        samples.check(&requests("GET", "/api/v1/users/{id}", 200), 3.0);
        samples.check(&requests("GET", "none", 404), 1.0);
        samples.check(&requests("_OTHER", "/api/v1/me", 405), 1.0);
        samples.check("http_server_active_requests", 0.0);
        samples.check("denizen_sign_ins_total{method=\"password\",result=\"succeeded\"}", 1.0);
        samples.check("denizen_sign_ins_total{method=\"password\",result=\"rejected\"}", 1.0);
        samples.check("denizen_sign_ins_total{method=\"passkey\",result=\"succeeded\"}", 0.0);
        samples.check("denizen_error_responses_total{code=\"invalid_credentials\"}", 1.0);
        samples.check("denizen_error_responses_total{code=\"route_not_found\"}", 1.0);
        samples.check("denizen_password_hashes_total", 3.0);
        samples.check("denizen_password_hashes_running", 0.0);
        samples.check("denizen_database_up", 1.0);
        samples.is_at_least("denizen_database_connections_max", 1.0);
        samples.is_at_least("denizen_event_log_position", 2.0);
        samples.is_at_least("denizen_signing_key_age_seconds{state=\"current\"}", 0.0);
        samples.is_at_least("process_resident_memory_bytes", 1e6);
        samples.is_at_least("process_open_fds", 3.0);
        samples.is_at_least("process_start_time_seconds", 1.7e9);
        samples.check("tokio_workers", 2.0);
        // They are not for the public.
        assert_eq!(app.get("/metrics", &user.token).await.status(), 404);
    }

    async fn calls_are_counted_by_their_method(world: World) {
        let port = free_port();
        let app = world.serve(&[("metrics.enabled", "true"), ("metrics.port", &port)]).await;
        let user = app.user().await;
        let request = || GetUserRequest { id: user.id.clone() };
        Rpc::to(&app).by(&user.token).users().get_user(request()).await.unwrap();
        Rpc::to(&app).by("forged").users().get_user(request()).await.unwrap_err();
        eventually("metrics are served", WITHIN, async || {
            client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.is_ok()
        }).await;
        let samples = Samples::read(&port).await;
        let calls = |code: &str| {
            format!(
                "rpc_server_call_duration_seconds_count{{rpc_method=\"denizen.v1.UserService/GetUser\",\
                 rpc_response_status_code=\"{code}\"}}"
            )
        };
        samples.check(&calls("OK"), 1.0);
        samples.check(&calls("UNAUTHENTICATED"), 1.0);
        samples.check("denizen_error_responses_total{code=\"invalid_token\"}", 1.0);
    }

    async fn every_metric_is_in_the_catalogue(world: World) {
        let port = free_port();
        let app = world.serve(&[("metrics.enabled", "true"), ("metrics.port", &port)]).await;
        app.user().await;
        let url = format!("http://127.0.0.1:{port}/metrics");
        let text = client().get(&url).send().await.unwrap().text().await.unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let catalogue: BTreeMap<_, _> = CATALOGUE.iter().map(|metric| (metric.name, metric.kind.as_str())).collect();
        for (name, kind) in types {
            assert_eq!(catalogue.get(name), Some(&kind), "{name}");
        }
        // Absent until something of them happens.
        let later: BTreeSet<_> = [
            "rpc_server_call_duration_seconds", "denizen_error_responses_total", "denizen_mails_total",
            "denizen_webhook_attempts_total", "denizen_job_runs_total", "denizen_job_last_success_timestamp_seconds",
        ].into();
        for name in catalogue.keys().filter(|name| !later.contains(*name)) {
            assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing");
        }
        promtool(&["check", "metrics"], &text).await;
        let metrics = client().get(&url).header("accept", "application/openmetrics-text; version=1.0.0").send().await;
        let metrics = metrics.unwrap();
        assert_eq!(metrics.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(metrics.text().await.unwrap().ends_with("# EOF\n"));
    }

    async fn a_client_that_leaves_is_counted(world: World) {
        let (port, slow) = (free_port(), Sink::that(Mood::Stall).await);
        let settings = [
            ("metrics.enabled", "true"), ("metrics.port", &*port), ("sign_in.hook_url", &*slow.url),
            ("sign_in.hook_secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
            ("sign_in.hook_allowed_hosts", "127.0.0.1"), ("sign_in.hook_timeout_ms", "10000"),
        ];
        let app = world.serve(&settings).await;
        let body = json!({"email": "nobody@example.com", "password": PASSWORD});
        let request = app.request(Method::POST, "/api/v1/sessions", None).json(&body).timeout(Duration::from_secs(1));
        assert!(request.send().await.unwrap_err().is_timeout());
        eventually("the request is counted", WITHIN, async || {
            let samples = Samples::read(&port).await;
            samples.get("denizen_canceled_requests_total") == Some(1.0)
                && samples.get("http_server_active_requests") == Some(0.0)
        }).await;
    }

    async fn a_port_in_use_is_taken_once_it_is_free(world: World) {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let process = Process::start(&world, &[("metrics.enabled", "true"), ("metrics.port", &port)]).await;
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
        let created = process.request(Method::POST, "/api/v1/users", None).json(&body).send().await.unwrap();
        assert_eq!(created.status(), 201);
        drop(taken);
        eventually("metrics are served", WITHIN, async || {
            client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.is_ok()
        }).await;
        Samples::read(&port).await.check(&requests("POST", "/api/v1/users", 201), 1.0);
    }
}

/// Runs promtool with an input, which it must accept.
async fn promtool(arguments: &[&str], input: &str) {
    let found =
        std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/promtool")).output().unwrap();
    assert!(found.status.success(), "scripts/promtool found none");
    let path = String::from_utf8(found.stdout).unwrap();
    let mut command = tokio::process::Command::new(path.trim());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let done = child.wait_with_output().await.unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// A file of the folder `deploy`.
fn deployed(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)).unwrap()
}

/// The names of metrics of ours in a text.
fn names_in(text: &str) -> BTreeSet<&str> {
    let is_name = |word: &&str| {
        ["denizen_", "http_server_", "rpc_server_", "process_", "tokio_"].iter().any(|prefix| word.starts_with(prefix))
    };
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(is_name).collect()
}

#[tokio::test]
async fn alert_rules_are_accepted() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus/alerts.yml");
    promtool(&["check", "rules", file], "").await;
}

#[test]
fn rules_and_dashboard_use_metrics_that_exist() {
    let suffixes = ["", "_bucket", "_sum", "_count"];
    let known: BTreeSet<String> =
        CATALOGUE.iter().flat_map(|metric| suffixes.map(|suffix| format!("{}{suffix}", metric.name))).collect();
    let dashboard: Value = serde_json::from_str(&deployed("grafana/denizen.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(expressions.len() > 40, "{}", expressions.len());
    let rules = deployed("prometheus/alerts.yml");
    for name in names_in(&expressions.join(" ")).into_iter().chain(names_in(&rules)) {
        assert!(known.contains(name), "{name} does not exist");
    }
}
