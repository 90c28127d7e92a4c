//! A server that behaves like Sign in with Apple: a client secret that the private key signs, a response as a form, `"true"`
//! as text, and a name that is sent once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::issuer::{Issuer, keys};
use super::native::nonce;
use super::{APP, Browser, exchange, location, param, sha256, signed_in};
use crate::harness::{TestApp, World, field_problem, on_both, problem};

const SERVICES_ID: &str = "com.example.web";
const BUNDLE_ID: &str = "com.example.app";
const TEAM_ID: &str = "TEAM123456";
const KEY_ID: &str = "KEY1234567";

#[derive(Clone)]
struct Apple(Arc<Inner>);

struct Inner {
    /// Signs the ID tokens.
    issuer: Issuer,
    /// The key that the operator downloaded.
    private_key: EcdsaKeyPair,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    claims: Value,
    has_consented: bool,
    /// The client and the nonce of each code that was not redeemed.
    codes: HashMap<String, (String, String)>,
    issued: u32,
}

impl Apple {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Issuer::new(format!("http://{}", listener.local_addr().unwrap()));
        let private_key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let claims = json!({"sub": "000123.abc.0456", "email": "x7@privaterelay.appleid.com", "email_verified": "true",
            "is_private_email": "true", "nonce_supported": true});
        let state = Mutex::new(Script { claims, ..Script::default() });
        let server = Self(Arc::new(Inner { issuer: issuer.clone(), private_key, state }));
        let own = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/auth/authorize", get(authorize))
            .route("/auth/token", post(token))
            .with_state(server.clone());
        let router = Router::new().route("/auth/keys", get(keys)).with_state(issuer).merge(own);
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn url(&self) -> &str {
        self.0.issuer.url()
    }

    /// The key file, as the operator downloads it once.
    fn key_file(&self) -> String {
        pem(&self.0.private_key)
    }

    async fn serve(&self, world: &World, key_file: &str) -> TestApp {
        let settings = [
            ("providers.acme.preset", "apple"),
            ("providers.acme.issuer", self.url()),
            ("providers.acme.client_id", SERVICES_ID),
            ("providers.acme.native_client_ids", BUNDLE_ID),
            ("providers.acme.team_id", TEAM_ID),
            ("providers.acme.key_id", KEY_ID),
            ("providers.acme.client_secret", key_file),
            ("sign_in.provider_allowed_hosts", "127.0.0.1"),
            ("sign_in.redirect_urls", APP),
        ];
        world.serve(&settings).await
    }

    fn set(&self, name: &str, value: Value) {
        self.0.state.lock().unwrap().claims[name] = value;
    }

    /// A code that the SDK on the device obtained.
    fn code(&self, client_id: &str, nonce: &str) -> String {
        self.0.state.lock().unwrap().issue(client_id, nonce)
    }
}

impl Script {
    fn issue(&mut self, client_id: &str, nonce: &str) -> String {
        self.issued += 1;
        let code = format!("c{}.0.code", self.issued);
        self.codes.insert(code.clone(), (client_id.to_owned(), nonce.to_owned()));
        code
    }
}

fn pem(key: &EcdsaKeyPair) -> String {
    let text = STANDARD.encode(key.to_pkcs8v1().unwrap().as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

async fn metadata(State(server): State<Apple>) -> Json<Value> {
    let url = server.url();
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/auth/authorize"),
        "token_endpoint": format!("{url}/auth/token"), "jwks_uri": format!("{url}/auth/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }))
}

/// A page with a form that submits itself.
async fn authorize(State(server): State<Apple>, Query(request): Query<HashMap<String, String>>) -> Response {
    assert_eq!(request["client_id"], SERVICES_ID);
    assert_eq!(request["response_mode"], "form_post", "required with scopes");
    let mut script = server.0.state.lock().unwrap();
    let code = script.issue(SERVICES_ID, &request["nonce"]);
    let mut fields = vec![("state", request["state"].clone()), ("code", code)];
    if !std::mem::replace(&mut script.has_consented, true) {
        // The name is not signed, and sent once.
        let user = json!({"name": {"firstName": "Ada", "lastName": "Lovelace"}, "email": "evil@example.com"});
        fields.push(("user", user.to_string()));
    }
    Json(json!({"action": request["redirect_uri"], "form": serde_urlencoded::to_string(fields).unwrap()}))
        .into_response()
}

async fn token(State(server): State<Apple>, body: String) -> Response {
    let form: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    if !is_signed(&server, &form["client_secret"], &form["client_id"]) {
        return refused("invalid_client");
    }
    let mut script = server.0.state.lock().unwrap();
    let issued = script.codes.remove(&form["code"]).filter(|(client_id, _)| *client_id == form["client_id"]);
    let Some((client_id, nonce)) = issued else { return refused("invalid_grant") };
    let mut claims = script.claims.clone();
    claims["aud"] = json!(client_id);
    let id_token = server.0.issuer.id_token(&nonce, &claims);
    Json(json!({"access_token": "a1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r1", "id_token": id_token}))
        .into_response()
}

/// Whether the operator's key signed the secret, for this client, and not for long.
#[expect(clippy::disallowed_methods, reason = "a provider lives by real time")]
fn is_signed(server: &Apple, secret: &str, client_id: &str) -> bool {
    let (message, signature) = secret.rsplit_once('.').unwrap();
    let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, server.0.private_key.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let part = |text: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap() };
    let (header, claims) = message.split_once('.').map(|(header, claims)| (part(header), part(claims))).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let half_a_year_s = 15_777_000;
    public_key.verify(message.as_bytes(), &signature).is_ok()
        && header["alg"] == "ES256"
        && header["kid"] == KEY_ID
        && claims["iss"] == TEAM_ID
        && claims["sub"] == client_id
        && claims["aud"] == "https://appleid.apple.com"
        && claims["exp"].as_u64().is_some_and(|exp| exp > now && exp < now + half_a_year_s)
}

/// Submits the form of Apple's page: from another site, so that the browser sends no cookie of ours. Returns the URL that the
/// browser is redirected to.
async fn submit(browser: &mut Browser, app: &TestApp) -> String {
    let at_provider = browser.begin(app).await;
    let page: Value = browser.client.get(&at_provider).send().await.unwrap().json().await.unwrap();
    let request = browser.client.post(page["action"].as_str().unwrap());
    let request = request.header("origin", "https://appleid.apple.com").header("sec-fetch-site", "cross-site");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(page["form"].as_str().unwrap().to_owned()).send().await.unwrap();
    assert!(response.headers().get("set-cookie").is_none());
    reqwest::Url::parse(&app.url).unwrap().join(&location(&response)).unwrap().into()
}

async fn end_of(app: &TestApp) -> String {
    let mut browser = Browser::new();
    let next = submit(&mut browser, app).await;
    location(&browser.get(&next).await)
}

async fn code(app: &TestApp) -> String {
    let end = end_of(app).await;
    param(&end, "code").unwrap_or_else(|| panic!("no code: {end}"))
}

on_both! {
    async fn the_first_sign_in_brings_the_name_and_the_next_ones_keep_it(world: World) {
        let apple = Apple::start().await;
        let app = apple.serve(&world, &apple.key_file()).await;
        let first = signed_in(&app, &code(&app).await).await;
        let user = &first["user"];
        assert_eq!((&user["name"], &user["email"], &user["email_verified"]),
            (&json!("Ada Lovelace"), &json!("x7@privaterelay.appleid.com"), &json!(true)));
        let second = signed_in(&app, &code(&app).await).await;
        assert_eq!((&second["user"]["id"], &second["user"]["name"]), (&user["id"], &user["name"]));
    }

    async fn false_as_text_is_not_verified(world: World) {
        let apple = Apple::start().await;
        let app = apple.serve(&world, &apple.key_file()).await;
        for value in [json!("false"), json!(""), json!(null), json!(false)] {
            apple.set("email_verified", value);
            problem(exchange(&app, &code(&app).await).await, 403, "email_unverified").await;
        }
    }

    async fn a_form_goes_on_in_the_browser_that_began_only(world: World) {
        let apple = Apple::start().await;
        let app = apple.serve(&world, &apple.key_file()).await;
        let mut browser = Browser::new();
        let next = submit(&mut browser, &app).await;
        field_problem(Browser::new().get(&next).await, "state", "invalid_state").await;
        let mut victim = Browser::new();
        victim.begin(&app).await;
        field_problem(victim.get(&next).await, "state", "invalid_state").await;
        let form = param(&next, "form").unwrap();
        let altered = format!("{}?form={}", next.split('?').next().unwrap(), form.replacen(char::is_alphanumeric, "-", 1));
        field_problem(browser.get(&altered).await, "form", "invalid_state").await;
        let end = location(&browser.get(&next).await);
        assert!(param(&end, "code").is_some(), "{end}");
        // The code of Apple was redeemed.
        let end = location(&browser.get(&next).await);
        assert_eq!(param(&end, "error").as_deref(), Some("provider_refused"), "{end}");
    }

    async fn a_secret_of_another_key_is_refused(world: World) {
        let apple = Apple::start().await;
        let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let app = apple.serve(&world, &pem(&other)).await;
        let end = end_of(&app).await;
        assert_eq!(param(&end, "error").as_deref(), Some("provider_refused"), "{end}");
    }

    async fn a_native_code_is_redeemed_with_a_secret_for_the_bundle_id(world: World) {
        let apple = Apple::start().await;
        let app = apple.serve(&world, &apple.key_file()).await;
        let made = nonce(&app).await;
        // The SDK sends the digest of the nonce.
        let digest = sha256(made.as_bytes()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let sign_in = async |code: String, client_id: Option<&str>| {
            let body = json!({"authorization_code": code, "nonce": made, "client_id": client_id});
            app.post("/api/v1/sessions/acme", &body).await
        };
        let refused = sign_in(apple.code(BUNDLE_ID, &digest), None).await;
        problem(refused, 401, "provider_refused").await;
        let refused = sign_in(apple.code(BUNDLE_ID, "another"), Some(BUNDLE_ID)).await;
        problem(refused, 401, "provider_refused").await;
        let response = sign_in(apple.code(BUNDLE_ID, &digest), Some(BUNDLE_ID)).await;
        assert_eq!(response.status(), 201);
        let native: Value = response.json().await.unwrap();
        // The same user as in the browser.
        let browser = signed_in(&app, &code(&app).await).await;
        assert_eq!(native["user"]["id"], browser["user"]["id"]);
    }
}
