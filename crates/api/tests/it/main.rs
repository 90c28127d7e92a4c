//! Black-box tests: a real server on a real port, over both databases.

mod harness;
mod raw;

mod access;
mod admins;
mod changes;
mod lists;
mod me;
mod sessions;
mod tokens;
mod users;
