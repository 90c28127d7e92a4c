//! Denizen: users, authentication and authorization for any product.
//!
//! The binary `denizen` serves it; this library embeds it in an application with Axum:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use denizen::Denizen;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let denizen = Denizen::builder().build().await?;
//! let app = Router::new().route("/hello", get(async || "hello")).merge(denizen.router());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! denizen.serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/embedding.md` contains a complete program.

pub mod app;
mod atomic_file;
mod attributes_schemas;
mod audit_heads;
mod backup;
pub mod catalogue;
pub mod cli;
mod completion;
mod concealment;
pub mod config;
mod config_files;
pub mod declarative;
mod deliveries;
mod descriptors;
mod doctor;
mod embedded;
mod encrypted_file;
mod export_line;
mod feed;
mod grpc;
mod heartbeats;
pub mod http;
pub mod import_line;
mod importer;
mod json_form;
pub mod lifecycle;
mod lines;
mod listener;
pub mod metrics;
mod middleware;
mod new_user;
pub mod openapi;
mod post;
mod relying_party;
mod suggestion;
pub mod telemetry;
mod tls;
mod upkeep;
mod webhook_deliveries;

pub mod types;

/// Users, sessions and tokens as plain calls.
pub mod accounts {
    pub use crate::embedded::accounts::{Accounts, NewAccount};
}

/// Rows of the application in the transaction of a use case.
pub mod transaction {
    pub use crate::embedded::transaction::{
        PgConnection, SharedTransaction, StatementError, TransactionError, rusqlite,
    };
}

/// Code of the application around sign-up, sign-in and deletion.
pub mod hooks {
    pub use denizen_domain::events::catalogue::{Source, Way};
    pub use denizen_domain::hooks::{MESSAGE_CHARS_MAX, Refusal, SignInRequest, SignUpRequest};

    pub use crate::embedded::hooks::Hooks;
}

pub use app::App;
pub use embedded::{BuildError, Builder, Denizen};
pub use middleware::{PeerAddress, PeerProgram};
