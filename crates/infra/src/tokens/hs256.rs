//! HMAC with SHA-256 (RFC 7518 §3.2), for a single backend that holds the secret too.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// A secret that access tokens are signed with, of 32 bytes at least.
pub struct SigningSecret {
    id: String,
    // It is large: 1.2 KB.
    key: Box<hmac::Key>,
}

impl SigningSecret {
    /// The shortest secret, in bytes: as long as the hash (RFC 7518 §3.2).
    pub const BYTES_MIN: usize = 32;

    /// Takes the bytes of the text as they are; `None` when they are too few.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let bytes = text.expose_secret().as_bytes();
        if bytes.len() < Self::BYTES_MIN {
            return None;
        }
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes));
        // A code that nobody can turn back: nodes with the same secret give it the same name.
        let code = hmac::sign(&key, b"denizen hs256 key id v1");
        let id = code.as_ref()[..8].iter().fold(String::from("hs256-"), |id, byte| format!("{id}{byte:02x}"));
        Some(Self { id, key })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, message).as_ref().to_vec()
    }

    /// Compares in constant time.
    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.key, message, signature).is_ok()
    }
}
