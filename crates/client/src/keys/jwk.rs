//! A JWK Set (RFC 7517) as verifiable keys.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// More keys than any issuer publishes. Each is parsed, and each is compared with the `kid` of a token.
const KEYS_MAX: usize = 32;
/// RSA moduli up to 4096 bits: a larger one makes each verification slow.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
const RSA_EXPONENT_BYTES_MAX: usize = 4;

/// The algorithms that Denizen signs with and publishes keys for. Each belongs to one type of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// The algorithm with this `alg`; RFC 9864 names `EdDSA` over Ed25519 `Ed25519`.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        match raw {
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// A public key, parsed once.
pub(crate) struct Key {
    id: String,
    algorithm: Algorithm,
    public: ParsedPublicKey,
    /// The key itself, to recognise it in the next set.
    material: Vec<u8>,
}

impl Key {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.algorithm == other.algorithm && self.material == other.material
    }

    pub(crate) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }
}

/// Why a JWK Set is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JwksError {
    #[error("the document is not a JWK Set")]
    Json(#[source] serde_json::Error),
    #[error("the JWK Set has more than {KEYS_MAX} keys")]
    TooManyKeys,
    #[error("the JWK Set has no key for ES256, EdDSA or RS256")]
    NoUsableKey,
    #[error("the JWK Set has two keys with the same kid")]
    Ambiguous,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// The members of a public key (RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2). A private or symmetric key has others and is
/// not used.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Parses a JWK Set. Keys of other types, for other purposes or without a `kid` are ignored (RFC 7517 §5).
pub(crate) fn parse(document: &[u8]) -> Result<Vec<Arc<Key>>, JwksError> {
    let set: JwkSet = serde_json::from_slice(document).map_err(JwksError::Json)?;
    if set.keys.len() > KEYS_MAX {
        return Err(JwksError::TooManyKeys);
    }
    let mut keys: Vec<Arc<Key>> = Vec::with_capacity(set.keys.len());
    for key in set.keys {
        let Some(key) = serde_json::from_value(key).ok().and_then(usable) else { continue };
        if keys.iter().any(|known| known.id == key.id) {
            return Err(JwksError::Ambiguous);
        }
        keys.push(Arc::new(key));
    }
    if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(keys) }
}

fn usable(jwk: Jwk) -> Option<Key> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    if jwk.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return None;
    }
    // The type of the key decides the algorithm, and `alg` must agree (RFC 8725 §3.1).
    let (algorithm, public, material) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("EC", Some("P-256")) => {
            let point = [&[4], part(jwk.x, 32)?.as_slice(), part(jwk.y, 32)?.as_slice()].concat();
            (Algorithm::Es256, ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok()?, point)
        }
        ("OKP", Some("Ed25519")) => {
            let point = part(jwk.x, 32)?;
            (Algorithm::EdDsa, ParsedPublicKey::new(&ED25519, &point).ok()?, point)
        }
        ("RSA", None) => {
            let (public, der) = rsa(&decode(jwk.n)?, &decode(jwk.e)?)?;
            (Algorithm::Rs256, public, der)
        }
        _ => return None,
    };
    if jwk.alg.is_some_and(|alg| Algorithm::parse(&alg) != Some(algorithm)) {
        return None;
    }
    Some(Key { id: jwk.kid.filter(|id| !id.is_empty())?, algorithm, public, material })
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<(ParsedPublicKey, Vec<u8>)> {
    let is_bounded = RSA_MODULUS_BYTES.contains(&modulus.len()) && exponent.len() <= RSA_EXPONENT_BYTES_MAX;
    // A leading zero is not canonical (RFC 7518 §2), and the library refuses it.
    if !is_bounded || modulus.first() == Some(&0) || exponent.first().is_none_or(|&byte| byte == 0) {
        return None;
    }
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    let der: PublicKeyX509Der<'_> = components.as_der().ok()?;
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).ok()?;
    Some((public, der.as_ref().to_vec()))
}

fn decode(part: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part?).ok()
}

fn part(part: Option<String>, bytes: usize) -> Option<Vec<u8>> {
    decode(part).filter(|decoded| decoded.len() == bytes)
}
