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
    /// How many codes were redeemed.
    redeemed: u32,
    issued: u32,
    /// Whether the user cancels.
    cancels: bool,
    /// Whether the token endpoint fails.
    is_down: bool,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let issuer = Self(Arc::new(Inner { url, key, state: Mutex::default() }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
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

    /// How many codes were redeemed.
    pub(super) fn redeemed(&self) -> u32 {
        self.0.state.lock().unwrap().redeemed
    }

    /// An ID token, as the SDK of a native application gets it.
    #[expect(clippy::disallowed_methods, reason = "a provider lives by real time")]
    pub(super) fn id_token(&self, nonce: &str, claims: &Value) -> String {
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

async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
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
    script.issued += 1;
    let code = format!("code-{}", script.issued);
    let claims = script.claims.clone();
    script.codes.insert(code.clone(), (request, claims));
    // Providers send parameters of their own.
    let location = format!("{redirect_uri}?code={code}&state={state}&iss={}&scope=openid&authuser=0", issuer.url());
    (StatusCode::FOUND, [("location", location)]).into_response()
}

async fn token(State(issuer): State<Issuer>, headers: http::HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let mut script = issuer.0.state.lock().unwrap();
    if script.is_down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let is_client = match headers.get("authorization") {
        Some(value) => *value == basic,
        None => form.get("client_secret").map(String::as_str) == Some(CLIENT_SECRET),
    };
    if !is_client {
        return refused("invalid_client");
    }
    let Some((request, claims)) = form.get("code").and_then(|code| script.codes.remove(code)) else {
        return refused("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(super::sha256(form["code_verifier"].as_bytes()));
    if challenge != request["code_challenge"] || form["redirect_uri"] != request["redirect_uri"] {
        return refused("invalid_grant");
    }
    script.redeemed += 1;
    let id_token = issuer.id_token(&request["nonce"], &claims);
    Json(json!({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})).into_response()
}
