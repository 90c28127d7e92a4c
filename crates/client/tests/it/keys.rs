//! How keys are found, fetched, refreshed and given up.

use std::time::Duration;

use denizen_client::{InvalidToken, VerifyError};
use serde_json::{Value, json};

use crate::support::{Alg, Fixture, ISSUER, Issuer, Net, Reply};

const UNKNOWN: Result<(), VerifyError> = Err(VerifyError::Invalid(InvalidToken::UnknownKey));
const UNAVAILABLE: Result<(), VerifyError> = Err(VerifyError::KeysUnavailable);

impl Fixture {
    async fn outcome(&self, token: &str) -> Result<(), VerifyError> {
        self.verifier.verify(token).await.map(drop)
    }

    /// Lets fetches in the background end.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn without_a_runtime_keys_are_unavailable() {
    let fixture = Fixture::new();
    assert_eq!(fixture.verifier.verify_now(&fixture.issuer.token()).map(drop), UNAVAILABLE);
}

fn of_unknown_key(issuer: &Issuer, kid: &str) -> String {
    issuer.token_of(Alg::Es256, &json!({"kid": kid}), &json!({}))
}

#[tokio::test]
async fn concurrent_requests_cause_one_fetch() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (verifier, token) = (fixture.verifier.clone(), token.clone());
        tasks.spawn(async move { verifier.verify(&token).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|is_accepted| is_accepted));
    assert_eq!((fixture.net.count(Net::METADATA), fixture.net.count(Net::JWKS)), (1, 1));
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_fetch() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    {
        let mut leaving = std::pin::pin!(fixture.verifier.verify(&token));
        std::future::poll_fn(|cx| {
            assert!(leaving.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    fixture.settle().await;
    assert!(fixture.verifier.verify_now(&token).is_ok());
    assert_eq!(fixture.net.count(Net::JWKS), 1);
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_once_in_an_interval() {
    let fixture = Fixture::new();
    assert_eq!(fixture.outcome(&fixture.issuer.token()).await, Ok(()));
    for kid in ["a", "b", "c"] {
        assert_eq!(fixture.outcome(&of_unknown_key(fixture.issuer, kid)).await, UNKNOWN);
    }
    // The keys were fetched a moment ago.
    assert_eq!(fixture.net.count(Net::JWKS), 1);
    fixture.clock.advance(10);
    for kid in ["a", "b", "c"] {
        assert_eq!(fixture.outcome(&of_unknown_key(fixture.issuer, kid)).await, UNKNOWN);
    }
    assert_eq!(fixture.net.count(Net::JWKS), 2);
}

#[tokio::test]
async fn a_new_key_is_found() {
    let fixture = Fixture::new();
    fixture.net.reply(Net::JWKS, Reply::json(&json!({"keys": [fixture.issuer.jwk(Alg::EdDsa)]})));
    let token = fixture.issuer.token();
    assert_eq!(fixture.outcome(&token).await, UNKNOWN);
    fixture.net.serve_issuer(fixture.issuer);
    fixture.clock.advance(10);
    assert_eq!(fixture.outcome(&token).await, Ok(()));
}

#[tokio::test]
async fn a_removed_key_takes_its_cached_tokens_with_it() {
    let fixture = Fixture::new();
    let (token, other) = (fixture.issuer.token(), fixture.issuer.token_of(Alg::EdDsa, &json!({}), &json!({})));
    assert_eq!((fixture.outcome(&token).await, fixture.outcome(&other).await), (Ok(()), Ok(())));
    fixture.net.reply(Net::JWKS, Reply::json(&json!({"keys": [fixture.issuer.jwk(Alg::EdDsa)]})));
    fixture.clock.advance(301);
    // Found to be old, and refreshed in the background.
    assert_eq!(fixture.outcome(&token).await, Ok(()));
    fixture.settle().await;
    assert_eq!((fixture.outcome(&token).await, fixture.outcome(&other).await), (UNKNOWN, Ok(())));
}

#[tokio::test]
async fn a_replaced_key_with_the_same_id_takes_its_cached_tokens_with_it() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    assert_eq!(fixture.outcome(&token).await, Ok(()));
    fixture.net.serve_issuer(Issuer::other());
    fixture.clock.advance(601);
    // After a long pause, the verification waits for the new keys.
    assert_eq!(fixture.outcome(&token).await, Err(InvalidToken::BadSignature.into()));
}

#[tokio::test]
async fn the_last_keys_are_used_while_the_issuer_is_unreachable_and_then_no_more() {
    let fixture = Fixture::with(|builder| builder.keys_max_age(Duration::from_secs(800)));
    let token = fixture.issuer.token();
    assert_eq!(fixture.outcome(&token).await, Ok(()));
    for reply in [Reply::Unreachable, Reply::status(503), Reply::json(&json!({"keys": []}))] {
        fixture.net.reply(Net::JWKS, reply);
        fixture.clock.advance(260);
        assert_eq!(fixture.outcome(&token).await, Ok(()));
        fixture.settle().await;
    }
    assert_eq!(fixture.net.count(Net::JWKS), 3);
    // A key that is unknown may be new.
    assert_eq!(fixture.outcome(&of_unknown_key(fixture.issuer, "new")).await, UNAVAILABLE);
    fixture.clock.advance(21);
    assert_eq!(fixture.outcome(&token).await, UNAVAILABLE);
    fixture.net.serve_issuer(fixture.issuer);
    fixture.clock.advance(1);
    assert_eq!(fixture.outcome(&token).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_issuer_delays_the_first_request_only_and_for_a_limited_time() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    fixture.net.reply(Net::JWKS, Reply::Hangs);
    let waited = tokio::time::timeout(Duration::from_millis(5500), fixture.outcome(&token)).await;
    assert_eq!(waited, Ok(UNAVAILABLE));
    // The next attempt is a second later on the clock of the verifier: until then there is none.
    let waited = tokio::time::timeout(Duration::from_millis(1), fixture.outcome(&token)).await;
    assert_eq!(waited, Ok(UNAVAILABLE));
    assert_eq!(fixture.net.count(Net::JWKS), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_for_a_slow_issuer_while_there_are_keys() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    assert_eq!(fixture.outcome(&token).await, Ok(()));
    fixture.net.reply(Net::JWKS, Reply::Hangs);
    fixture.clock.advance(301);
    let waited = tokio::time::timeout(Duration::from_millis(1), fixture.outcome(&token)).await;
    assert_eq!(waited, Ok(Ok(())));
    tokio::time::sleep(Duration::from_secs(6)).await;
    fixture.clock.advance(400);
    let waited = tokio::time::timeout(Duration::from_millis(1), fixture.outcome(&token)).await;
    assert_eq!(waited, Ok(Ok(())));
}

#[tokio::test]
async fn documents_that_are_wrong_are_not_used() {
    let jwk = Issuer::shared().jwk(Alg::Es256);
    let text = |content_type, body: &Value| Reply::full(content_type, body.to_string());
    let many: Vec<Value> = (0..33)
        .map(|number| {
            let mut jwk = jwk.clone();
            jwk["kid"] = format!("key-{number}").into();
            jwk
        })
        .collect();
    let changed = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        Reply::json(&json!({"keys": [jwk]}))
    };
    let replies = [
        ("endless", Reply::Endless),
        ("status", Reply::status(404)),
        ("redirect", Reply::status(302)),
        ("HTML", text("text/html", &json!({"keys": [jwk]}))),
        ("not JSON", Reply::full("application/json", "<html>".to_owned())),
        ("large", Reply::json(&json!({"keys": [jwk], "padding": "a".repeat(70_000)}))),
        ("many", Reply::json(&json!({"keys": many}))),
        ("twice", Reply::json(&json!({"keys": [jwk, jwk]}))),
        ("none", Reply::json(&json!({"keys": []}))),
        ("encryption", changed("use", json!("enc"))),
        ("signing only", changed("key_ops", json!(["sign"]))),
        ("symmetric", Reply::json(&json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "key-ES256"}]}))),
        ("other algorithm", changed("alg", json!("ES384"))),
        ("algorithm of another type", changed("alg", json!("RS256"))),
        ("other curve", changed("crv", json!("P-384"))),
        ("not on the curve", changed("x", jwk["y"].clone())),
        ("short", changed("x", json!("AAAA"))),
    ];
    for (what, reply) in replies {
        let fixture = Fixture::new();
        fixture.net.reply(Net::JWKS, reply);
        assert_eq!(fixture.outcome(&fixture.issuer.token()).await, UNAVAILABLE, "{what}");
    }
}

#[tokio::test]
async fn keys_that_are_not_understood_do_not_harm() {
    let fixture = Fixture::new();
    let keys = json!({"keys": [
        {"kty": "AKP", "alg": "ML-DSA-65", "kid": "later", "pub": "AAAA"}, {"no": "key"}, "text",
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short"}, fixture.issuer.jwk(Alg::Es256),
    ]});
    fixture.net.reply(Net::JWKS, Reply::full("application/jwk-set+json; charset=utf-8", keys.to_string()));
    assert_eq!(fixture.outcome(&fixture.issuer.token()).await, Ok(()));
}

#[tokio::test]
async fn metadata_must_be_the_issuers() {
    let check = async |metadata: Value| {
        let fixture = Fixture::new();
        fixture.net.reply("http://accounts.example.com/.well-known/jwks.json", Reply::json(&fixture.issuer.jwks()));
        fixture.net.reply(Net::METADATA, Reply::json(&metadata));
        assert!(fixture.verifier.refresh_keys().await.is_err(), "{metadata}");
        assert_eq!(fixture.outcome(&fixture.issuer.token()).await, UNAVAILABLE, "{metadata}");
    };
    check(json!({"issuer": "https://evil.example", "jwks_uri": Net::JWKS})).await;
    check(json!({"issuer": ISSUER, "jwks_uri": "http://accounts.example.com/.well-known/jwks.json"})).await;
    check(json!({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"})).await;
    check(json!({"issuer": ISSUER})).await;
}

#[tokio::test]
async fn keys_can_be_fetched_at_startup_and_without_discovery() {
    let fixture = Fixture::with(|builder| builder.server_url("https://internal.example/auth/"));
    fixture.net.reply("https://internal.example/auth/.well-known/jwks.json", Reply::json(&fixture.issuer.jwks()));
    fixture.verifier.refresh_keys().await.unwrap();
    assert!(fixture.verifier.verify_now(&fixture.issuer.token()).is_ok());
    assert_eq!(fixture.net.count(Net::METADATA), 0);
}

#[tokio::test]
async fn verification_without_waiting_fetches_in_the_background() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    let now = || fixture.verifier.verify_now(&token).map(drop);
    assert_eq!(now(), UNAVAILABLE);
    fixture.settle().await;
    assert_eq!(now(), Ok(()));
    let unknown = of_unknown_key(fixture.issuer, "new");
    assert_eq!(fixture.verifier.verify_now(&unknown).map(drop), UNKNOWN);
    fixture.clock.advance(10);
    // It is being looked up.
    assert_eq!(fixture.verifier.verify_now(&unknown).map(drop), UNAVAILABLE);
    fixture.settle().await;
    assert_eq!(fixture.verifier.verify_now(&unknown).map(drop), UNKNOWN);
    assert_eq!(fixture.net.count(Net::JWKS), 2);
}
