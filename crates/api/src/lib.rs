//! Denizen: users, sign-in and access for any product.
//!
//! The binary `denizen` serves it; this library mounts it in an Axum application of your own:
//!
//! ```no_run
//! use denizen::config::{Config, Overrides};
//!
//! # async fn mount() -> anyhow::Result<axum::Router> {
//! let config = Config::load(&Overrides::default())?.config;
//! denizen::app::store_options(&config)?.migrate().await?;
//! let accounts = denizen::App::open(&config).await?;
//! let app = axum::Router::new().merge(accounts.router());
//! # Ok(app)
//! # }
//! ```

pub mod app;
mod audit_heads;
pub mod catalogue;
pub mod cli;
mod concealment;
pub mod config;
mod deliveries;
mod descriptors;
mod feed;
mod grpc;
pub mod http;
pub mod import_line;
mod importer;
mod json_form;
pub mod lifecycle;
mod lines;
mod listener;
mod middleware;
pub mod openapi;
mod post;
pub mod telemetry;
mod tls;
mod upkeep;
mod webhook_deliveries;

pub use app::App;
pub use middleware::{PeerAddress, PeerProgram};
