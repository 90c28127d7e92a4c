//! What is kept and proven under the master key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use denizen_domain::ports::Vault;

use crate::master_key::MasterKey;

/// Keys for sealing and for codes, each derived from the master key (HKDF-SHA-256, RFC 5869).
pub struct MasterVault {
    sealing: RandomizedNonceKey,
    codes: hmac::Key,
}

impl MasterVault {
    /// Derives the keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let sealing = derive(master, b"denizen sealing v1");
        let codes = derive(master, b"denizen codes v1");
        Self {
            sealing: RandomizedNonceKey::new(&AES_256_GCM, &sealing).expect("32 bytes are an AES-256 key"),
            codes: hmac::Key::new(hmac::HMAC_SHA256, &codes),
        }
    }
}

impl Vault for MasterVault {
    /// AES-256-GCM: nonce ‖ ciphertext ‖ tag.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .expect("AES-GCM seals anything under 64 GiB");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        sealed
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = self.sealing.open_in_place(nonce, Aad::from(context), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
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

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(master: &MasterKey, purpose: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, &[])
        .extract(master.expose())
        .expand(&[purpose], Bytes32)
        .and_then(|okm| okm.fill(&mut key))
        .expect("32 bytes are within HKDF's bound");
    key
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{MasterKey, MasterVault, Vault};

    pub(crate) fn vault(seed: u8) -> MasterVault {
        let bytes: Vec<u8> = (seed..seed + 32).collect();
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        MasterVault::new(&MasterKey::parse(&text.into()).unwrap())
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
}
