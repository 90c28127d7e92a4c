//! An OpenID provider in the process of the test: discovery, authorization code with PKCE, ES256 keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The client id of the server.
pub(crate) const CLIENT_ID: &str = "denizen";
/// The client secret of the server.
pub(crate) const CLIENT_SECRET: &str = "a secret of the tests";
/// The lifetime of an ID token, in seconds.
const LIFETIME_S: u64 = 300;
/// The coordinates of a point on P-256, in bytes.
const COORDINATE: usize = 32;

type Parameters = HashMap<String, String>;

/// An outside provider. Its authorization endpoint redirects back at once, with the user that the test has set signed in.
///
/// [`TestServerBuilder::provider`](crate::TestServerBuilder::provider) makes a server offer it.
pub struct FakeProvider {
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    url: String,
    key: EcdsaKeyPair,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    /// The claims of the user; `None` if the user cancels.
    user: Option<Value>,
    /// The requests and users of codes that were not redeemed.
    codes: HashMap<String, (Parameters, Value)>,
    issued: u32,
}

impl FakeProvider {
    /// A provider on a free port, whose users cancel until [`Self::sign_in_as`].
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the address of the listener"));
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key is generated");
        let inner = Arc::new(Inner { url, key, script: Mutex::default() });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(Arc::clone(&inner));
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(until.cancelled_owned()).await },
        );
        Self { inner, _stop: stop.drop_guard() }
    }

    /// The issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Who signs in from now on, as claims of the ID token: `sub`, `email`, `email_verified`, `name` and others.
    pub fn sign_in_as(&self, claims: Value) {
        self.inner.script().user = Some(claims);
    }

    /// From now on, users cancel the sign-in.
    pub fn cancel(&self) {
        self.inner.script().user = None;
    }
}

impl Inner {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id_token(&self, nonce: Option<&String>, claims: &Value) -> String {
        let now = now_s();
        let mut all = json!({"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + LIFETIME_S, "nonce": nonce});
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": "1", "typ": "JWT"})), encode(&all));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("the key signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn metadata(State(provider): State<Arc<Inner>>) -> Json<Value> {
    let url = &provider.url;
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(provider): State<Arc<Inner>>) -> Json<Value> {
    let (x, y) = provider.key.public_key().as_ref()[1..].split_at(COORDINATE);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Json(json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": x, "y": y}]}))
}

async fn authorize(State(provider): State<Arc<Inner>>, Query(request): Query<Parameters>) -> Response {
    let (Some(back), Some(state)) = (request.get("redirect_uri").cloned(), request.get("state").cloned()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut script = provider.script();
    let Some(user) = script.user.clone() else {
        return Redirect::to(&format!("{back}?error=access_denied&state={state}")).into_response();
    };
    script.issued += 1;
    let code = format!("code-{}", script.issued);
    script.codes.insert(code.clone(), (request, user));
    Redirect::to(&format!("{back}?code={code}&state={state}")).into_response()
}

async fn token(State(provider): State<Arc<Inner>>, Form(form): Form<Parameters>) -> Response {
    let redeemed = form.get("code").and_then(|code| provider.script().codes.remove(code));
    let challenge = |verifier: &String| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let Some((request, user)) = redeemed.filter(|(request, _)| {
        request.get("code_challenge") == form.get("code_verifier").map(challenge).as_ref()
            && request.get("redirect_uri") == form.get("redirect_uri")
    }) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    };
    let id_token = provider.id_token(request.get("nonce"), &user);
    Json(json!({"access_token": "access", "token_type": "Bearer", "expires_in": LIFETIME_S, "id_token": id_token}))
        .into_response()
}

#[expect(clippy::disallowed_methods, reason = "a provider has the time of the system")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
