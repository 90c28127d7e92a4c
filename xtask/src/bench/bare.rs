//! The least that a server can do: one Axum handler that answers an account it has at hand.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use anyhow::Context;
use axum::Router;
use axum::extract::Path;
use axum::response::Json;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// The account as the contract has it, in the same order. Borrowed, so that answering costs serialising alone.
#[derive(Clone, Copy, Serialize)]
struct Account {
    id: &'static str,
    email: &'static str,
    email_verified: bool,
    name: &'static str,
    role: &'static str,
    status: &'static str,
    created_at: &'static str,
    updated_at: &'static str,
    last_sign_in_at: Option<&'static str>,
    locale: Option<&'static str>,
    attributes: &'static serde_json::Map<String, serde_json::Value>,
}

/// The same as it arrives.
#[derive(Deserialize)]
struct AccountBody {
    id: String,
    email: String,
    email_verified: bool,
    name: String,
    role: String,
    status: String,
    created_at: String,
    updated_at: String,
    last_sign_in_at: Option<String>,
    locale: Option<String>,
    attributes: serde_json::Map<String, serde_json::Value>,
}

impl From<AccountBody> for Account {
    /// Leaks the parts: there is one account for as long as the process lives.
    fn from(body: AccountBody) -> Self {
        Self {
            id: body.id.leak(),
            email: body.email.leak(),
            email_verified: body.email_verified,
            name: body.name.leak(),
            role: body.role.leak(),
            status: body.status.leak(),
            created_at: body.created_at.leak(),
            updated_at: body.updated_at.leak(),
            last_sign_in_at: body.last_sign_in_at.map(|at| &*at.leak()),
            locale: body.locale.map(|tag| &*tag.leak()),
            attributes: Box::leak(Box::new(body.attributes)),
        }
    }
}

/// Reads an account from stdin, prints the port it took, and serves until it is ended.
pub(crate) fn serve() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let account = Account::from(serde_json::from_str::<AccountBody>(&text).context("reading the account")?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(accept(account))
}

async fn accept(account: Account) -> anyhow::Result<()> {
    let app = Router::new().route(
        "/api/v1/users/{id}",
        get(move |Path(id): Path<String>| async move {
            debug_assert_eq!(id, account.id);
            Json(account)
        }),
    );
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            // A client that leaves is nothing to tell of.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}
