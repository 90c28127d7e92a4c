//! Signing keys, and access tokens signed and verified with them.

mod es256;
mod jwks;
mod jwt;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::keys::StoredKey;
use denizen_domain::ports::{Clock, Random, SignError, TokenSigner, Vault};
use denizen_domain::store::{Store, StoreError};
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::AccessClaims;
use quick_cache::sync::Cache;

use es256::KeyPair;
pub use jwt::Rejected;

/// How many verified tokens are remembered; about 250 bytes each.
const VERIFIED_MAX: usize = 10_000;

/// The signing keys of this deployment: the newest signs, all verify.
pub struct KeyRing {
    newest: KeyPair,
    older: Vec<KeyPair>,
    random: Arc<dyn Random>,
}

/// Why the signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The store did not answer.
    #[error("reading the signing keys")]
    Store(#[from] StoreError),
    /// The key was sealed under another master key, or was altered.
    #[error("signing key {id} does not open under this master key: every node needs the same one")]
    DoesNotOpen {
        /// The `kid`.
        id: String,
    },
    /// The key opened and is none.
    #[error("signing key {id} is not a usable key")]
    Unusable {
        /// The `kid`.
        id: String,
    },
}

impl KeyRing {
    /// Opens the stored keys, and makes the first one where there is none. Of several nodes that make it at
    /// once, the database lets one win and all use that one.
    pub async fn open(
        store: &dyn Store,
        vault: &dyn Vault,
        clock: &dyn Clock,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyRingError> {
        let mut stored = store.read().await?.signing_keys().await?;
        if stored.is_empty() {
            let mut tx = store.write().await?;
            if tx.insert_signing_key(&es256::generate(vault, clock.now())).await? {
                tx.commit().await?;
            }
            stored = store.read().await?.signing_keys().await?;
        }
        let mut keys = stored.iter().map(|key| open(vault, key)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let newest = keys.next().ok_or(KeyRingError::DoesNotOpen { id: String::new() })?;
        Ok(Self { newest, older: keys.collect(), random })
    }

    /// The public keys as a JWK Set (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> String {
        jwks::document(self.keys())
    }

    fn keys(&self) -> impl Iterator<Item = &KeyPair> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

fn open(vault: &dyn Vault, stored: &StoredKey) -> Result<KeyPair, KeyRingError> {
    let private = vault.open(stored.id.as_bytes(), &stored.sealed_private_key);
    let private = private.ok_or_else(|| KeyRingError::DoesNotOpen { id: stored.id.clone() })?;
    KeyPair::parse(&stored.id, &private).ok_or_else(|| KeyRingError::Unusable { id: stored.id.clone() })
}

impl TokenSigner for KeyRing {
    fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        let mut chance = [0; 16];
        self.random.fill(&mut chance);
        jwt::sign(&self.newest, claims, &URL_SAFE_NO_PAD.encode(chance)).map_err(SignError)
    }
}

/// What a verified access token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The claim `sub`.
    pub subject: UserId,
    /// The claim `sid`.
    pub session_id: SessionId,
    /// The claim `exp`.
    pub expires_at: Timestamp,
}

/// Verifies access tokens. A signature is checked once; a token seen before is found by its digest.
pub struct TokenVerifier {
    ring: Arc<KeyRing>,
    issuer: String,
    audience: String,
    verified: Cache<[u8; 32], Verified>,
}

impl TokenVerifier {
    /// A verifier for the tokens of one issuer and audience.
    #[must_use]
    pub fn new(ring: Arc<KeyRing>, issuer: String, audience: String) -> Self {
        Self { ring, issuer, audience, verified: Cache::new(VERIFIED_MAX) }
    }

    /// Verifies form, algorithm, signature, issuer, audience, type and time (RFC 8725, RFC 9068 §4).
    ///
    /// # Errors
    /// [`Rejected`], which does not tell the caller why.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Rejected> {
        if token.len() > jwt::TOKEN_BYTES_MAX {
            return Err(Rejected("too long"));
        }
        let digest = sha256(token.as_bytes());
        let verified = if let Some(known) = self.verified.get(&digest) {
            known
        } else {
            let verified = jwt::verify(&self.ring, token, &self.issuer, &self.audience, now)?;
            self.verified.insert(digest, verified);
            verified
        };
        if verified.expires_at <= now {
            return Err(Rejected("expired"));
        }
        Ok(verified)
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
