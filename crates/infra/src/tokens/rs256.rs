//! RSA with SHA-256 (RFC 7518 §3.3), the keys parsed once.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use zeroize::Zeroizing;

use super::jwks::PublicJwk;

/// A key pair ready to sign and to verify.
pub(super) struct Pair {
    private: RsaKeyPair,
    public: ParsedPublicKey,
}

impl Pair {
    /// A new private key (PKCS #8). It takes up to a second.
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let pkcs8 = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
        Ok(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    pub(super) fn parse(pkcs8: &[u8]) -> Option<Self> {
        let private = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, private.public_key()).ok()?;
        Some(Self { private, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut signature = vec![0; self.private.public_modulus_len()];
        self.private.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// The public key: a `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Option<Vec<u8>> {
        Some(self.public.as_der().ok()?.as_ref().to_vec())
    }

    pub(super) fn jwk(&self) -> Option<PublicJwk> {
        let (modulus, exponent) = numbers(self.private.public_key().as_ref())?;
        Some(PublicJwk::rsa(modulus, exponent))
    }
}

/// The modulus and the exponent of an `RSAPublicKey` (RFC 8017 §A.1.1), without leading zeros.
fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let (both, _) = element(der, SEQUENCE)?;
    let (modulus, rest) = element(both, INTEGER)?;
    let (exponent, _) = element(rest, INTEGER)?;
    let bare = |number: &'_ [u8]| number.iter().take_while(|&&byte| byte == 0).count();
    Some((&modulus[bare(modulus)..], &exponent[bare(exponent)..]))
}

/// The content of the first element, which must have this tag, and what follows it (X.690 §8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => rest.split_first_chunk().map(|(&length, rest)| (usize::from(u16::from_be_bytes(length)), rest))?,
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}
