//! PostgreSQL behind a connection pooler in session mode.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, Url};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{Db, PASSWORD, World, eventually};
use crate::process::{Process, run_on};

/// Longer than a start, or a recovery, takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sooner than what is remembered expires by itself: only a notification is as fast.
const NOTIFIED: Duration = Duration::from_secs(2);

/// A PgBouncer before the database of a world; killed when dropped.
struct Pooler {
    url: String,
    config: PathBuf,
    address: std::net::SocketAddr,
    process: Child,
}

impl Pooler {
    async fn start(world: &World, mode: &str) -> Self {
        let target: Url = world.database_url.parse().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let password = target.password().map(|password| format!(" password={password}")).unwrap_or_default();
        let text = format!(
            "[databases]\n* = host={} port={} user={}{password}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\nmax_client_conn = 100\ndefault_pool_size = 40\nserver_login_retry = 1\n",
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
        let pooler = Self { url, config, address, process };
        pooler.listens().await;
        pooler
    }

    async fn listens(&self) {
        eventually("PgBouncer listens", PATIENCE, async || TcpStream::connect(self.address).await.is_ok()).await;
    }

    async fn stop(&mut self) {
        self.process.kill().await.unwrap();
    }

    async fn start_again(&mut self) {
        self.process = spawn(&self.config).await;
        self.listens().await;
    }
}

async fn spawn(config: &Path) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/pgbouncer");
    let found = Command::new(script).stderr(Stdio::inherit()).output().await.unwrap();
    assert!(found.status.success(), "scripts/pgbouncer found none");
    let mut command = Command::new(String::from_utf8(found.stdout).unwrap().trim());
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
    // Both migrate: one works, the other waits for its advisory lock.
    let (one, two) = tokio::join!(Process::start(&world, &settings), Process::start(&world, &settings));
    assert_eq!(one.sign_up("ada@example.com").await.unwrap().status(), 201);
    for _ in 0..3 {
        let token = one.token("ada@example.com", PASSWORD).await.unwrap();
        for _ in 0..3 {
            assert_eq!(two.status("/api/v1/me", Some(&token)).await, 200);
        }
        let ended = one.request(Method::DELETE, "/api/v1/sessions/current", Some(&token)).send().await.unwrap();
        assert_eq!(ended.status(), 204);
        two.becomes("/api/v1/me", &token, 401, NOTIFIED).await;
    }
    let listed = run_on(&world, &settings, &["users", "list", "--output", "json"], "").await;
    assert_eq!(listed.json().as_array().unwrap().len(), 1);

    let outage = async || one.status("/health/ready", None).await;
    pooler.stop().await;
    eventually("the outage shows", PATIENCE, async || outage().await == 503).await;
    pooler.start_again().await;
    eventually("it is over", PATIENCE, async || outage().await == 200).await;
    assert!(one.token("ada@example.com", PASSWORD).await.is_some());
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
