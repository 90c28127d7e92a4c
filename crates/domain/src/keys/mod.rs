//! The keys that sign access tokens, as they are kept: the private half is sealed under the root key, which is
//! itself sealed under the master key.
//!
//! A key is made, published, and signs from `activates_at` on, until the next one takes over. It still verifies for
//! as long as a token it signed can live; then it is removed. All of it follows from the list of keys and the time,
//! so every node comes to the same answer.

pub mod keep;
pub mod list;
pub mod rotate;
mod schedule;
pub mod store;
pub mod withdraw;

pub use keep::{follow, keep};
pub use list::{KeyInfo, list};
pub use rotate::{Takeover, rotate};
pub use schedule::{KeyState, Schedule};
pub use withdraw::withdraw;

use crate::time::Timestamp;

/// An algorithm that signs access tokens, by its `alg` of RFC 7518 §3.1 and RFC 8037 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA with SHA-256, 2048 bits.
    Rs256,
    /// HMAC with SHA-256 under a configured secret: for a single backend that holds it too.
    Hs256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &[Self] = &[Self::Es256, Self::EdDsa, Self::Rs256, Self::Hs256];

    /// Reads an `alg`.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == raw)
    }

    /// The `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

/// A key pair just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The `kid`: the JWK thumbprint (RFC 7638).
    pub id: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public key in the encoding of its algorithm.
    pub public_key: Vec<u8>,
    /// The private key (PKCS #8), sealed.
    pub sealed_private_key: Vec<u8>,
}

/// A signing key as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The `kid` of RFC 7517 §4.5.
    pub id: String,
    /// Counts the keys from 1. Unique, so that of two nodes that add the same next key one wins.
    pub sequence: i64,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public key in the encoding of its algorithm (an uncompressed point for ES256, 32 bytes for `EdDSA`,
    /// a `SubjectPublicKeyInfo` for RS256).
    pub public_key: Vec<u8>,
    /// The private key (PKCS #8), sealed.
    pub sealed_private_key: Vec<u8>,
    /// Creation time.
    pub created_at: Timestamp,
    /// The time from which the key signs.
    pub activates_at: Timestamp,
    /// When it was withdrawn: since then it neither signs nor verifies.
    pub withdrawn_at: Option<Timestamp>,
}

/// The root key, sealed under one master key. The root key never changes; under two master keys it is kept while
/// nodes change from one to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRoot {
    /// Names the master key without telling it.
    pub master_id: String,
    /// The root key, sealed.
    pub sealed: Vec<u8>,
    /// When it was sealed.
    pub created_at: Timestamp,
}
