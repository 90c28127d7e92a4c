//! Sign in through outside providers, over real HTTP on both sides.

mod admin;
mod apple;
mod attacks;
mod browser;
mod crash;
mod github;
mod grpc;
mod hooked;
pub(crate) mod issuer;
mod links;
mod native;
mod native_codes;
mod revoked;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Response;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// Where the application of the tests waits.
const APP: &str = "https://app.example.com/signed-in";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// The PKCE challenge of a verifier.
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))
}

fn challenge() -> String {
    s256(VERIFIER)
}

/// A browser: it stores the cookie of a flow, and follows redirects one at a time.
struct Browser {
    client: reqwest::Client,
    cookie: Option<String>,
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
impl Browser {
    fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, cookie: None }
    }

    async fn get(&mut self, url: &str) -> Response {
        let mut request = self.client.get(url);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            self.cookie = Some(set.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        response
    }

    /// Goes to the provider; returns the URL there.
    async fn begin(&mut self, app: &TestApp) -> String {
        let url = format!("{}/api/v1/auth/acme?redirect_to={APP}&code_challenge={}", app.url, challenge());
        location(&self.get(&url).await)
    }

    /// Goes to the provider and back; returns the URL of the callback.
    async fn at_callback(&mut self, app: &TestApp) -> String {
        let at_provider = self.begin(app).await;
        let response = self.client.get(&at_provider).send().await.unwrap();
        location(&response)
    }

    /// The whole flow; returns the code for the application.
    async fn sign_in(&mut self, app: &TestApp) -> String {
        let callback = self.at_callback(app).await;
        let end = location(&self.get(&callback).await);
        param(&end, "code").unwrap_or_else(|| panic!("no code: {end}"))
    }
}

fn location(response: &Response) -> String {
    assert!(matches!(response.status().as_u16(), 302 | 303), "{response:?}");
    response.headers()["location"].to_str().unwrap().to_owned()
}

fn param(url: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

async fn exchange(app: &TestApp, code: &str) -> Response {
    app.post("/api/v1/sessions/exchange", &json!({"code": code, "code_verifier": VERIFIER})).await
}

async fn signed_in(app: &TestApp, code: &str) -> Value {
    let response = exchange(app, code).await;
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

pub(crate) fn ada() -> Value {
    json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace", "locale": "de"})
}
