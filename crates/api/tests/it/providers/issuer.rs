//! An OpenID provider that the test plays over real HTTP: discovery, authorization code with PKCE, ES256 keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const CLIENT_ID: &str = "the-client";
pub(super) const CLIENT_SECRET: &str = "the-client-secret";
/// A native application at the provider: a client without a secret.
pub(super) const NATIVE_ID: &str = "the-native-client";

/// A running provider. Its authorization endpoint signs in the user that was set last.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    key: EcdsaKeyPair,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    /// The claims of the user who signs in.
    claims: Value,
    /// Codes that were handed out: the request and the claims.
    codes: HashMap<String, (HashMap<String, String>, Value)>,
    /// The claims of the user for whom each access token was issued.
    access_tokens: HashMap<String, Value>,
    /// How many codes were redeemed.
    redeemed: u32,
    issued: u32,
    /// Whether the user cancels.
    cancels: bool,
    /// Whether the token endpoint fails.
    is_down: bool,
    /// How long access tokens are valid, in seconds.
    lifetime_s: u32,
    /// Whether no refresh tokens are issued, as by Google after the first consent.
    withholds_refresh_tokens: bool,
    /// Refresh tokens that can be used, once, with the user that each was issued for.
    refresh_tokens: HashMap<String, Value>,
    /// How often tokens were refreshed.
    refreshed: u32,
}

impl Script {
    /// A code for the user who is signed in.
    fn issue(&mut self, request: HashMap<String, String>) -> String {
        self.issued += 1;
        let code = format!("code-{}", self.issued);
        self.codes.insert(code.clone(), (request, self.claims.clone()));
        code
    }
}

impl Script {
    /// Access token and refresh token, each of a name that was not used before.
    fn tokens(&mut self, claims: Value) -> Value {
        let number = self.redeemed + self.refreshed;
        let (access_token, refresh_token) = (format!("access-{number}"), format!("refresh-{number}"));
        self.access_tokens.insert(access_token.clone(), claims.clone());
        let mut body = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": self.lifetime_s, "scope": "openid files",
        });
        if !self.withholds_refresh_tokens {
            self.refresh_tokens.insert(refresh_token.clone(), claims);
            body["refresh_token"] = refresh_token.into();
        }
        body
    }
}

impl Issuer {
    /// One that signs ID tokens, and is not served.
    pub(super) fn new(url: String) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let state = Mutex::new(Script { lifetime_s: 3_600, ..Script::default() });
        Self(Arc::new(Inner { url, key, state }))
    }

    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self::new(url);
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// The settings of a server that offers this provider as `acme`, and what is set besides.
    pub(crate) fn settings<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut settings = vec![
            ("providers.acme.issuer", self.url()),
            ("providers.acme.client_id", CLIENT_ID),
            ("providers.acme.client_secret", CLIENT_SECRET),
            ("sign_in.provider_allowed_hosts", "127.0.0.1"),
            ("sign_in.redirect_urls", super::APP),
        ];
        settings.extend_from_slice(more);
        settings
    }

    /// Who signs in from now on.
    pub(crate) fn user(&self, claims: Value) {
        self.0.state.lock().unwrap().claims = claims;
    }

    pub(crate) fn cancel(&self) {
        self.0.state.lock().unwrap().cancels = true;
    }

    pub(super) fn go_down(&self) {
        self.0.state.lock().unwrap().is_down = true;
    }

    pub(super) fn come_back(&self) {
        self.0.state.lock().unwrap().is_down = false;
    }

    /// How long access tokens are valid that are issued from now on, in seconds.
    pub(super) fn set_lifetime_s(&self, seconds: u32) {
        self.0.state.lock().unwrap().lifetime_s = seconds;
    }

    pub(super) fn withhold_refresh_tokens(&self) {
        self.0.state.lock().unwrap().withholds_refresh_tokens = true;
    }

    /// The user withdraws their consent.
    pub(super) fn revoke_refresh_tokens(&self) {
        self.0.state.lock().unwrap().refresh_tokens.clear();
    }

    /// How often tokens were refreshed.
    pub(super) fn refreshed(&self) -> u32 {
        self.0.state.lock().unwrap().refreshed
    }

    /// How many codes were redeemed.
    pub(super) fn redeemed(&self) -> u32 {
        self.0.state.lock().unwrap().redeemed
    }

    /// The settings of a server that offers this provider as `plain` too: as an OAuth 2 server without ID tokens.
    pub(super) fn plain_settings(&self) -> Vec<(&'static str, String)> {
        let url = |path: &str| format!("{}/{path}", self.url());
        vec![
            ("providers.plain.authorization_url", url("authorize")),
            ("providers.plain.token_url", url("token")),
            ("providers.plain.userinfo_url", url("userinfo")),
            ("providers.plain.client_id", CLIENT_ID.to_owned()),
            ("providers.plain.client_secret", CLIENT_SECRET.to_owned()),
            ("providers.plain.claims.subject", "sub".to_owned()),
        ]
    }

    /// A code that a native application obtained by a request of its own with these parameters.
    pub(super) fn code(&self, request: &[(&str, &str)]) -> String {
        let mut request: HashMap<String, String> =
            request.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        request.entry("client_id".to_owned()).or_insert_with(|| CLIENT_ID.to_owned());
        self.0.state.lock().unwrap().issue(request)
    }

    /// An ID token, as the SDK of a native application gets it.
    #[expect(clippy::disallowed_methods, reason = "a provider lives by real time")]
    pub(crate) fn id_token(&self, nonce: &str, claims: &Value) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({"iss": self.url(), "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": "1", "typ": "JWT"})), encode(&all));
        let signature = self.0.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn metadata(State(issuer): State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "authorization_response_iss_parameter_supported": true,
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
    }))
}

pub(super) async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
    let (x, y) = issuer.0.key.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Json(json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": x, "y": y}]}))
}

async fn authorize(State(issuer): State<Issuer>, Query(request): Query<HashMap<String, String>>) -> Response {
    assert_eq!(request["client_id"], CLIENT_ID);
    assert_eq!((request["response_type"].as_str(), request["code_challenge_method"].as_str()), ("code", "S256"));
    let (redirect_uri, state) = (request["redirect_uri"].clone(), request["state"].clone());
    let mut script = issuer.0.state.lock().unwrap();
    if script.cancels {
        let location = format!("{redirect_uri}?error=access_denied&state={state}&iss={}", issuer.url());
        return (StatusCode::FOUND, [("location", location)]).into_response();
    }
    let code = script.issue(request);
    // Providers send parameters of their own.
    let location = format!("{redirect_uri}?code={code}&state={state}&iss={}&scope=openid&authuser=0", issuer.url());
    (StatusCode::FOUND, [("location", location)]).into_response()
}

async fn token(State(issuer): State<Issuer>, headers: http::HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    if form["grant_type"] == "refresh_token" {
        // Long enough for a second request with the same token to arrive.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let mut script = issuer.0.state.lock().unwrap();
    if script.is_down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let Some(client_id) = client_of(&headers, &form) else { return refused("invalid_client") };
    if let Some(token) = form.get("refresh_token") {
        let Some(claims) = script.refresh_tokens.remove(token) else {
            // A refresh token was used twice: all are revoked (RFC 9700 §4.14.2).
            script.refresh_tokens.clear();
            return refused("invalid_grant");
        };
        script.refreshed += 1;
        return Json(script.tokens(claims)).into_response();
    }
    let Some((request, mut claims)) = form.get("code").and_then(|code| script.codes.remove(code)) else {
        return refused("invalid_grant");
    };
    let challenge = |verifier: &String| URL_SAFE_NO_PAD.encode(super::sha256(verifier.as_bytes()));
    if request["client_id"] != client_id
        || request.get("code_challenge") != form.get("code_verifier").map(challenge).as_ref()
        || request.get("redirect_uri") != form.get("redirect_uri")
    {
        return refused("invalid_grant");
    }
    script.redeemed += 1;
    let mut body = script.tokens(claims.clone());
    claims["aud"] = json!(client_id);
    let nonce = request.get("nonce").map(String::as_str).unwrap_or_default();
    body["id_token"] = issuer.id_token(nonce, &claims).into();
    Json(body).into_response()
}

/// The client that authenticated.
fn client_of(headers: &http::HeaderMap, form: &HashMap<String, String>) -> Option<String> {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    match (headers.get("authorization"), form.get("client_id").map(String::as_str), form.get("client_secret")) {
        (Some(value), _, None) if *value == basic => Some(CLIENT_ID.to_owned()),
        (None, Some(CLIENT_ID), Some(secret)) if secret == CLIENT_SECRET => Some(CLIENT_ID.to_owned()),
        // A client without a secret that sends one has leaked it.
        (None, Some(NATIVE_ID), None) => Some(NATIVE_ID.to_owned()),
        _ => None,
    }
}

async fn userinfo(State(issuer): State<Issuer>, headers: http::HeaderMap) -> Response {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let script = issuer.0.state.lock().unwrap();
    match token.and_then(|token| script.access_tokens.get(token)) {
        Some(claims) => Json(claims.clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
