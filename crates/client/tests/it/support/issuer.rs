//! Signs tokens as the server does, and as it must not.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{API_KEY, AUDIENCE, ISSUER, NOW_S, SESSION, USER};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alg {
    Es256,
    EdDsa,
    Rs256,
}

impl Alg {
    pub(crate) const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    fn kid(self) -> String {
        format!("key-{}", self.name())
    }
}

/// One key of each algorithm.
pub(crate) struct Issuer {
    es256: EcdsaKeyPair,
    eddsa: Ed25519KeyPair,
    rs256: RsaKeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self {
            es256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            eddsa: Ed25519KeyPair::generate().unwrap(),
            rs256: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// The issuer of most tests: keys take time.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Issuer> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// Another one, whose keys have the same ids.
    pub(crate) fn other() -> &'static Self {
        static OTHER: OnceLock<Issuer> = OnceLock::new();
        OTHER.get_or_init(Self::new)
    }

    pub(crate) fn jwk(&self, alg: Alg) -> Value {
        let mut jwk = match alg {
            Alg::Es256 => {
                let (x, y) = self.es256.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Alg::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.eddsa.public_key().as_ref())}),
            Alg::Rs256 => {
                // An RSAPublicKey of 2048 bits (RFC 8017 §A.1.1): headers and a zero, the modulus, a header, the exponent.
                let der = self.rs256.public_key().as_ref();
                json!({"kty": "RSA", "n": encode(&der[9..265]), "e": encode(&der[267..])})
            }
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = alg.name().into();
        jwk["kid"] = alg.kid().into();
        jwk
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": Alg::ALL.map(|alg| self.jwk(alg))})
    }

    fn sign(&self, alg: Alg, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match alg {
            Alg::Es256 => self.es256.sign(&random, message).unwrap().as_ref().to_vec(),
            Alg::EdDsa => self.eddsa.sign(message).as_ref().to_vec(),
            Alg::Rs256 => {
                let mut signature = vec![0; self.rs256.public_modulus_len()];
                self.rs256.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A user's token.
    pub(crate) fn token(&self) -> String {
        self.token_with(&json!({}))
    }

    /// A user's token with other claims; `null` removes one.
    pub(crate) fn token_with(&self, changes: &Value) -> String {
        self.token_of(Alg::Es256, &json!({}), changes)
    }

    /// A token signed with this key, with other members of the header and other claims.
    pub(crate) fn token_of(&self, alg: Alg, header: &Value, claims: &Value) -> String {
        let header = merged(json!({"typ": "at+jwt", "alg": alg.name(), "kid": alg.kid()}), header);
        self.signed(alg, &header.to_string(), &merged(user_claims(), claims).to_string())
    }

    /// A token of a service account.
    pub(crate) fn service_token(&self, changes: &Value) -> String {
        let mut account = json!({
            "sid": null, "email": null, "email_verified": null, "auth_time": null, "acr": null, "amr": null,
            "client_id": USER, "key_id": API_KEY,
        });
        account.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.token_with(&account)
    }

    /// These texts, signed.
    pub(crate) fn signed(&self, alg: Alg, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = self.sign(alg, message.as_bytes());
        format!("{message}.{}", encode(&signature))
    }
}

/// The claims of a user who signed in a minute ago.
pub(crate) fn user_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": USER, "aud": AUDIENCE, "exp": NOW_S + 840, "iat": NOW_S - 60,
        "jti": "jcHk5WfugA08OPdOp1sOXg", "sid": SESSION, "client_id": "denizen", "email": "ada@example.com",
        "email_verified": true, "auth_time": NOW_S - 60, "acr": "aal1", "amr": ["pwd"], "role": "user",
        "scope": "notes:read notes:write",
    })
}

fn merged(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
