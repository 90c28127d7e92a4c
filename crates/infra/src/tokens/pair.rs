//! A signing key of any algorithm, parsed once.

use aws_lc_rs::error::Unspecified;
use denizen_domain::keys::{Algorithm, KeyMaterial, StoredKey};
use denizen_domain::ports::Vault;
use zeroize::Zeroizing;

use super::hs256::SigningSecret;
use super::jwks::PublicJwk;
use super::{KeyError, eddsa, es256, rs256};

/// A key ready to sign and to verify.
pub(super) struct KeyPair {
    id: String,
    /// What everybody may know of it; nothing of a secret.
    jwk: Option<PublicJwk>,
    kind: Kind,
}

enum Kind {
    Es256(es256::Pair),
    EdDsa(eddsa::Pair),
    Rs256(rs256::Pair),
    Hs256(SigningSecret),
}

impl KeyPair {
    /// Opens a stored key.
    pub(super) fn open(vault: &dyn Vault, stored: &StoredKey) -> Result<Self, KeyError> {
        let pkcs8 = vault.open(stored.id.as_bytes(), &stored.sealed_private_key);
        let pkcs8 = Zeroizing::new(pkcs8.ok_or_else(|| KeyError::DoesNotOpen { id: stored.id.clone() })?);
        let (kind, jwk) =
            parse(stored.algorithm, &pkcs8).ok_or_else(|| KeyError::Unusable { id: stored.id.clone() })?;
        Ok(Self { id: stored.id.clone(), jwk: Some(jwk), kind })
    }

    /// The configured secret as a key.
    pub(super) fn of_secret(secret: SigningSecret) -> Self {
        Self { id: secret.id().to_owned(), jwk: None, kind: Kind::Hs256(secret) }
    }

    /// The `kid`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn jwk(&self) -> Option<&PublicJwk> {
        self.jwk.as_ref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.kind {
            Kind::Es256(_) => Algorithm::Es256,
            Kind::EdDsa(_) => Algorithm::EdDsa,
            Kind::Rs256(_) => Algorithm::Rs256,
            Kind::Hs256(_) => Algorithm::Hs256,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match &self.kind {
            Kind::Es256(pair) => pair.sign(message),
            Kind::EdDsa(pair) => pair.sign(message),
            Kind::Rs256(pair) => pair.sign(message),
            Kind::Hs256(secret) => Ok(secret.sign(message)),
        }
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Es256(pair) => pair.is_signed(message, signature),
            Kind::EdDsa(pair) => pair.is_signed(message, signature),
            Kind::Rs256(pair) => pair.is_signed(message, signature),
            Kind::Hs256(secret) => secret.is_signed(message, signature),
        }
    }
}

/// Makes a key pair and seals its private half. Slow: RSA has to find primes.
pub(super) fn generate(vault: &dyn Vault, algorithm: Algorithm) -> Result<KeyMaterial, KeyError> {
    let failed = || KeyError::NotMade { algorithm: algorithm.as_str() };
    let pkcs8 = match algorithm {
        Algorithm::Es256 => es256::Pair::generate(),
        Algorithm::EdDsa => eddsa::Pair::generate(),
        Algorithm::Rs256 => rs256::Pair::generate(),
        Algorithm::Hs256 => return Err(failed()),
    }
    .map_err(|_| failed())?;
    let (kind, jwk) = parse(algorithm, &pkcs8).ok_or_else(failed)?;
    let public_key = match &kind {
        Kind::Es256(pair) => Some(pair.public_key()),
        Kind::EdDsa(pair) => Some(pair.public_key()),
        Kind::Rs256(pair) => pair.public_key(),
        Kind::Hs256(_) => None,
    };
    let id = jwk.thumbprint();
    Ok(KeyMaterial {
        algorithm,
        public_key: public_key.ok_or_else(failed)?,
        sealed_private_key: vault.seal(id.as_bytes(), &pkcs8),
        id,
    })
}

/// `None` for what is no key of this algorithm, and for HS256, whose secret is never stored.
fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Option<(Kind, PublicJwk)> {
    match algorithm {
        Algorithm::Es256 => {
            let pair = es256::Pair::parse(pkcs8)?;
            let jwk = pair.jwk()?;
            Some((Kind::Es256(pair), jwk))
        }
        Algorithm::EdDsa => {
            let pair = eddsa::Pair::parse(pkcs8)?;
            let jwk = pair.jwk();
            Some((Kind::EdDsa(pair), jwk))
        }
        Algorithm::Rs256 => {
            let pair = rs256::Pair::parse(pkcs8)?;
            let jwk = pair.jwk()?;
            Some((Kind::Rs256(pair), jwk))
        }
        Algorithm::Hs256 => None,
    }
}
