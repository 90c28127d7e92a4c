//! A provider that is played by a server of the test, and the ways in which its answers must be refused.

mod attacks;
mod documents;
mod isolation;
mod mapping;
mod native;
mod oauth2;
mod presets;
mod probe;
mod properties;
mod settings;
mod signing;
mod tls;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen_domain::ports::Clock;
use denizen_domain::providers::{
    AuthorizationGrant, AuthorizationRequest, Federation, FederationError, NativeGrant, OutsideIdentity, Provider,
    ProviderName, ProviderSettings,
};
use denizen_domain::time::Timestamp;
use denizen_testkit::FakeClock;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{FederationOptions, HttpFederation};
use crate::clock::SystemChance;
use signing::TestKey;

const NOW_S: i64 = 1_800_000_000;
const CLIENT: &str = "the-client";
const NONCE: &str = "the-nonce";
const ACCESS_TOKEN: &str = "the-access-token";
const CODE: &str = "the-code";
const REDIRECT_URI: &str = "https://id.example/api/v1/auth/acme/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// Answers by path; 404 without an answer.
#[derive(Clone, Default)]
struct Routes(Arc<Mutex<HashMap<String, ResponseTemplate>>>);

impl Respond for Routes {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let routes = self.0.lock().unwrap();
        routes.get(request.url.path()).cloned().unwrap_or_else(|| ResponseTemplate::new(404))
    }
}

/// A provider with discovery, one ES256 key, and an adapter that may speak to it.
struct Fixture {
    server: MockServer,
    routes: Routes,
    clock: Arc<FakeClock>,
    federation: HttpFederation,
    key: TestKey,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_timeout(Duration::from_secs(10)).await
    }

    async fn with_timeout(timeout: Duration) -> Self {
        let server = MockServer::start().await;
        let routes = Routes::default();
        Mock::given(wiremock::matchers::any()).respond_with(routes.clone()).mount(&server).await;
        let clock = Arc::new(FakeClock::at(Timestamp::from_micros(NOW_S * 1_000_000)));
        let options =
            FederationOptions { allowed_hosts: vec!["127.0.0.1".to_owned()], timeout, ..FederationOptions::default() };
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let federation = HttpFederation::new(options, as_clock, Arc::new(SystemChance)).unwrap();
        let fixture = Self { server, routes, clock, federation, key: TestKey::es256("key-1") };
        fixture.answer("/.well-known/openid-configuration", fixture.metadata(&fixture.issuer()));
        fixture.answer("/keys", json!({ "keys": [fixture.key.jwk()] }));
        fixture
    }

    fn issuer(&self) -> String {
        self.server.uri()
    }

    fn metadata(&self, issuer: &str) -> Value {
        let uri = self.server.uri();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{uri}/authorize"),
            "token_endpoint": format!("{uri}/token"),
            "userinfo_endpoint": format!("{uri}/userinfo"),
            "jwks_uri": format!("{uri}/keys"),
        })
    }

    fn answer(&self, path: &str, body: Value) {
        self.respond(path, ResponseTemplate::new(200).set_body_json(body));
    }

    fn respond(&self, path: &str, response: ResponseTemplate) {
        self.routes.0.lock().unwrap().insert(path.to_owned(), response);
    }

    async fn requests_of(&self, path: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == path).count()
    }

    async fn last_body(&self, path: &str) -> String {
        let requests = self.server.received_requests().await.unwrap();
        let request = requests.iter().rfind(|request| request.url.path() == path).unwrap();
        String::from_utf8(request.body.clone()).unwrap()
    }

    fn settings(&self) -> ProviderSettings {
        ProviderSettings { issuer: Some(self.issuer()), client_id: CLIENT.to_owned(), ..ProviderSettings::default() }
    }

    fn provider(&self) -> Provider {
        provider(self.settings())
    }

    /// Claims that pass every check.
    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer(), "aud": CLIENT, "sub": "user-1", "nonce": NONCE,
            "iat": NOW_S, "exp": NOW_S + 300,
            "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
        })
    }

    /// The claims that pass, with some replaced; null removes one.
    fn claims_with(&self, changes: Value) -> Value {
        let mut claims = self.claims();
        merge(&mut claims, changes);
        claims
    }

    fn token(&self, changes: Value) -> String {
        self.key.sign(&self.claims_with(changes))
    }

    /// Redeems a code, for which the provider answers with this ID token.
    async fn redeem(&self, provider: &Provider, id_token: &str) -> Result<OutsideIdentity, String> {
        let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token});
        self.answer("/token", answer);
        self.redeem_with(provider, None, None).await
    }

    async fn redeem_with(
        &self,
        provider: &Provider,
        issuer: Option<&str>,
        user: Option<&str>,
    ) -> Result<OutsideIdentity, String> {
        let (code, code_verifier) = (SecretString::from(CODE), SecretString::from(VERIFIER));
        let grant = AuthorizationGrant {
            code: &code,
            issuer,
            redirect_uri: REDIRECT_URI,
            nonce: NONCE,
            code_verifier: &code_verifier,
            user,
        };
        self.federation
            .redeem(provider, &grant)
            .await
            .map(|redeemed| redeemed.identity)
            .map_err(|error| check_of(&error))
    }

    async fn authorization_url(&self, provider: &Provider) -> Result<reqwest::Url, String> {
        let code_verifier = SecretString::from(VERIFIER);
        let request = AuthorizationRequest {
            redirect_uri: REDIRECT_URI,
            state: "the-state",
            nonce: NONCE,
            code_verifier: &code_verifier,
            login_hint: Some("ada@example.com"),
            locale: None,
        };
        let url = self.federation.authorization_url(provider, &request).await.map_err(|error| check_of(&error))?;
        Ok(url.parse().unwrap())
    }
}

fn provider(settings: ProviderSettings) -> Provider {
    let name = ProviderName::parse("acme").unwrap();
    Provider { name, settings, client_secret: Some("the-secret".into()) }
}

/// The name of the failed check, or `unavailable`. No error may quote what was sent or answered.
fn check_of(error: &FederationError) -> String {
    let shown = format!("{error:?}");
    for secret in [ACCESS_TOKEN, CODE, "the-secret", VERIFIER, "eyJ"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    match error {
        FederationError::Unavailable(_) => "unavailable".to_owned(),
        FederationError::Refused { check, .. } => (*check).to_owned(),
    }
}

fn merge(claims: &mut Value, changes: Value) {
    let (Value::Object(claims), Value::Object(changes)) = (claims, changes) else { panic!("objects") };
    for (name, value) in changes {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
}

fn query(url: &reqwest::Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}
