//! The public keys of providers (RFC 7517).

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::HttpFederation;
use super::cache::{Demand, Fetched};
use super::failure::Failure;
use super::fetch::{get, json_object, lifetime_s};
use super::resolve::{DOCUMENT_TIMEOUT, is_issuer};
use crate::outside::{Answer, Outside};

/// The most keys of a set.
const KEYS_MAX: usize = 100;

/// The keys of a provider that can verify ID tokens.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
}

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    kind: KeyKind,
    algorithm: Option<String>,
    /// The issuer that the key signs for, if the set serves several (Microsoft).
    issuer: Option<String>,
    /// Verifies signatures.
    pub(super) decoding: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// The members of a JWK (RFC 7517 §4, RFC 7518 §6) that count.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    issuer: Option<String>,
}

/// The algorithm of a token and the kind of key that it needs (RFC 7518 §3.1, RFC 8037 §3.1): asymmetric ones only.
fn algorithm(name: &str) -> Option<(Algorithm, KeyKind)> {
    Some(match name {
        "RS256" => (Algorithm::RS256, KeyKind::Rsa),
        "RS384" => (Algorithm::RS384, KeyKind::Rsa),
        "RS512" => (Algorithm::RS512, KeyKind::Rsa),
        "PS256" => (Algorithm::PS256, KeyKind::Rsa),
        "PS384" => (Algorithm::PS384, KeyKind::Rsa),
        "PS512" => (Algorithm::PS512, KeyKind::Rsa),
        "ES256" => (Algorithm::ES256, KeyKind::P256),
        "ES384" => (Algorithm::ES384, KeyKind::P384),
        "EdDSA" => (Algorithm::EdDSA, KeyKind::Ed25519),
        _ => return None,
    })
}

impl Key {
    /// `None` for a key of another kind or purpose.
    fn parse(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let may_verify = jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if jwk.r#use.as_deref().is_some_and(|purpose| purpose != "sig") || !may_verify {
            return None;
        }
        let (kind, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (KeyKind::Rsa, DecodingKey::from_rsa_components(&jwk.n?, &jwk.e?)),
            ("EC", Some("P-256")) => (KeyKind::P256, DecodingKey::from_ec_components(&jwk.x?, &jwk.y?)),
            ("EC", Some("P-384")) => (KeyKind::P384, DecodingKey::from_ec_components(&jwk.x?, &jwk.y?)),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, DecodingKey::from_ed_components(&jwk.x?)),
            _ => return None,
        };
        Some(Self { id: jwk.kid, kind, algorithm: jwk.alg, issuer: jwk.issuer, decoding: decoding.ok()? })
    }

    /// Whether the key may sign for this issuer.
    pub(super) fn signs_for(&self, issuer: &str) -> bool {
        self.issuer.as_deref().is_none_or(|own| is_issuer(issuer, own))
    }
}

impl KeySet {
    /// Reads a JWK Set. Keys that cannot verify ID tokens are ignored.
    pub(super) fn parse(answer: &Answer) -> Result<Self, Failure> {
        let mut document = json_object(answer, "keys")?;
        let Some(Value::Array(keys)) = document.get_mut("keys").map(Value::take) else {
            return Err(Failure::because("keys", "the response is not a JWK Set"));
        };
        if keys.len() > KEYS_MAX {
            return Err(Failure::because("keys", format!("the JWK Set has more than {KEYS_MAX} keys")));
        }
        Ok(Self { keys: keys.into_iter().filter_map(Key::parse).collect() })
    }

    /// The keys that a token with this header may be signed with.
    pub(super) fn candidates<'a>(
        &'a self,
        algorithm_name: &'a str,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = (Algorithm, &'a Key)> {
        let found = algorithm(algorithm_name);
        self.keys.iter().filter_map(move |key| {
            let (algorithm, kind) = found?;
            let is_named = id.is_none() || key.id.is_none() || key.id.as_deref() == id;
            let is_for = key.algorithm.as_deref().is_none_or(|own| own == algorithm_name);
            (kind == key.kind && is_named && is_for).then_some((algorithm, key))
        })
    }
}

/// Whether a token may be signed with the algorithm of this name at all.
pub(super) fn is_known_algorithm(name: &str) -> bool {
    algorithm(name).is_some()
}

/// Fetches the keys, within seconds.
pub(super) async fn fetch_keys(outside: &Outside, url: &str) -> Result<(KeySet, Answer), Failure> {
    let answer = tokio::time::timeout(DOCUMENT_TIMEOUT, get(outside, url, "keys"));
    let answer = answer.await.map_err(|_| Failure::Unavailable("the keys were not answered in time".to_owned()))??;
    Ok((KeySet::parse(&answer)?, answer))
}

impl HttpFederation {
    /// The keys at a URL.
    pub(super) async fn key_set(&self, url: &str, demand: Demand) -> Result<Arc<KeySet>, Failure> {
        let outside = self.outside()?;
        let address = url.to_owned();
        let fetch = || async move {
            let (value, answer) = fetch_keys(&outside, &address).await?;
            Ok(Fetched { value, lifetime_s: lifetime_s(&answer) })
        };
        self.keys.get(url, demand, fetch).await
    }
}
