//! The public keys as a JWK Set (RFC 7517 §5).

use serde::Serialize;

use super::es256::{ALGORITHM, KeyPair};

#[derive(Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    crv: &'static str,
    x: String,
    y: String,
}

pub(super) fn document<'a>(keys: impl Iterator<Item = &'a KeyPair>) -> String {
    let keys = keys.map(|key| {
        let (x, y) = key.coordinates();
        Jwk { kty: "EC", r#use: "sig", alg: ALGORITHM, kid: key.id.clone(), crv: "P-256", x, y }
    });
    serde_json::to_string(&JwkSet { keys: keys.collect() }).expect("strings serialise")
}
