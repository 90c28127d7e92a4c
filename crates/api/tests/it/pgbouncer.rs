//! PostgreSQL behind PgBouncer, in session mode and in transaction mode.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor, Row, raw_sql};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{Db, PASSWORD, World, eventually};
use crate::process::{Process, run_on};

/// Longer than a start, or a recovery, takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sooner than what is remembered expires by itself: only a notification is as fast.
const NOTIFIED: Duration = Duration::from_secs(2);
/// As long as what is remembered is valid without notifications.
const POLLED: Duration = Duration::from_secs(6);
/// The sessions of the server in transaction mode: fewer than two nodes have connections.
const SHARED_SESSIONS: usize = 4;

/// A PgBouncer before the database of a world; killed when dropped.
struct Pooler {
    url: String,
    config: PathBuf,
    address: std::net::SocketAddr,
    process: Child,
    /// Whether it finds prepared statements in any session, which 1.21 does.
    tracks_statements: bool,
}

impl Pooler {
    async fn start(world: &World, mode: &str) -> Self {
        let target: Url = world.database_url.parse().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let password = target.password().map(|password| format!(" password={password}")).unwrap_or_default();
        let tracks_statements = version().await >= (1, 21);
        let size = if mode == "session" { 40 } else { SHARED_SESSIONS };
        let tracking = if tracks_statements { "max_prepared_statements = 200\n" } else { "" };
        let text = format!(
            "[databases]\n* = host={} port={} user={}{password}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\nmax_client_conn = 100\ndefault_pool_size = {size}\nserver_login_retry = 1\n{tracking}",
            target.host_str().unwrap(),
            target.port().unwrap_or(5432),
            target.username(),
            address.ip(),
            address.port(),
        );
        let config = world.folder().join("pgbouncer.ini");
        std::fs::write(&config, text).unwrap();
        let url = format!("postgres://{}@{address}{}", target.username(), target.path());
        let process = spawn(&config).await;
        let pooler = Self { url, config, address, process, tracks_statements };
        pooler.listens().await;
        pooler
    }

    async fn listens(&self) {
        eventually("PgBouncer listens", PATIENCE, async || TcpStream::connect(self.address).await.is_ok()).await;
    }

    /// Checks that no session of the server keeps a setting, a prepared statement or a lock.
    async fn sessions_are_clean(&self) {
        let mut connections = Vec::new();
        for _ in 0..SHARED_SESSIONS {
            let options: PgConnectOptions = self.url.parse().unwrap();
            // PgBouncer refuses the parameter.
            let mut connection = options.extra_float_digits(None).connect().await.unwrap();
            connection.execute("BEGIN").await.unwrap();
            connections.push(connection);
        }
        for connection in &mut connections {
            let query = "SELECT current_setting('statement_timeout'), current_setting('enable_seqscan'), \
                         current_setting('plan_cache_mode'), (SELECT count(*)::text FROM pg_prepared_statements), \
                         (SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
                         (SELECT count(*)::text FROM pg_listening_channels())";
            let row = raw_sql(query).fetch_one(connection).await.unwrap();
            let found: Vec<String> = (0..row.len()).map(|column| row.get(column)).collect();
            assert_eq!(found, ["0", "on", "auto", "0", "0", "0"]);
        }
    }

    async fn stop(&mut self) {
        self.process.kill().await.unwrap();
    }

    async fn start_again(&mut self) {
        self.process = spawn(&self.config).await;
        self.listens().await;
    }
}

/// The path of the program.
async fn program() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/pgbouncer");
    let found = Command::new(script).stderr(Stdio::inherit()).output().await.unwrap();
    assert!(found.status.success(), "scripts/pgbouncer found none");
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

/// Its version: `PgBouncer 1.18.0` is 1.18.
async fn version() -> (u32, u32) {
    let shown = Command::new(program().await).arg("--version").output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let mut numbers = shown.split_whitespace().nth(1).unwrap().split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

async fn spawn(config: &Path) -> Child {
    let mut command = Command::new(program().await);
    // It refuses to run as root.
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    command.arg("--quiet").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_work_behind_pgbouncer_in_session_mode() {
    let world = World::new(Db::Postgres).await;
    let mut pooler = Pooler::start(&world, "session").await;
    let settings = [("database.url", pooler.url.as_str()), ("database.max_connections", "5")];
    smoke(&world, &settings, NOTIFIED).await;

    let node = Process::start(&world, &settings).await;
    let outage = async || node.status("/health/ready", None).await;
    pooler.stop().await;
    eventually("the outage shows", PATIENCE, async || outage().await == 503).await;
    pooler.start_again().await;
    eventually("it is over", PATIENCE, async || outage().await == 200).await;
    assert!(node.token("ada@example.com", PASSWORD).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_work_behind_pgbouncer_in_transaction_mode() {
    let world = World::new(Db::Postgres).await;
    let pooler = Pooler::start(&world, "transaction").await;
    let settings = [
        ("database.url", pooler.url.as_str()),
        ("database.pooler_mode", "transaction"),
        ("database.prepared_statements", "false"),
        ("database.max_connections", "5"),
    ];
    smoke(&world, &settings, POLLED).await;
    let found = examine(&world, &settings).await;
    assert_eq!(found["severity"], "ok", "{found}");
    assert!(found["message"].as_str().unwrap().contains("polling"), "{found}");
    pooler.sessions_are_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_notify_each_other_past_pgbouncer_in_transaction_mode() {
    let world = World::new(Db::Postgres).await;
    let pooler = Pooler::start(&world, "transaction").await;
    let direct = world.database_url.clone();
    let settings = [
        ("database.url", pooler.url.as_str()),
        ("database.pooler_mode", "transaction"),
        ("database.listen_url", direct.as_str()),
        ("database.prepared_statements", if pooler.tracks_statements { "true" } else { "false" }),
        ("database.max_connections", "5"),
    ];
    smoke(&world, &settings, NOTIFIED).await;
    let found = examine(&world, &settings).await;
    assert_eq!(found["severity"], "ok", "{found}");
    if !pooler.tracks_statements {
        pooler.sessions_are_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_for_pgbouncer_is_named() {
    let world = World::new(Db::Postgres).await;
    let migrated = run_on(&world, &[], &["migrate", "run"], "").await;
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    let pooler = Pooler::start(&world, "transaction").await;

    let wrong_mode = [("database.url", pooler.url.as_str())];
    let refused = run_on(&world, &wrong_mode, &["serve"], "").await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("Set database.pooler_mode = \"transaction\""), "{}", refused.stderr);
    let found = examine(&world, &wrong_mode).await;
    assert_eq!(found["severity"], "error", "{found}");

    let transaction = [("database.url", pooler.url.as_str()), ("database.pooler_mode", "transaction")];
    let listening = [transaction[0], transaction[1], ("database.listen_url", pooler.url.as_str())];
    let refused = run_on(&world, &listening, &["serve"], "").await;
    assert!(refused.stderr.contains("Name the server itself in database.listen_url"), "{}", refused.stderr);
    let found = examine(&world, &listening).await;
    assert!(found["message"].as_str().unwrap().contains("notifications are lost"), "{found}");

    let found = examine(&world, &transaction).await;
    let expected = if pooler.tracks_statements { "ok" } else { "error" };
    assert_eq!(found["severity"], expected, "{found}");
    if !pooler.tracks_statements {
        pooler.sessions_are_clean().await;
    }
}

/// Two nodes that both start on an empty database: one migrates, the other waits for its lock. A sign-out on one of them
/// takes effect on the other in this time.
async fn smoke(world: &World, settings: &[(&str, &str)], within: Duration) {
    // A busy machine hashes slowly.
    let patient = [("security.hash_queue_timeout_ms", "60000"), ("limits.request_timeout_s", "60")];
    let settings = &[settings, &patient].concat()[..];
    let (one, two) = tokio::join!(Process::start(world, settings), Process::start(world, settings));
    assert_eq!(one.sign_up("ada@example.com").await.unwrap().status(), 201);
    for _ in 0..3 {
        let token = one.token("ada@example.com", PASSWORD).await.unwrap();
        for _ in 0..3 {
            assert_eq!(two.status("/api/v1/me", Some(&token)).await, 200);
        }
        let ended = one.request(Method::DELETE, "/api/v1/sessions/current", Some(&token)).send().await.unwrap();
        assert_eq!(ended.status(), 204);
        two.becomes("/api/v1/me", &token, 401, within).await;
    }
    // More at once than there are sessions in the pool.
    let sign_ups = (0..16).map(|n| {
        let node = if n % 2 == 0 { &one } else { &two };
        async move {
            let response = node.sign_up(&format!("user{n}@example.com")).await.unwrap();
            let (status, body) = (response.status(), response.text().await.unwrap());
            assert_eq!(status, 201, "{body}");
        }
    });
    futures_util::future::join_all(sign_ups).await;
    let listed = run_on(world, settings, &["users", "list", "--output", "json"], "").await;
    assert_eq!(listed.json().as_array().unwrap().len(), 17);
    one.kill().await;
    two.kill().await;
}

/// What `denizen doctor` says of the pooler.
async fn examine(world: &World, settings: &[(&str, &str)]) -> Value {
    let examined = run_on(world, settings, &["doctor", "--output", "json"], "").await;
    // Other findings, such as a missing key, are those of a server that never ran.
    let findings: Value = serde_json::from_str(&examined.stdout).unwrap();
    let of_pooler = |finding: &&Value| finding["check"] == "database_pooler";
    findings["findings"].as_array().unwrap().iter().find(of_pooler).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_startup_parameter_that_pgbouncer_refuses_is_named() {
    let world = World::new(Db::Postgres).await;
    let pooler = Pooler::start(&world, "session").await;
    let url = format!("{}?options=-c%20work_mem=8MB", pooler.url);
    let done = run_on(&world, &[("database.url", &url)], &["migrate", "plan"], "").await;
    let line = done.only_line(1);
    assert!(line.contains("startup parameter") && line.contains("remove options from database.url"), "{line}");
}
