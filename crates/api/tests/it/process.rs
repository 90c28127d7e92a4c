//! The real binary, as an operator runs it: a process of its own on the test's database.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::harness::{PASSWORD, World, eventually};

/// Longer than a start may take on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_mins(1);
/// How soon a server feels what another process did to accounts, sessions, roles and keys.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(1);
/// How the line begins that tells where the server listens.
const READY: &str = "denizen is ready at ";

/// The binary in a folder, with nothing of the surroundings but what finds programs.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_denizen"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("APP_ENV", "dev").current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The environment variable of a configuration key.
fn variable(key: &str) -> String {
    format!("DENIZEN__{}", key.replace('.', "__").to_uppercase())
}

/// The binary on the test's database.
pub(crate) fn command_on(world: &World, settings: &[(&str, &str)]) -> Command {
    let mut command = command(world.folder());
    command.env(variable("server.port"), "0");
    for (key, value) in world.basics() {
        command.env(variable(key), value);
    }
    for (key, value) in settings {
        command.env(variable(key), value);
    }
    command
}

/// A running server process; killed when dropped.
pub(crate) struct Process {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    child: tokio::sync::Mutex<Child>,
    id: u32,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a server and waits until it says that it is ready.
    pub(crate) async fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let mut command = command_on(world, settings);
        command.arg("serve");
        Self::start_command(command).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn start_in(world: &World, settings: &[(&str, &str)], variables: &[(&str, &Path)]) -> Self {
        let mut command = command_on(world, settings);
        command.envs(variables.iter().copied()).arg("serve");
        Self::start_command(command).await
    }

    /// The same, with a limit of open files.
    pub(crate) async fn start_with_open_files(world: &World, files: u32) -> Self {
        let command = command_on(world, &[]);
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files} && exec \"$0\" serve"), env!("CARGO_BIN_EXE_denizen")]);
        limited.env_clear().current_dir(world.folder()).kill_on_drop(true);
        limited.envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::start_command(limited).await
    }

    pub(crate) async fn start_command(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, receiver) = oneshot::channel();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut sender = Some(sender);
            while let Ok(Some(line)) = stderr.next_line().await {
                if let Some((_, rest)) = line.split_once(READY)
                    && let Some(sender) = sender.take()
                {
                    let url = rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default().to_owned();
                    let _ = sender.send(url);
                }
                kept.lock().unwrap().push(line);
            }
        });
        let Ok(Ok(url)) = timeout(START_PATIENCE, receiver).await else {
            panic!("the server did not start: {:#?}", lines.lock().unwrap());
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let id = child.id().expect("the server runs");
        Self { url, client, child: tokio::sync::Mutex::new(child), id, lines }
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token { request.bearer_auth(token) } else { request }
    }

    /// The status of a `GET`; 0 when nobody answers.
    pub(crate) async fn status(&self, path: &str, token: Option<&str>) -> u16 {
        self.request(Method::GET, path, token).send().await.map_or(0, |response| response.status().as_u16())
    }

    /// Waits until a `GET` has this status.
    pub(crate) async fn becomes(&self, path: &str, token: &str, status: u16, within: Duration) {
        eventually(&format!("{path} answers {status}"), within, async || {
            self.status(path, Some(token)).await == status
        })
        .await;
    }

    pub(crate) async fn sign_up(&self, email: &str) -> reqwest::Result<Response> {
        let body = json!({"email": email, "password": PASSWORD, "name": "Some Body"});
        self.request(Method::POST, "/api/v1/users", None).json(&body).send().await
    }

    /// The session of a user who signs in.
    pub(crate) async fn session(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD});
        let response = self.request(Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201, "{email}");
        response.json().await.unwrap()
    }

    /// The status of a refresh of a session.
    pub(crate) async fn refresh_status(&self, session: &Value) -> u16 {
        let body = json!({"refresh_token": session["refresh_token"]});
        let request = self.request(Method::POST, "/api/v1/sessions/refresh", None).json(&body);
        request.send().await.unwrap().status().as_u16()
    }

    /// The access token of somebody who signs in.
    pub(crate) async fn token(&self, email: &str, password: &str) -> Option<String> {
        let body = json!({"email": email, "password": password});
        let response = self.request(Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap();
        if response.status() != 201 {
            return None;
        }
        response.json::<Value>().await.unwrap()["access_token"].as_str().map(str::to_owned)
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(self) {
        self.kill_now().await;
    }

    /// The same, while others still use it.
    pub(crate) async fn kill_now(&self) {
        self.child.lock().await.kill().await.unwrap();
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// How much memory it has at the moment.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Sends SIGTERM.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends a signal, by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let arguments = ["-c", "kill -\"$0\" \"$1\"", name, &self.id.to_string()];
        assert!(Command::new("sh").args(arguments).status().await.unwrap().success());
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(&self, within: Duration) -> ExitStatus {
        let mut child = self.child.lock().await;
        let ended = timeout(within, child.wait()).await;
        ended.unwrap_or_else(|_| panic!("still running: {:#?}", self.log())).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// Sends SIGINT to a command, and waits until it has ended.
pub(crate) async fn interrupt(child: &mut Child) {
    let id = child.id().expect("the command runs").to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT \"$0\"", &id]).status().await.unwrap().success());
    timeout(COMMAND_PATIENCE, child.wait()).await.expect("the command ends").unwrap();
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    /// Without the line that names the database.
    pub(crate) stderr: String,
    /// The database that the command named.
    pub(crate) database: Option<String>,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The one line that it failed with.
    pub(crate) fn only_line(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_else(|| panic!("no line: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line: {self:?}");
        line.strip_prefix("denizen: ").unwrap_or_else(|| panic!("not signed: {line}"))
    }
}

/// Runs the binary to its end.
pub(crate) async fn run(mut command: Command, arguments: &[&str], stdin: &str) -> Done {
    let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A command that reads nothing may be gone already.
    let _ = pipe.write_all(stdin.as_bytes()).await;
    drop(pipe);
    let output = timeout(COMMAND_PATIENCE, child.wait_with_output()).await.expect("the command ends").unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (database, stderr) = match stderr.strip_prefix("Database: ").and_then(|rest| rest.split_once('\n')) {
        Some((database, rest)) => (Some(database.to_owned()), rest.to_owned()),
        None => (None, stderr),
    };
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr,
        database,
    }
}

/// Runs the binary on the test's database.
pub(crate) async fn run_on(world: &World, settings: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Done {
    run(command_on(world, settings), arguments, stdin).await
}
