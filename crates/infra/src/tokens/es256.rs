//! ECDSA over P-256 with SHA-256 (RFC 7518 §3.4), the keys parsed once.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use zeroize::Zeroizing;

use super::jwks::PublicJwk;

/// A key pair ready to sign and to verify.
pub(super) struct Pair {
    private: EcdsaKeyPair,
    public: ParsedPublicKey,
}

impl Pair {
    /// A new private key (PKCS #8).
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec()))
    }

    pub(super) fn parse(pkcs8: &[u8]) -> Option<Self> {
        let private = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, private.public_key()).ok()?;
        Some(Self { private, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        Ok(self.private.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// The public key: an uncompressed point.
    pub(super) fn public_key(&self) -> Vec<u8> {
        self.private.public_key().as_ref().to_vec()
    }

    pub(super) fn jwk(&self) -> Option<PublicJwk> {
        // An uncompressed point is 0x04 ‖ x ‖ y (SEC 1 §2.3.3).
        let (x, y) = self.private.public_key().as_ref().get(1..)?.split_at_checked(32)?;
        Some(PublicJwk::p256(x, y))
    }
}
