//! What both stores do alike. Each store crate compiles this folder as its module `shared`, so that its queries are checked
//! against the database of that crate.
//!
//! No file here names a driver. Statements run through the macros of `crate::sql`, on `crate::tx::Tx`; what differs between
//! the databases lies in the SQL, in `crate::codec`, and in how each crate implements [`concurrency::Concurrency`].

pub(crate) mod cached;
pub(crate) mod changes;
pub(crate) mod concurrency;
pub(crate) mod errors;
pub(crate) mod migration_sql;
pub(crate) mod migrations;
pub(crate) mod page;
pub(crate) mod spans;
pub(crate) mod values;

pub(crate) mod api_keys;
mod backlog;
mod budgets;
mod challenges;
mod deliveries;
pub(crate) mod events;
pub(crate) mod factors;
mod flows;
mod idempotency;
mod identities;
mod mail;
mod one_time;
mod passkeys;
mod passwords;
mod prefix;
mod providers;
mod roles;
mod root_keys;
mod service_accounts;
pub(crate) mod sessions;
mod setup;
mod signing_keys;
mod traces;
pub(crate) mod users;
mod users_search;
pub(crate) mod wake;
mod webhooks;
