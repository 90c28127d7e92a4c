//! Denizen: users, authentication and authorization for any product.
//!
//! The binary `denizen` serves it; this library mounts it in an Axum application:
//!
//! ```no_run
//! use denizen::Embedded;
//! use denizen::config::{Config, Overrides};
//!
//! # async fn mount() -> anyhow::Result<()> {
//! let config = Config::load(&Overrides::default())?.config;
//! let accounts = Embedded::start(&config).await?;
//! let app = axum::Router::new().merge(accounts.router());
//! // Serve `app`, and then:
//! accounts.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/embedding.md` contains a complete program.

pub mod app;
mod audit_heads;
pub mod catalogue;
pub mod cli;
mod completion;
mod concealment;
pub mod config;
mod config_files;
mod deliveries;
mod descriptors;
mod doctor;
mod embedded;
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
pub mod openapi;
mod post;
mod relying_party;
pub mod telemetry;
mod tls;
mod upkeep;
mod webhook_deliveries;

pub use app::App;
pub use embedded::Embedded;
pub use middleware::{PeerAddress, PeerProgram};
