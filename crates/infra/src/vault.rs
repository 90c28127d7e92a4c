//! What is kept and proven under the root key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use denizen_domain::ports::Vault;
use zeroize::Zeroizing;

use crate::root::RootKey;

/// Keys for sealing and for codes, each derived from the root key (HKDF-SHA-256, RFC 5869).
pub struct MasterVault {
    sealing: SealingKey,
    codes: hmac::Key,
}

impl MasterVault {
    /// Derives the keys.
    #[must_use]
    pub fn new(root: &RootKey) -> Self {
        let codes = derive(root.expose(), b"denizen codes v1");
        Self {
            sealing: SealingKey::derive(root.expose(), b"denizen sealing v1"),
            codes: hmac::Key::new(hmac::HMAC_SHA256, codes.as_slice()),
        }
    }
}

impl Vault for MasterVault {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        self.sealing.seal(context, plain)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.sealing.open(context, sealed)
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut code = hmac::Context::with_key(&self.codes);
        // The length keeps a purpose from running into its message.
        code.update(&(purpose.len() as u64).to_be_bytes());
        code.update(purpose.as_bytes());
        code.update(message);
        code.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }
}

/// Seals with AES-256-GCM: nonce ‖ ciphertext ‖ tag.
pub(crate) struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// The key for a purpose.
    pub(crate) fn derive(secret: &[u8], purpose: &[u8]) -> Self {
        let key = derive(secret, purpose);
        Self(RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes are an AES-256 key"))
    }

    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        // Room for the tag: were the buffer to grow, what is freed would hold the plain bytes.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .expect("AES-GCM seals anything under 64 GiB");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        sealed
    }

    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

/// 32 bytes for a purpose (HKDF-SHA-256).
pub(crate) fn derive(secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[purpose], Bytes32)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("32 bytes are within HKDF's bound");
    key
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{MasterVault, RootKey, Vault};

    pub(crate) fn vault(seed: u8) -> MasterVault {
        MasterVault::new(&RootKey::from_bytes(std::array::from_fn(|at| seed + u8::try_from(at).unwrap())))
    }

    #[test]
    fn what_was_sealed_opens_under_the_same_key_and_context_only() {
        let sealed = vault(0).seal(b"context", b"secret");
        assert_eq!(vault(0).open(b"context", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(vault(0).open(b"another", &sealed), None);
        assert_eq!(vault(1).open(b"context", &sealed), None);
        assert_eq!(vault(0).open(b"context", &sealed[..10]), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(vault(0).open(b"context", &altered), None, "byte {at}");
        }
    }

    #[test]
    fn codes_are_bound_to_their_purpose() {
        let code = vault(0).mac("cursor", b"users");
        assert_eq!(code, vault(0).mac("cursor", b"users"));
        assert_ne!(code, vault(0).mac("cursoru", b"sers"));
        assert_ne!(code, vault(1).mac("cursor", b"users"));
    }

    // Computed elsewhere (Python's hmac and cryptography) as the release before did from a master key: what that sealed
    // must open under a root key of the same bytes.
    #[test]
    fn the_derivation_is_that_of_the_release_before() {
        let sealed = hex("6465666768696a6b6c6d6e6fb807b36fc365ea799a4f370a049572f12031fd32a8ed");
        assert_eq!(vault(0).open(b"context", &sealed).as_deref(), Some(b"secret".as_slice()));
        let code = hex("f3c31c0666288e48a7661e4c99e43320649cb104678ba3577669004ca575baa6");
        assert_eq!(vault(0).mac("cursor", b"users").as_slice(), code);
    }

    fn hex(digits: &str) -> Vec<u8> {
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }
}
