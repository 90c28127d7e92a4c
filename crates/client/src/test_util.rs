//! Tokens for unit tests of a service, without a server (feature `test-util`).
//!
//! A [`TestIssuer`] has a signing key of its own. Its [`verifier`](TestIssuer::verifier) is a real [`Verifier`]: it fetches
//! keys by discovery, from the issuer in this process, and rejects what it rejects in production. Only the network is
//! replaced.
//!
//! ```
//! use denizen_client::test_util::TestIssuer;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! let issuer = TestIssuer::new();
//! let verifier = issuer.verifier();
//!
//! let token = issuer.user().role("editor").permissions(["notes:write"]).token();
//! let claims = verifier.verify(&token).await.unwrap();
//! assert!(claims.require_permission("notes:write").is_ok());
//!
//! let expired = issuer.user().expires_in_s(-60).token();
//! assert!(verifier.verify(&expired).await.is_err());
//! # });
//! ```

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::transport::{BoxFuture, Request, Response, Transport, TransportError};
use crate::{Acr, Verifier, VerifierBuilder};

/// The issuer of the tokens.
pub const ISSUER: &str = "https://issuer.test";
/// The audience of the tokens.
pub const AUDIENCE: &str = "denizen";
/// The lifetime of a token, in seconds, unless the test sets it.
const LIFETIME_S: i64 = 900;
/// The id of the key.
const KEY_ID: &str = "test";
/// The coordinates of a point on P-256, in bytes.
const COORDINATE: usize = 32;

/// An issuer in this process, with a signing key of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TestIssuer(Arc<EcdsaKeyPair>);

impl TestIssuer {
    /// An issuer with a new key.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key is generated")))
    }

    /// A verifier of its tokens.
    ///
    /// # Panics
    /// Never: the settings are valid.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier_builder().build().expect("the settings of the test issuer are valid")
    }

    /// The same with further settings.
    pub fn verifier_builder(&self) -> VerifierBuilder {
        Verifier::builder(ISSUER).audience(AUDIENCE).transport(self.transport())
    }

    /// An HTTP client that finds this issuer at [`ISSUER`] and nothing else.
    #[must_use]
    pub fn transport(&self) -> TestTransport {
        let point = self.0.public_key().as_ref();
        let (x, y) = point[1..].split_at(COORDINATE);
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        TestTransport { keys: json!({"keys": [key]}).to_string() }
    }

    /// A token of a new user, who has just authenticated with a password.
    pub fn user(&self) -> TestToken {
        self.token("sid").acr(Acr::Aal1).claim("amr", json!(["pwd"]))
    }

    /// A token of a new service account.
    pub fn service_account(&self) -> TestToken {
        self.token("key_id")
    }

    /// A token of a subject that is identified by this credential.
    fn token(&self, credential: &str) -> TestToken {
        let token = TestToken { issuer: self.clone(), claims: Map::new(), lifetime_s: LIFETIME_S };
        let token = token.claim(credential, Uuid::from_u128(random()).to_string());
        let token = token.claim("iss", ISSUER).claim("aud", AUDIENCE).claim("role", "user").claim("scope", "");
        token.subject(Uuid::from_u128(random())).claim("jti", Uuid::from_u128(random()).to_string())
    }

    fn sign(&self, claims: &Map<String, Value>) -> String {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": KEY_ID}).to_string();
        let claims = Value::Object(claims.clone()).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).expect("the key signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

/// A token to be signed. Each method replaces a claim.
#[derive(Debug, Clone)]
#[must_use = "call token()"]
pub struct TestToken {
    issuer: TestIssuer,
    claims: Map<String, Value>,
    lifetime_s: i64,
}

impl TestToken {
    /// The user or the service account.
    pub fn subject(self, id: Uuid) -> Self {
        self.claim("sub", id.to_string())
    }

    /// The session.
    pub fn session(self, id: Uuid) -> Self {
        self.claim("sid", id.to_string())
    }

    /// The verified email address.
    pub fn email(self, email: &str) -> Self {
        self.claim("email", email).claim("email_verified", true)
    }

    /// The role.
    pub fn role(self, role: &str) -> Self {
        self.claim("role", role)
    }

    /// The permissions.
    pub fn permissions<'a>(self, permissions: impl IntoIterator<Item = &'a str>) -> Self {
        self.claim("scope", permissions.into_iter().collect::<Vec<_>>().join(" "))
    }

    /// Authenticated now with this assurance.
    pub fn acr(self, acr: Acr) -> Self {
        self.claim("acr", acr.as_str()).claim("auth_time", now_s())
    }

    /// Authenticated this many seconds ago.
    pub fn authenticated_s_ago(self, seconds: i64) -> Self {
        self.claim("auth_time", now_s() - seconds)
    }

    /// The lifetime from now on, in seconds; negative for a token that has expired.
    pub fn expires_in_s(mut self, seconds: i64) -> Self {
        self.lifetime_s = seconds;
        self
    }

    /// Any other claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The signed token.
    #[must_use]
    pub fn token(self) -> String {
        let expires_at = now_s().saturating_add(self.lifetime_s);
        let issued_at = now_s().min(expires_at.saturating_sub(1));
        let with_times = self.claim("iat", issued_at).claim("exp", expires_at);
        with_times.issuer.sign(&with_times.claims)
    }
}

/// Answers with the metadata and the keys of a [`TestIssuer`].
#[derive(Debug, Clone)]
pub struct TestTransport {
    keys: String,
}

impl Transport for TestTransport {
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        let body = match request.url.strip_prefix(ISSUER) {
            Some("/.well-known/openid-configuration") => {
                json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/.well-known/jwks.json")}).to_string()
            }
            Some("/.well-known/jwks.json") => self.keys.clone(),
            _ => return Box::pin(async { Err(TransportError::new("nothing is running at this URL")) }),
        };
        Box::pin(async { Ok(Response::full(200, "application/json", body)) })
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens of tests are valid now")]
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "identifiers of tests have to differ only")]
fn random() -> u128 {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    u128::from_be_bytes(bytes)
}
