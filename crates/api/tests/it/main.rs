//! Black-box tests: a real server on a real port, over both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod browser;
mod harness;
mod holders;
mod process;
mod raw;

mod access;
mod admins;
mod api_keys;
mod changes;
mod cli;
mod cli_access;
mod conventions;
mod cookies;
mod crash;
mod docs;
mod dump;
mod errors;
mod fuzzish;
mod grpc;
mod idempotency;
mod introspection;
mod key_rotation;
mod lifecycle;
mod limits;
mod lingering;
mod lists;
mod me;
mod oauth2;
mod oauth2_revoke;
mod outage;
mod passwords;
mod races;
mod refresh;
mod revocation;
mod roles;
mod service_accounts;
mod session_list;
mod sessions;
mod signing_keys;
mod tls;
mod tokens;
mod transfer;
mod users;
