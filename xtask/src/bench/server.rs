//! A server process with a folder of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::client::{Client, request};
use super::now;

/// The password of every account that is made here.
pub(super) const PASSWORD: &str = "drei graue Igel im Nebel";
/// The address of the admin.
pub(super) const ADMIN: &str = "admin@bench.example";

/// How long a server may take to become ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait between two tries to connect: short against what is measured.
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// Limits that keep strangers off, out of the way of the load generator.
const OPEN_LIMITS: &[(&str, &str)] = &[
    ("DENIZEN__LIMITS__ADDRESS_PER_SECOND", "0"),
    ("DENIZEN__LIMITS__ADDRESS_CONNECTIONS", "1000000"),
    ("DENIZEN__LIMITS__ADDRESS_REQUESTS", "1000000"),
    ("DENIZEN__LIMITS__ACCOUNT_WRITES_PER_MINUTE", "0"),
    ("DENIZEN__LIMITS__FAILURES_FREE", "100000"),
    ("DENIZEN__LIMITS__ADDRESS_FAILURES_FREE", "0"),
    ("DENIZEN__LIMITS__SIGN_UP_MAILS_PER_HOUR", "1000000"),
    ("DENIZEN__SECURITY__HASH_QUEUE", "10000"),
    ("DENIZEN__SECURITY__HASH_QUEUE_TIMEOUT_MS", "60000"),
    ("DENIZEN__SESSIONS__ACCESS_TTL_S", "86400"),
];

/// The program under test.
pub(super) struct Binary(PathBuf);

impl Binary {
    /// The binary at this path.
    pub(super) fn new(path: PathBuf) -> anyhow::Result<Self> {
        ensure!(path.is_file(), "{} is not there: run `make bench`", path.display());
        Ok(Self(path))
    }
}

/// A folder with a database, or the way to one.
pub(super) struct Site<'a> {
    binary: &'a Binary,
    folder: tempfile::TempDir,
    /// `None` for the default: SQLite in the folder.
    database_url: Option<String>,
    /// Configuration of its own.
    settings: &'static [(&'static str, &'static str)],
}

impl<'a> Site<'a> {
    /// A new folder, migrated, with an admin in it.
    pub(super) async fn new(binary: &'a Binary, database_url: Option<String>) -> anyhow::Result<Self> {
        Self::configured(binary, database_url, &[]).await
    }

    /// The same with configuration of its own.
    pub(super) async fn configured(
        binary: &'a Binary,
        database_url: Option<String>,
        settings: &'static [(&'static str, &'static str)],
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a folder")?;
        let site = Self { binary, folder, database_url, settings };
        site.command_line(&["migrate", "run"], "").await?;
        let create = ["users", "create", "--email", ADMIN, "--name", "Admin", "--role", "admin", "--password-stdin"];
        site.command_line(&create, PASSWORD).await?;
        Ok(site)
    }

    /// The file of the database, when it is SQLite.
    pub(super) fn sqlite_file(&self) -> PathBuf {
        self.folder.path().join("data/denizen.db")
    }

    /// Starts a server and waits until it is ready. Returns also how long that took.
    pub(super) async fn start(&self) -> anyhow::Result<(Server, Duration)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = std::fs::File::create(self.folder.path().join("server.log"))?;
        let mut command = self.command(&["serve"]);
        command.env("DENIZEN__SERVER__PORT", address.port().to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);

        let begun = now();
        let mut child = command.spawn().context("starting the server")?;
        let ready = request("GET", "/health/ready", None, None);
        loop {
            if let Ok(mut client) = Client::connect(address).await
                && client.send(&ready).await? == 200
            {
                return Ok((Server { child, address }, now() - begun));
            }
            if child.try_wait()?.is_some() || now() - begun > PATIENCE {
                bail!("the server did not become ready: {}", self.log());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary.0);
        // No surroundings: neither their configuration nor their `.env` is to be measured.
        command.args(arguments).current_dir(self.folder.path()).env_clear().envs(OPEN_LIMITS.iter().copied());
        command.envs(self.settings.iter().copied());
        if let Some(url) = &self.database_url {
            command.env("DENIZEN__DATABASE__URL", url);
        }
        command.kill_on_drop(true);
        command
    }

    async fn command_line(&self, arguments: &[&str], input: &str) -> anyhow::Result<()> {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads no input may have closed it already; its exit code is what counts.
            let _ = stdin.write_all(format!("{input}\n").as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "denizen {}: {told}", arguments.join(" "));
        Ok(())
    }

    fn log(&self) -> String {
        read_lossy(&self.folder.path().join("server.log"))
    }
}

/// A running server.
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts a peer to measure against: this program with another argument, in a process of its own, so that both sides share the
    /// cores in the same way. It reads its input to the end and prints the port that it listens on.
    pub(super) async fn start_peer(argument: &str, input: &[u8]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {argument}"))?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(input).await?;
        drop(stdin);
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line).await?;
        let port: u16 = line.trim().parse().with_context(|| format!("{argument} printed no port"))?;
        Ok(Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// Resident memory, in KiB.
    pub(super) fn memory_kib(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most memory that was ever resident, in KiB.
    pub(super) fn memory_peak_kib(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &'static str) -> anyhow::Result<u64> {
        let id = self.child.id().context("the server has ended")?;
        let status = read_lossy(Path::new(&format!("/proc/{id}/status")));
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no line for the memory")?;
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).context("no number for the memory")
    }

    /// The processor time it has used so far, in seconds.
    pub(super) fn processor_time_s(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("the server has ended")?;
        processor_time_s(&id.to_string())
    }

    /// Signs in and returns the access token and the id of the user.
    pub(super) async fn sign_in(&self, email: &str) -> anyhow::Result<(String, String)> {
        let mut client = Client::connect(self.address).await?;
        let status = client.send(&sign_in_request(email)).await?;
        ensure!(status == 201, "sign-in answered {status}: {}", String::from_utf8_lossy(client.body()));
        let body = client.json()?;
        let token = body["access_token"].as_str().context("no access token")?;
        let id = body["user"]["id"].as_str().context("no user id")?;
        Ok((token.to_owned(), id.to_owned()))
    }

    /// Stops it as an operator would, so that the database is closed in order.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("the server has ended")?;
        // The shell's own: a bare system has no `kill` program.
        Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the server did not stop")??;
        Ok(())
    }
}

/// The request that signs this account in.
pub(super) fn sign_in_request(email: &str) -> Vec<u8> {
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    request("POST", "/api/v1/sessions", None, Some(&body))
}

fn read_lossy(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The processor time that this program has used so far, in seconds.
pub(super) fn own_processor_time_s() -> anyhow::Result<f64> {
    processor_time_s("self")
}

/// In user and in kernel mode, of all threads (proc(5), `/proc/pid/stat`), to a hundredth of a second.
fn processor_time_s(process: &str) -> anyhow::Result<f64> {
    let stat = read_lossy(Path::new(&format!("/proc/{process}/stat")));
    // The name may contain anything, and ends with the last bracket.
    let (_, fields) = stat.rsplit_once(')').context("no such process")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>();
    Ok(Duration::from_millis(ticks.context("no ticks")? * 10).as_secs_f64())
}

/// A port that nothing listens on just now.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
