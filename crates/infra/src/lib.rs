//! The adapters that are not a database, and the choice of the database.
//!
//! - [`passwords`]: Argon2id behind bounded admission.
//! - [`mail`]: mail in words, over SMTP or into a folder.
//! - [`master_key`]: the one secret that the store does not keep.
//! - [`root`] and [`vault`]: the key kept under it, and what is kept under that.
//! - [`tokens`]: signing keys, and access tokens signed and verified with them.
//! - [`throttle`]: budgets per key in bounded memory.
//! - [`usage`]: which credentials were used lately.
//! - [`clock`]: the real time and chance.
//! - [`federation`]: outside identity providers.
//! - [`webhook_sender`]: signed requests that tell what happened.
//! - [`webauthn`]: the ceremonies of passkeys.
//! - [`s3`]: objects in S3-compatible storage.
//! - [`snapshots`]: all rows of a database in one stream, and the replication of one database to another.
//! - [`stores`]: the store that a URL names; [`inspection`]: what a database says about itself.

pub mod account_throttle;
pub mod attributes_schema;
pub mod clock;
pub mod federation;
pub mod inspection;
pub mod mail;
pub mod master_key;
pub mod otlp;
pub mod outside;
pub mod passwords;
pub mod root;
pub mod s3;
pub mod sign_in_hook;
pub mod snapshots;
pub mod stores;
pub mod throttle;
pub mod tokens;
pub mod tracing_context;
pub mod usage;
pub mod vault;
pub mod webauthn;
pub mod webhook_sender;
