//! `denizen-client` against this server: other services verify our tokens with it.

use std::time::Duration;

use denizen_client::{InvalidToken, RevocationFeed, Verifier, VerifyError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Db, TestApp, eventually, on_both};

const REVOKED: VerifyError = VerifyError::Invalid(InvalidToken::Revoked);
/// How long is waited for a change to reach the verifier; it takes milliseconds.
const NOTICED: Duration = Duration::from_secs(20);

/// A service in another process would do the same: it knows an address, an API key, the issuer and the audience.
pub(crate) async fn service(app: &TestApp) -> (Verifier, RevocationFeed) {
    let account = app.service_account("user").await;
    let key = app.service_key(&account, "").await;
    let feed = RevocationFeed::builder(&app.url).api_key(key.secret).start().unwrap();
    let builder = Verifier::builder("https://accounts.example.com").audience("denizen").server_url(&app.url);
    let verifier = builder.revocations(feed.clone()).build().unwrap();
    feed.caught_up().await;
    (verifier, feed)
}

async fn is_revoked(verifier: &Verifier, token: &str) -> bool {
    match verifier.verify(token).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error, REVOKED);
            true
        }
    }
}

on_both! {
    async fn a_sign_out_elsewhere_is_noticed(app: TestApp) {
        let (verifier, feed) = service(&app).await;
        let user = app.user().await;
        let again = app.sign_in(&user.email).await;
        let claims = verifier.verify(&user.token).await.unwrap().user().unwrap();
        assert_eq!((claims.id().to_string(), claims.session().to_string()), (user.id.clone(), user.session_id.clone()));
        assert_eq!((claims.email(), claims.amr().collect::<Vec<_>>()), (Some(user.email.as_str()), vec!["pwd"]));
        assert!(claims.require_recent(Duration::from_mins(1)).is_ok());
        assert!(claims.require_role("user").is_ok() && claims.require_role("admin").is_err());

        assert!(app.delete("/api/v1/sessions/current", &user.token).await.status().is_success());
        eventually("sign-out", NOTICED, async || is_revoked(&verifier, &user.token).await).await;
        // The other session is untouched.
        assert!(verifier.verify(&again.token).await.is_ok());
        assert!(feed.is_current());
    }

    async fn what_ended_before_the_service_started_is_known(app: TestApp) {
        let (admin, out, disabled) = (app.admin().await, app.user().await, app.user().await);
        app.delete("/api/v1/sessions/current", &out.token).await;
        app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await;
        let (verifier, _feed) = service(&app).await;
        assert!(is_revoked(&verifier, &out.token).await);
        assert!(is_revoked(&verifier, &disabled.token).await);
        let admin = verifier.verify(&admin.token).await.unwrap();
        assert!(admin.require_permission("users:write").is_ok());
    }

    async fn a_deleted_key_takes_its_tokens_with_it(app: TestApp) {
        let (verifier, _feed) = service(&app).await;
        let admin = app.admin().await;
        let role = app.fresh_role("users:read").await;
        let account = app.service_account(&role).await;
        let key = app.service_key(&account, "users:read").await;
        let request = app.request(Method::POST, "/oauth2/token", None).basic_auth(&account, Some(&key.secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body("grant_type=client_credentials&scope=users:read").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body: Value = response.json().await.unwrap();
        let token = body["access_token"].as_str().unwrap();
        let claims = verifier.verify(token).await.unwrap();
        assert_eq!((claims.subject().to_string(), claims.api_key_id().unwrap().to_string()), (account, key.id.clone()));
        assert!(claims.has_permission("users:read") && claims.user().is_none());
        assert!(app.delete(&key.path(), &admin.token).await.status().is_success());
        eventually("the key", NOTICED, async || is_revoked(&verifier, token).await).await;
    }
}

/// Each algorithm that publishes keys; the issuer is where it is, so that its metadata leads to the keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_every_algorithm_are_verified_by_discovery() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let settings = [("tokens.issuer", issuer.as_str()), ("tokens.algorithm", algorithm)];
        let world = crate::harness::World::new(Db::Sqlite).await;
        let app = world.serve_on(listener, &settings, denizen::app::Ambience::default()).await;
        let user = app.user().await;
        let verifier = Verifier::builder(&issuer).audience("denizen").build().unwrap();
        let claims = verifier.verify(&user.token).await.unwrap();
        assert_eq!(claims.subject().to_string(), user.id, "{algorithm}");
        let other = Verifier::builder(&issuer).audience("other").build().unwrap();
        assert_eq!(other.verify(&user.token).await, Err(InvalidToken::WrongAudience.into()));
    }
}

/// A token of a new key is accepted, and one of the key before it still is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_is_found() {
    let app = TestApp::start(Db::Sqlite).await;
    let builder = Verifier::builder("https://accounts.example.com").audience("denizen").server_url(&app.url);
    let verifier = builder.unknown_key_interval(Duration::ZERO).build().unwrap();
    let before = app.user().await;
    assert!(verifier.verify(&before.token).await.is_ok());
    denizen_domain::keys::rotate(&app.operator(), denizen_domain::keys::Takeover::Immediate).await.unwrap();
    let after = app.user().await;
    // Fetches of keys are at least a second apart.
    let is_accepted = async || verifier.verify(&after.token).await.is_ok();
    eventually("the new key", Duration::from_secs(5), is_accepted).await;
    assert!(verifier.verify(&before.token).await.is_ok());
}

on_both! {
    async fn every_sign_out_is_noticed(app: TestApp) {
        let (verifier, _feed) = service(&app).await;
        let user = app.user().await;
        for _ in 0..10 {
            let session = app.sign_in(&user.email).await;
            assert!(verifier.verify(&session.token).await.is_ok());
            assert!(app.delete("/api/v1/sessions/current", &session.token).await.status().is_success());
            let is_noticed = async || is_revoked(&verifier, &session.token).await;
            eventually("the sign-out is noticed", Duration::from_secs(20), is_noticed).await;
        }
    }
}
