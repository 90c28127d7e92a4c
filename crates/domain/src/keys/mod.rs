//! Signing keys as they are kept: the private half is sealed under the master key.

pub mod store;

use crate::time::Timestamp;

/// A signing key as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The `kid` of RFC 7517 §4.5.
    pub id: String,
    /// Counts the keys from 1. Unique, so that of two nodes that add the same next key one wins.
    pub sequence: i64,
    /// The `alg` of RFC 7518 §3.1.
    pub algorithm: String,
    /// The public key in the encoding of its algorithm (an uncompressed point for ES256).
    pub public_key: Vec<u8>,
    /// The private key (PKCS #8), sealed.
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}
