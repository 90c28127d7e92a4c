//! Accounts: types, rules, ports and use cases. No I/O.
//!
//! Reading order: [`users`] (what an account is) → [`access`] (who may do what) → [`ctx`] (what a use
//! case may touch) → [`store`] (how it is kept) → the use cases, one file per verb.
//!
//! Invariants:
//! - This crate names no runtime, database, HTTP, gRPC or JSON library. A test in `xtask` holds it to that.
//! - Raw input is parsed once into a type ([`users::EmailAddress`], [`credentials::Password`] …) and trusted after.
//! - Every use case begins by asking [`ctx::Ctx`] whether the caller may.
//! - Time and chance come from [`ports::Clock`] and [`ports::Random`], never from the surroundings.
//! - One write transaction per use case; no hashing, mail or network inside it.

pub mod access;
pub mod api_keys;
pub mod audit;
pub mod auth_methods;
pub mod authority;
pub mod backups;
pub mod budgets;
pub mod challenges;
pub mod credentials;
pub mod ctx;
mod derived;
pub mod drift;
pub mod error;
pub mod events;
pub mod factors;
pub mod flows;
pub mod hooks;
pub mod id;
pub mod idempotency;
pub mod identities;
pub mod keys;
pub mod mail;
pub mod migrations;
pub mod one_time;
pub mod page;
pub mod passkeys;
mod pending;
mod policy;
pub mod ports;
pub mod providers;
pub mod roles;
pub mod rows;
pub mod service_accounts;
pub mod sessions;
pub mod setup;
pub mod store;
pub mod time;
pub mod tokens;
pub mod trace;
pub mod usage;
pub mod users;
pub mod value;
pub mod webhooks;

pub use ctx::{Ctx, Services};
pub use error::{Error, Result};
