//! What tests of several crates need: a database of their own, and access tokens without a running Denizen.

mod database;

pub use database::{TestDatabase, UNUSABLE_URL};
pub use denizen_client::test_util::TestIssuer;
