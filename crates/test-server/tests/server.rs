//! The server for tests: it starts on both databases, and its parts work together.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue says where")]

use denizen::hooks::{Hooks, Refusal, SignUpRequest};
use denizen_test_server::{FakeProvider, PASSWORD, TestServer};
use serde_json::json;

async fn check(server: TestServer) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (ada, root) = (server.user().await, server.user_with(|new| new.role("admin")).await);
    assert_ne!(ada.email, root.email);
    let status = async |token: &str| {
        let request = client.get(format!("{}/api/v1/users", server.url())).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(&ada.access_token).await, status(&root.access_token).await), (403, 200));
    let verifier = denizen_client::Verifier::builder(server.url()).audience("denizen").build().unwrap();
    assert_eq!(verifier.verify(&ada.access_token).await.unwrap().subject(), ada.user.id.as_uuid());

    let reset = json!({"email": ada.email});
    client.post(format!("{}/api/v1/password-resets", server.url())).json(&reset).send().await.unwrap();
    let mail = server.mail_to(&ada.email, "password").await;
    let new = json!({"token": mail.token().unwrap(), "new_password": "another long password"});
    let confirmed =
        client.post(format!("{}/api/v1/password-resets/confirm", server.url())).json(&new).send().await.unwrap();
    assert!(confirmed.status().is_success(), "{}", confirmed.text().await.unwrap());
    assert_eq!(server.sign_in(&ada.email, "another long password").await.user.id, ada.user.id);

    server.clock().advance_s(901);
    assert_eq!(status(&root.access_token).await, 401);
    assert_eq!(status(&server.sign_in(&root.email, PASSWORD).await.access_token).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    check(TestServer::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    check(TestServer::builder().postgres().start().await).await;
}

struct Closed;

impl Hooks for Closed {
    async fn before_sign_up(&self, _: &SignUpRequest) -> Result<(), Refusal> {
        Err(Refusal::new("Not yet."))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_hooks_and_settings() {
    let server = TestServer::builder().hooks(Closed).set("product.name", "Shop").start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let new = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let refused = client.post(format!("{}/api/v1/users", server.url())).json(&new).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let start: serde_json::Value = client.get(server.url()).send().await.unwrap().json().await.unwrap();
    assert_eq!(start["name"], "Shop");
    // The database goes with the server.
    let file = server.database_url().trim_start_matches("sqlite://").to_owned();
    assert!(std::path::Path::new(&file).exists());
    drop(server);
    assert!(!std::path::Path::new(&file).exists());
}

/// Where the application of the test waits.
const APP: &str = "https://app.example.com/signed-in";
/// A PKCE verifier and its challenge (RFC 7636, appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_provider() {
    let provider = FakeProvider::start().await;
    let server = TestServer::builder().provider("acme", &provider, APP).start().await;
    provider.sign_in_as(json!({"sub": "1", "email": "ada@example.com", "email_verified": true, "name": "Ada"}));
    let policy = reqwest::redirect::Policy::none();
    let browser = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
    let location = |response: &reqwest::Response| response.headers()["location"].to_str().unwrap().to_owned();

    let start = format!("{}/api/v1/auth/acme?redirect_to={APP}&code_challenge={CHALLENGE}", server.url());
    let begun = browser.get(start).send().await.unwrap();
    let cookie = begun.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let at_provider = browser.get(location(&begun)).send().await.unwrap();
    let end = browser.get(location(&at_provider)).header("cookie", cookie).send().await.unwrap();
    let end = location(&end);
    let code = end.strip_prefix(&format!("{APP}?code=")).unwrap_or_else(|| panic!("no code: {end}"));

    let exchange = json!({"code": code, "code_verifier": VERIFIER});
    let opened =
        browser.post(format!("{}/api/v1/sessions/exchange", server.url())).json(&exchange).send().await.unwrap();
    assert_eq!(opened.status(), 201);
    let user = server.denizen().accounts().find_user_by_email("ada@example.com").await.unwrap().unwrap();
    assert!(user.email_verified);
}
