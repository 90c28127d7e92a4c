//! A running Denizen, and the service as a process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use testkit::TestDatabase;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery staple";
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The server that `DENIZEN_ISSUER` names, with `DENIZEN_API_KEY` for the revocation feed.
pub(crate) struct Denizen {
    issuer: String,
    api_key: String,
    client: Client,
}

/// A signed-in user.
pub(crate) struct SignedIn {
    pub(crate) email: String,
    pub(crate) token: String,
}

impl Denizen {
    pub(crate) fn from_environment() -> Self {
        dotenvy::dotenv().ok();
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: see README.md"));
        Self { issuer: variable("DENIZEN_ISSUER"), api_key: variable("DENIZEN_API_KEY"), client: Client::new() }
    }

    /// Signs up a new user and signs in.
    pub(crate) async fn user(&self) -> SignedIn {
        let email = format!("{}@example.com", Uuid::now_v7().simple());
        self.post("/api/v1/users", &json!({"email": email, "password": PASSWORD, "name": "Ada"})).await;
        self.sign_in(&email).await
    }

    pub(crate) async fn sign_in(&self, email: &str) -> SignedIn {
        let session = self.post("/api/v1/sessions", &json!({"email": email, "password": PASSWORD})).await;
        SignedIn { email: email.to_owned(), token: session["access_token"].as_str().unwrap().to_owned() }
    }

    pub(crate) async fn sign_out(&self, user: &SignedIn) {
        let url = format!("{}/api/v1/sessions/current", self.issuer);
        let response = self.client.delete(url).bearer_auth(&user.token).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let response = self.client.post(format!("{}{path}", self.issuer)).json(body).send().await.unwrap();
        assert_eq!(response.status(), 201, "{path}");
        response.json().await.unwrap()
    }
}

/// The service, on a database of its own.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    process: Child,
    _database: TestDatabase,
}

impl Service {
    /// Starts the service and waits until it accepts connections.
    pub(crate) async fn start(denizen: &Denizen) -> Self {
        let database = TestDatabase::create().await;
        let address = free_address();
        let process = Command::new(env!("CARGO_BIN_EXE_notes-warp-tokio-postgres"))
            .env("ADDRESS", address.to_string())
            .env("DATABASE_URL", database.url())
            .env("DENIZEN_ISSUER", &denizen.issuer)
            .env("DENIZEN_API_KEY", &denizen.api_key)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        eventually("the start", PATIENCE, async || TcpStream::connect(address).is_ok()).await;
        Self { address, process, _database: database }
    }

    /// Sends SIGTERM: the service must exit with success.
    pub(crate) async fn stop(mut self) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let status = timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

/// An address of this machine that is not in use.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until a condition is true.
pub(crate) async fn eventually(what: &str, within: Duration, is_met: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_met().await {
        assert!(start.elapsed() < within, "{what} did not happen within {within:?}");
        sleep(POLL_INTERVAL).await;
    }
}
