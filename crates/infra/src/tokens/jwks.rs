//! The public keys as a JWK Set (RFC 7517 §5), and how a key names itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::pair::KeyPair;
use super::sha256;

/// The published keys.
#[derive(Debug)]
pub struct Jwks {
    /// The JWK Set.
    pub body: String,
    /// Counts the changes of the body, from 1.
    pub version: u64,
}

/// A public key: the members of a JWK that make it up (RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
pub(super) enum PublicJwk {
    #[serde(rename = "EC")]
    Ec { crv: &'static str, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: &'static str, x: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

impl PublicJwk {
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Self {
        Self::Ec { crv: "P-256", x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) }
    }

    pub(super) fn ed25519(x: &[u8]) -> Self {
        Self::Okp { crv: "Ed25519", x: URL_SAFE_NO_PAD.encode(x) }
    }

    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::Rsa { n: URL_SAFE_NO_PAD.encode(modulus), e: URL_SAFE_NO_PAD.encode(exponent) }
    }

    /// The thumbprint (RFC 7638): a key names itself. The members are in the order of the alphabet.
    pub(super) fn thumbprint(&self) -> String {
        let members = match self {
            Self::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(sha256(members.as_bytes()))
    }
}

#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<Jwk<'a>>,
}

#[derive(Serialize)]
struct Jwk<'a> {
    #[serde(flatten)]
    public: &'a PublicJwk,
    r#use: &'static str,
    alg: &'static str,
    kid: &'a str,
}

/// The JWK Set of these keys. A secret is in none.
pub(super) fn document<'a>(keys: impl Iterator<Item = &'a KeyPair>) -> String {
    let published = keys.filter_map(|key| {
        let public = key.jwk()?;
        Some(Jwk { public, r#use: "sig", alg: key.algorithm().as_str(), kid: key.id() })
    });
    serde_json::to_string(&JwkSet { keys: published.collect() }).expect("strings serialise")
}
