//! Signing keys, and access tokens signed and verified with them.
//!
//! Reading order: this file (the ring) → `ring` (the keys of a moment) → `jwt` (what a token is) → `pair` and a file
//! for each algorithm → `jwks` (what is published).

mod eddsa;
mod es256;
mod hs256;
mod jwks;
mod jwt;
mod pair;
mod ring;
mod rs256;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use denizen_domain::keys::{Algorithm, KeyMaterial, StoredKey};
use denizen_domain::ports::{AccessTokens, Clock, Random, SignError, SigningKeys, Vault};
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::{AccessClaims, VerifiedToken};

pub use hs256::SigningSecret;
pub use jwks::Jwks;
use jwt::Rejected;
use pair::KeyPair;
use ring::Ring;

/// Where the keys come from.
pub enum Signing {
    /// From the store, by [`SigningKeys::adopt`].
    Stored,
    /// HS256 with this secret, which alone signs and verifies. Nothing is published.
    Secret(SigningSecret),
}

/// The signing keys of this deployment, and the access tokens of one issuer and audience: the newest active key signs,
/// all verify. A signature is checked once; a token seen before is found by its digest.
pub struct KeyRing {
    vault: Arc<dyn Vault>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    issuer: String,
    audience: String,
    follows_store: bool,
    /// Held while the next set is made, so that no two come from the same one.
    adopting: Mutex<()>,
    ring: RwLock<Arc<Ring>>,
}

/// Why a signing key cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key was sealed under another root key, or was altered.
    #[error("signing key {id} cannot be decrypted: it was altered, or belongs to another database")]
    DoesNotOpen {
        /// The `kid`.
        id: String,
    },
    /// The key opened and is none of its algorithm.
    #[error("signing key {id} is not a valid key")]
    Unusable {
        /// The `kid`.
        id: String,
    },
    /// The generator failed, or the algorithm has no keys that are made.
    #[error("cannot generate a signing key for {algorithm}")]
    NotMade {
        /// The `alg`.
        algorithm: &'static str,
    },
    /// There is no key, or each is to sign later.
    #[error("no signing key is active")]
    NoneActive,
}

impl KeyRing {
    /// A ring for the tokens of one issuer and audience. With [`Signing::Stored`] it is empty until
    /// [`SigningKeys::adopt`].
    #[must_use]
    pub fn new(
        vault: Arc<dyn Vault>,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        issuer: String,
        audience: String,
        signing: Signing,
    ) -> Self {
        let (follows_store, ring) = match signing {
            Signing::Stored => (true, Ring::empty()),
            Signing::Secret(secret) => (false, Ring::of_one(KeyPair::of_secret(secret))),
        };
        let ring = RwLock::new(Arc::new(ring));
        Self { vault, random, clock, issuer, audience, follows_store, adopting: Mutex::new(()), ring }
    }

    /// Whether there is a key that signs at present.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.present().signing_at(self.clock.now()).is_some()
    }

    /// The public keys as a JWK Set (RFC 7517 §5), made once per change.
    #[must_use]
    pub fn jwks(&self) -> Arc<Jwks> {
        Arc::clone(&self.present().jwks)
    }

    fn present(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, Rejected> {
        if token.len() > jwt::TOKEN_BYTES_MAX {
            return Err(Rejected("too long"));
        }
        let ring = self.present();
        let digest = sha256(token.as_bytes());
        let verified = if let Some(known) = ring.verified.get(&digest) {
            known
        } else {
            let verified = jwt::verify(&ring, token, &self.issuer, &self.audience, now)?;
            ring.verified.insert(digest, verified);
            verified
        };
        if verified.expires_at <= now {
            return Err(Rejected("expired"));
        }
        Ok(verified)
    }
}

impl AccessTokens for KeyRing {
    fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        let ring = self.present();
        let key = ring.signing_at(self.clock.now()).ok_or_else(|| SignError(KeyError::NoneActive.into()))?;
        let mut token_id = [0; 16];
        self.random.fill(&mut token_id);
        jwt::sign(key, claims, token_id).map_err(SignError)
    }

    fn verify(&self, token: &str, now: Timestamp) -> Option<VerifiedToken> {
        self.check(token, now).inspect_err(|rejected| tracing::debug!(%rejected, "access token rejected")).ok()
    }
}

#[async_trait]
impl SigningKeys for KeyRing {
    async fn make(&self, algorithm: Algorithm) -> Result<KeyMaterial, SignError> {
        let vault = Arc::clone(&self.vault);
        let made = tokio::task::spawn_blocking(move || pair::generate(vault.as_ref(), algorithm)).await;
        made.map_err(|error| SignError(error.into()))?.map_err(|error| SignError(error.into()))
    }

    /// A key listed as withdrawn is dead for good, even when a later list no longer says so. When a key cannot be
    /// used, the others are taken over all the same.
    fn adopt(&self, keys: &[StoredKey]) -> Result<(), SignError> {
        if !self.follows_store {
            return Ok(());
        }
        let _alone = self.adopting.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = keys.iter().map(|key| key.sequence).max().unwrap_or_default();
        if newest < self.present().newest_sequence() {
            // Read before a key was added, and late: the list that has it is known already.
            return Ok(());
        }
        let (next, outcome) = self.present().succeed(keys, self.vault.as_ref());
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        outcome.map_err(|error| SignError(error.into()))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
