//! Signs access tokens, and serves the key to a verifier in the same process.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_client::Verifier;
use denizen_client::transport::{BoxFuture, Request, Response, Transport, TransportError};
use serde_json::{Value, json};
use uuid::Uuid;

/// The issuer of the tokens.
pub const ISSUER: &str = "https://accounts.example.com";
/// Their audience.
pub const AUDIENCE: &str = "denizen";
const KEY_ID: &str = "test";
const LIFETIME_S: u64 = 900;

/// An issuer of access tokens.
#[derive(Debug)]
pub struct Issuer(Arc<EcdsaKeyPair>);

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

impl Issuer {
    /// An issuer with a key of its own.
    #[must_use]
    pub fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be generated");
        Self(Arc::new(key))
    }

    /// A verifier that trusts this issuer.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let keys = Keys(self.jwks().to_string());
        Verifier::builder(ISSUER)
            .audience(AUDIENCE)
            .server_url(ISSUER)
            .transport(keys)
            .build()
            .expect("the settings are valid")
    }

    /// The token of a user who has just signed in.
    #[must_use]
    pub fn token(&self, user: Uuid) -> String {
        self.token_of(user, 0, LIFETIME_S)
    }

    /// The token of a user who signed in this many seconds ago.
    #[must_use]
    pub fn old_token(&self, user: Uuid, age_s: u64) -> String {
        self.token_of(user, age_s, LIFETIME_S)
    }

    /// A token that expired a minute ago.
    #[must_use]
    pub fn expired_token(&self, user: Uuid) -> String {
        let age_s = LIFETIME_S + 60;
        let issued_at = now_s() - age_s;
        self.sign(&claims(user, issued_at, issued_at, LIFETIME_S))
    }

    fn token_of(&self, user: Uuid, age_s: u64, lifetime_s: u64) -> String {
        self.sign(&claims(user, now_s() - age_s, now_s(), lifetime_s))
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": KEY_ID});
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).expect("the key can sign");
        format!("{message}.{}", encode(signature))
    }

    fn jwks(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID, "x": encode(x), "y": encode(y),
        }]})
    }
}

/// Serves the keys at every URL.
#[derive(Debug)]
struct Keys(String);

impl Transport for Keys {
    fn send<'a>(&'a self, _: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        Box::pin(async { Ok(Response::full(200, "application/json", self.0.clone())) })
    }
}

fn claims(user: Uuid, signed_in_at: u64, issued_at: u64, lifetime_s: u64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": user, "sid": Uuid::now_v7(), "jti": Uuid::now_v7(), "client_id": "denizen",
        "iat": issued_at, "exp": issued_at + lifetime_s, "auth_time": signed_in_at,
        "acr": "aal1", "amr": ["pwd"], "role": "user", "scope": "", "email": "ada@example.com", "email_verified": true,
    })
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_secs()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
