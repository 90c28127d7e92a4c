//! The adapters that are not a database, and the choice of the database.
//!
//! - [`passwords`]: Argon2id behind bounded admission.
//! - [`master_key`] and [`vault`]: the one secret, and what is kept under it.
//! - [`tokens`]: signing keys, and access tokens signed and verified with them.
//! - [`throttle`]: budgets per key in bounded memory.
//! - [`clock`]: the real time and chance.
//! - [`stores`]: the store that a URL names.

pub mod clock;
pub mod master_key;
pub mod passwords;
pub mod stores;
pub mod throttle;
pub mod tokens;
pub mod vault;
