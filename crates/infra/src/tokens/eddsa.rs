//! Ed25519 (RFC 8032, RFC 8037 §3.1), the keys parsed once.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use zeroize::Zeroizing;

use super::jwks::PublicJwk;

/// A key pair ready to sign and to verify.
pub(super) struct Pair {
    private: Ed25519KeyPair,
    public: ParsedPublicKey,
}

impl Pair {
    /// A new private key (PKCS #8).
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        Ok(Zeroizing::new(Ed25519KeyPair::generate()?.to_pkcs8()?.as_ref().to_vec()))
    }

    /// Takes version 1 of the encoding, without the public key, as well as version 2.
    pub(super) fn parse(pkcs8: &[u8]) -> Option<Self> {
        let private = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let public = ParsedPublicKey::new(&ED25519, private.public_key()).ok()?;
        Some(Self { private, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        Ok(self.private.try_sign(message)?.as_ref().to_vec())
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// The public key: its 32 bytes.
    pub(super) fn public_key(&self) -> Vec<u8> {
        self.private.public_key().as_ref().to_vec()
    }

    pub(super) fn jwk(&self) -> PublicJwk {
        PublicJwk::ed25519(self.private.public_key().as_ref())
    }
}
