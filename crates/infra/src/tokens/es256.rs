//! ECDSA over P-256 with SHA-256 (RFC 7518 §3.4), the keys parsed once.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::keys::StoredKey;
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;

use super::sha256;

/// The `alg` of RFC 7518 §3.1.
pub(super) const ALGORITHM: &str = "ES256";

/// A key ready to sign and to verify.
pub(super) struct KeyPair {
    pub(super) id: String,
    private: EcdsaKeyPair,
    public: ParsedPublicKey,
}

impl KeyPair {
    pub(super) fn parse(id: &str, pkcs8: &[u8]) -> Option<Self> {
        let private = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, private.public_key()).ok()?;
        Some(Self { id: id.to_owned(), private, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<impl AsRef<[u8]> + use<>, aws_lc_rs::error::Unspecified> {
        self.private.sign(&SystemRandom::new(), message)
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// The coordinates of the public point in base64url (RFC 7518 §6.2.1).
    pub(super) fn coordinates(&self) -> (String, String) {
        coordinates(self.private.public_key().as_ref())
    }
}

/// The first key of a deployment, sealed for the store.
pub(super) fn generate(vault: &dyn Vault, now: Timestamp) -> StoredKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key can be generated");
    let pkcs8 = pair.to_pkcs8v1().expect("a generated key can be written");
    let id = thumbprint(pair.public_key().as_ref());
    StoredKey {
        sequence: 1,
        algorithm: ALGORITHM.to_owned(),
        public_key: pair.public_key().as_ref().to_vec(),
        sealed_private_key: vault.seal(id.as_bytes(), pkcs8.as_ref()),
        created_at: now,
        id,
    }
}

/// The JWK thumbprint (RFC 7638): a key names itself.
fn thumbprint(point: &[u8]) -> String {
    let (x, y) = coordinates(point);
    URL_SAFE_NO_PAD.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
}

fn coordinates(point: &[u8]) -> (String, String) {
    // An uncompressed point is 0x04 ‖ x ‖ y (SEC 1 §2.3.3).
    let (x, y) = point[1..].split_at(32);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}
