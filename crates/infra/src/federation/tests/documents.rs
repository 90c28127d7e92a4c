//! Metadata and keys that must be refused, and how often they are fetched.

use serde_json::json;

use super::signing::TestKey;
use super::*;

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn outcome(fixture: &Fixture) -> Result<String, String> {
    let identity = fixture.redeem(&fixture.provider(), &fixture.token(json!({}))).await;
    identity.map(|identity| identity.subject)
}

#[tokio::test]
async fn metadata_of_another_issuer_and_other_documents_are_refused() {
    for (changes, check) in [
        (json!({"issuer": "https://evil.example"}), "discovery_issuer"),
        (json!({"issuer": null}), "discovery"),
        (json!({"jwks_uri": null}), "discovery"),
        (json!({"token_endpoint": ["x"]}), "discovery"),
        (json!({"token_endpoint": "http://10.0.0.1/token"}), "address"),
        (json!({"jwks_uri": "https://169.254.169.254/latest"}), "address"),
        (json!({"jwks_uri": "https://localhost:1/keys"}), "address"),
    ] {
        let fixture = Fixture::new().await;
        let mut metadata = fixture.metadata(&fixture.issuer());
        merge(&mut metadata, changes.clone());
        fixture.answer(DISCOVERY, metadata);
        assert_eq!(outcome(&fixture).await.unwrap_err(), check, "{changes}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_slash_is_another_one_although_its_metadata_are_at_the_same_place() {
    let fixture = Fixture::new().await;
    assert!(outcome(&fixture).await.is_ok());
    let issuer = Some(format!("{}/", fixture.issuer()));
    let other = provider(ProviderSettings { issuer, ..fixture.settings() });
    assert_eq!(fixture.authorization_url(&other).await.unwrap_err(), "discovery_issuer");
}

#[tokio::test]
async fn documents_that_redirect_or_are_too_large_are_refused() {
    for path in [DISCOVERY, "/keys"] {
        let name = if path == DISCOVERY { "discovery" } else { "keys" };
        for (response, check) in [
            (ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1/"), "redirect"),
            (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 10 * 1024 * 1024]), "response_size"),
            (ResponseTemplate::new(200).set_body_bytes(b"{".to_vec()), name),
            (ResponseTemplate::new(200).set_body_bytes(b"[]".to_vec()), name),
            (ResponseTemplate::new(404), name),
            (ResponseTemplate::new(503), "unavailable"),
        ] {
            let fixture = Fixture::new().await;
            fixture.respond(path, response);
            assert_eq!(outcome(&fixture).await.unwrap_err(), check, "{path}");
        }
    }
}

#[tokio::test]
async fn more_than_a_hundred_keys_are_refused_and_unusable_ones_ignored() {
    let fixture = Fixture::new().await;
    let keys = |count| json!({"keys": vec![json!({"kty": "oct", "k": "AAAA"}); count]});
    fixture.answer("/keys", keys(101));
    assert_eq!(outcome(&fixture).await.unwrap_err(), "keys");

    let fixture = Fixture::new().await;
    let mut encryption = fixture.key.jwk();
    merge(&mut encryption, json!({"use": "enc"}));
    let mut other = fixture.key.jwk();
    merge(&mut other, json!({"crv": "secp256k1"}));
    fixture.answer("/keys", json!({"keys": [null, 7, {"kty": "RSA"}, {"kty": "oct", "k": "AA"}, encryption, other]}));
    assert_eq!(outcome(&fixture).await.unwrap_err(), "key");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_their_host_is_allowed() {
    let fixture = Fixture::new().await;
    let federation = HttpFederation::new(
        FederationOptions::default(),
        Arc::clone(&fixture.clock) as Arc<dyn Clock>,
        Arc::new(SystemChance),
    );
    let strict = Fixture { federation: federation.unwrap(), ..fixture };
    assert_eq!(outcome(&strict).await.unwrap_err(), "address");
    assert_eq!(strict.authorization_url(&strict.provider()).await.unwrap_err(), "address");
    assert_eq!(strict.requests_of(DISCOVERY).await, 0);
    for issuer in ["https://10.0.0.1", "https://localhost", "https://[::1]:9"] {
        let settings = ProviderSettings { issuer: Some(issuer.to_owned()), ..strict.settings() };
        assert_eq!(strict.authorization_url(&provider(settings)).await.unwrap_err(), "address", "{issuer}");
    }
}

#[tokio::test]
async fn documents_are_fetched_once_while_they_are_fresh() {
    let fixture = Fixture::new().await;
    let metadata = fixture.metadata(&fixture.issuer());
    let response = ResponseTemplate::new(200).set_body_json(metadata);
    fixture.respond(DISCOVERY, response.insert_header("cache-control", "max-age=1200"));
    for _ in 0..3 {
        outcome(&fixture).await.unwrap();
    }
    assert_eq!((fixture.requests_of(DISCOVERY).await, fixture.requests_of("/keys").await), (1, 1));
    fixture.clock.advance_s(30 * 60);
    let late = json!({"iat": NOW_S + 1_800, "exp": NOW_S + 2_100});
    fixture.redeem(&fixture.provider(), &fixture.token(late)).await.unwrap();
    // Stale metadata are used at once, and refreshed behind; keys without a lifetime are fresh for an hour.
    while fixture.requests_of(DISCOVERY).await < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.requests_of("/keys").await, 1);
}

#[tokio::test]
async fn unknown_keys_are_fetched_again_once_a_minute() {
    let fixture = Fixture::new().await;
    outcome(&fixture).await.unwrap();
    let rotated = TestKey::es256("key-2");
    fixture.answer("/keys", json!({"keys": [rotated.jwk()]}));
    assert!(fixture.redeem(&fixture.provider(), &rotated.sign(&fixture.claims())).await.is_ok());
    assert_eq!(fixture.requests_of("/keys").await, 2);
    let unknown = TestKey::es256("key-3").sign(&fixture.claims());
    for _ in 0..5 {
        assert_eq!(fixture.redeem(&fixture.provider(), &unknown).await.unwrap_err(), "key");
    }
    assert_eq!(fixture.requests_of("/keys").await, 2);
    fixture.clock.advance_s(60);
    assert_eq!(fixture.redeem(&fixture.provider(), &unknown).await.unwrap_err(), "key");
    assert_eq!(fixture.requests_of("/keys").await, 3);
}

#[tokio::test]
async fn the_last_keys_are_used_while_the_provider_fails() {
    let fixture = Fixture::new().await;
    outcome(&fixture).await.unwrap();
    fixture.respond("/keys", ResponseTemplate::new(500));
    fixture.respond(DISCOVERY, ResponseTemplate::new(500));
    let later = 20 * 3_600;
    fixture.clock.advance_s(u32::try_from(later).unwrap());
    let token = fixture.token(json!({"iat": NOW_S + later, "exp": NOW_S + later + 300}));
    assert!(fixture.redeem(&fixture.provider(), &token).await.is_ok());
    let much_later = later + 10 * 3_600;
    fixture.clock.advance_s(10 * 3_600);
    let token = fixture.token(json!({"iat": NOW_S + much_later, "exp": NOW_S + much_later + 300}));
    assert_eq!(fixture.redeem(&fixture.provider(), &token).await.unwrap_err(), "unavailable");
}
