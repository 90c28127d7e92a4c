//! What tests of several crates need: a database of their own, and access tokens without a running Denizen.

mod database;
mod issuer;

pub use database::{TestDatabase, UNUSABLE_URL};
pub use issuer::{AUDIENCE, ISSUER, Issuer};
