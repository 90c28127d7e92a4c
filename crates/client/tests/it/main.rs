//! Verifier, revocation feed and adapters, against an issuer in the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue says where")]

mod support;

mod adapters;
mod api;
mod feed;
mod keys;
mod test_util;
mod tokens;
