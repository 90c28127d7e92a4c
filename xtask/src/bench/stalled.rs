//! A provider that accepts connections and never answers, and the users who want to sign in through it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::client::{Client, request};
use super::server::{ADMIN, Server};

/// How many users want to sign in through the provider at any time.
const USERS: usize = 64;
/// How long a user waits after an error before the next attempt.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long the provider keeps a connection open without an answer.
const STALL: Duration = Duration::from_secs(30);
const NAME: &str = "stalled";

/// The provider.
pub(super) struct Stall {
    server: SocketAddr,
    held: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Stall {
    /// Starts the provider, and configures the server for it.
    pub(super) async fn begin(server: &Server) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let held = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&held);
        let listening = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    tokio::time::sleep(STALL).await;
                    drop(connection);
                });
            }
        });
        let (token, _) = server.sign_in(ADMIN).await?;
        let settings = json!({"issuer": issuer, "client_id": "the-client"});
        let body = json!({"name": NAME, "settings": settings, "client_secret": "the-secret-of-the-client"}).to_string();
        let mut client = Client::connect(server.address).await?;
        let status = client.send(&request("POST", "/api/v1/providers", Some(&token), Some(&body))).await?;
        ensure!(status == 201, "the provider answered {status}: {}", String::from_utf8_lossy(client.body()));
        Ok(Self { server: server.address, held, listening })
    }

    /// How many connections it has kept waiting.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Lets users sign in through the provider, until they leave.
    pub(super) fn send_users(&self) -> Users {
        Users((0..USERS).map(|_| tokio::spawn(wait(self.server))).collect())
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The users of the provider.
pub(super) struct Users(Vec<JoinHandle<()>>);

impl Users {
    /// Closes their connections.
    pub(super) fn leave(self) {
        for user in self.0 {
            user.abort();
        }
    }
}

/// One user. Errors are expected: the provider is not available.
async fn wait(address: SocketAddr) {
    let begin = format!(
        "/api/v1/auth/{NAME}?redirect_to=http://localhost:8080/account/sign-in\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let begin = request("GET", &begin, None, None);
    loop {
        if let Ok(mut client) = Client::connect(address).await {
            let _ = client.send(&begin).await;
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
