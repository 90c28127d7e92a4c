//! Black-box tests: a real server on a real port, over both databases.

mod harness;

mod access;
mod users;
