//! Black-box tests: a real server on a real port, over both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod harness;
mod process;
mod raw;

mod access;
mod admins;
mod changes;
mod cli;
mod conventions;
mod crash;
mod docs;
mod errors;
mod fuzzish;
mod idempotency;
mod lifecycle;
mod limits;
mod lists;
mod me;
mod outage;
mod races;
mod refresh;
mod sessions;
mod tokens;
mod transfer;
mod users;
