//! ID tokens and authorization responses that must be refused.

use serde_json::{Value, json};

use super::signing::{TestKey, base64, hmac_signed, message};
use super::*;

#[tokio::test]
async fn a_valid_token_authenticates_the_user() {
    let fixture = Fixture::new().await;
    let identity = fixture.redeem(&fixture.provider(), &fixture.token(json!({}))).await.unwrap();
    assert_eq!((identity.issuer, identity.subject.as_str()), (fixture.issuer(), "user-1"));
    assert_eq!(identity.email.unwrap().as_str(), "ada@example.com");
    assert!(identity.email_verified && !identity.has_proven_second_factor);
    assert_eq!(identity.name.unwrap().as_str(), "Ada Lovelace");
    let body = fixture.last_body("/token").await;
    for part in ["grant_type=authorization_code", "code=the-code", "code_verifier=a-verifier", "redirect_uri=https%3A"]
    {
        assert!(body.contains(part), "{body}");
    }
    // No claim is missing.
    assert_eq!(fixture.requests_of("/userinfo").await, 0);
}

#[tokio::test]
async fn every_asymmetric_algorithm_verifies() {
    let fixture = Fixture::new().await;
    let keys = [TestKey::es384("a"), TestKey::eddsa("b"), TestKey::rsa("c", "RS256"), TestKey::rsa("d", "PS512")];
    fixture.answer("/keys", json!({"keys": keys.iter().map(TestKey::jwk).collect::<Vec<_>>()}));
    for key in &keys {
        let outcome = fixture.redeem(&fixture.provider(), &key.sign(&fixture.claims())).await;
        assert_eq!(outcome.map(|identity| identity.subject), Ok("user-1".to_owned()), "{}", key.header());
    }
}

#[tokio::test]
async fn wrong_claims_are_refused_by_the_check_that_they_fail() {
    let fixture = Fixture::new().await;
    let issuer = fixture.issuer();
    for (changes, check) in [
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"iss": format!("{issuer}/")}), "issuer"),
        (json!({"iss": issuer.to_uppercase()}), "issuer"),
        (json!({"iss": [issuer]}), "issuer"),
        (json!({"iss": null}), "issuer"),
        (json!({"aud": "other"}), "audience"),
        (json!({"aud": ["other"]}), "audience"),
        (json!({"aud": []}), "audience"),
        (json!({"aud": {"the-client": 1}}), "audience"),
        (json!({"aud": null}), "audience"),
        (json!({"aud": [CLIENT, "other"]}), "azp"),
        (json!({"aud": [CLIENT, "other"], "azp": "other"}), "azp"),
        (json!({"nonce": "another"}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"nonce": [NONCE]}), "nonce"),
        (json!({"exp": NOW_S - 60}), "exp"),
        (json!({"exp": "soon"}), "exp"),
        (json!({"exp": null}), "exp"),
        (json!({"iat": NOW_S + 61}), "iat"),
        (json!({"iat": null}), "iat"),
        (json!({"nbf": NOW_S + 61}), "nbf"),
        (json!({"nbf": "now"}), "nbf"),
        (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "at_hash"),
        (json!({"at_hash": 7}), "at_hash"),
        (json!({"sub": ""}), "subject"),
        (json!({"sub": 7}), "subject"),
        (json!({"sub": null}), "subject"),
        (json!({"sub": "x".repeat(256)}), "subject"),
        (json!({"extra": "x".repeat(16 * 1024)}), "id_token_size"),
    ] {
        let outcome = fixture.redeem(&fixture.provider(), &fixture.token(changes.clone())).await;
        assert_eq!(outcome.unwrap_err(), check, "{changes}");
    }
}

#[tokio::test]
async fn claims_at_the_limit_pass() {
    let fixture = Fixture::new().await;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ACCESS_TOKEN.as_bytes());
    for changes in [
        json!({"exp": NOW_S - 59, "iat": NOW_S + 60, "nbf": NOW_S + 60}),
        json!({"exp": 1.800_000_1e9}),
        json!({"aud": [CLIENT]}),
        json!({"aud": ["other", CLIENT], "azp": CLIENT}),
        json!({"sub": "x".repeat(255)}),
        json!({"at_hash": base64(&digest.as_ref()[..16])}),
    ] {
        let outcome = fixture.redeem(&fixture.provider(), &fixture.token(changes.clone())).await;
        assert!(outcome.is_ok(), "{changes}: {outcome:?}");
    }
}

#[tokio::test]
async fn forged_signatures_and_headers_are_refused() {
    let fixture = Fixture::new().await;
    let (claims, header) = (fixture.claims(), fixture.key.header());
    let with = |changes: Value| {
        let mut header = header.clone();
        merge(&mut header, changes);
        header
    };
    let unsigned = |algorithm: &str| format!("{}.", message(&with(json!({"alg": algorithm})), &claims));
    let confused = with(json!({"alg": "HS256"}));
    let valid = fixture.token(json!({}));
    let (signed, signature) = valid.rsplit_once('.').unwrap();
    let other_claims = base64(fixture.claims_with(json!({"sub": "victim"})).to_string().as_bytes());
    let first = signed.split('.').next().unwrap();
    for (token, check) in [
        (unsigned("none"), "alg"),
        (unsigned("NONE"), "alg"),
        (unsigned(""), "alg"),
        (unsigned("ES256"), "signature"),
        (hmac_signed(&fixture.key.public_der(), &confused, &claims), "alg"),
        (hmac_signed(fixture.key.jwk()["x"].as_str().unwrap().as_bytes(), &confused, &claims), "alg"),
        (hmac_signed(b"the-secret", &confused, &claims), "alg"),
        (TestKey::es256("key-1").sign(&claims), "signature"),
        (format!("{first}.{other_claims}.{signature}"), "signature"),
        (format!("{signed}.{}", base64(&[0; 64])), "signature"),
        (fixture.key.sign_with(&with(json!({"typ": "at+jwt"})), &claims), "typ"),
        (fixture.key.sign_with(&with(json!({"typ": "logout+jwt"})), &claims), "typ"),
        (fixture.key.sign_with(&with(json!({"crit": ["b64"], "b64": true})), &claims), "crit"),
        (fixture.key.sign_with(&with(json!({"alg": "ES384"})), &claims), "key"),
        (fixture.key.sign_with(&with(json!({"alg": "RS256"})), &claims), "key"),
        (fixture.key.sign_with(&with(json!({"kid": "unknown"})), &claims), "key"),
        (fixture.key.sign(&json!([1])), "signature"),
        (signed.to_owned(), "id_token_format"),
        (format!("{valid}.{valid}"), "id_token_format"),
        (String::new(), "id_token_format"),
        ("a.b.c".to_owned(), "id_token_format"),
    ] {
        let outcome = fixture.redeem(&fixture.provider(), &token).await;
        assert_eq!(outcome.unwrap_err(), check, "{token}");
    }
}

#[tokio::test]
async fn a_key_that_the_token_brings_is_not_used() {
    let fixture = Fixture::new().await;
    let own = TestKey::es256("key-1");
    let mut header = own.header();
    merge(&mut header, json!({"jwk": own.jwk(), "jku": format!("{}/evil", fixture.issuer())}));
    let outcome = fixture.redeem(&fixture.provider(), &own.sign_with(&header, &fixture.claims())).await;
    assert_eq!(outcome.unwrap_err(), "signature");
    assert_eq!(fixture.requests_of("/evil").await, 0);
}

#[tokio::test]
async fn the_issuer_of_the_authorization_response_must_be_the_providers() {
    let fixture = Fixture::new().await;
    let (provider, issuer) = (fixture.provider(), fixture.issuer());
    fixture.redeem(&provider, &fixture.token(json!({}))).await.unwrap();
    let before = fixture.requests_of("/token").await;
    for other in ["https://evil.example", "", &format!("{issuer}/")] {
        let outcome = fixture.redeem_with(&provider, Some(other), None).await;
        assert_eq!(outcome.unwrap_err(), "response_issuer", "{other}");
    }
    assert_eq!(fixture.requests_of("/token").await, before, "the code is not sent to the wrong provider");
    assert!(fixture.redeem_with(&provider, Some(&issuer), None).await.is_ok());
}

#[tokio::test]
async fn the_issuer_of_the_authorization_response_is_required_if_it_is_announced() {
    let fixture = Fixture::new().await;
    let mut metadata = fixture.metadata(&fixture.issuer());
    merge(&mut metadata, json!({"authorization_response_iss_parameter_supported": true}));
    fixture.answer("/.well-known/openid-configuration", metadata);
    let outcome = fixture.redeem(&fixture.provider(), &fixture.token(json!({}))).await;
    assert_eq!(outcome.unwrap_err(), "response_issuer");
    let issuer = fixture.issuer();
    assert!(fixture.redeem_with(&fixture.provider(), Some(&issuer), None).await.is_ok());
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_name_no_secret() {
    let fixture = Fixture::new().await;
    for (status, body, check) in [
        (400, json!({"error": "invalid_grant", "error_description": "the-code is unknown"}), "token_request"),
        (200, json!({"error": "bad_verification_code"}), "token_request"),
        (400, json!({"error": "the-access-token eyJ"}), "token_request"),
        (200, json!({"access_token": ["the-access-token"]}), "token_response"),
        (200, json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer"}), "id_token"),
        (200, json!(["the-access-token"]), "token_response"),
        (302, json!({}), "redirect"),
        (500, json!({}), "unavailable"),
        (429, json!({}), "unavailable"),
    ] {
        let response = ResponseTemplate::new(status).set_body_json(&body);
        fixture.respond("/token", response.insert_header("location", "/token"));
        let outcome = fixture.redeem_with(&fixture.provider(), None, None).await;
        assert_eq!(outcome.unwrap_err(), check, "{status} {body}");
    }
}

#[tokio::test]
async fn a_native_token_may_have_the_digest_of_the_nonce() {
    let fixture = Fixture::new().await;
    let verify = async |token: String, nonce: &str| {
        let outcome = fixture.federation.verify_id_token(&fixture.provider(), &token.into(), nonce).await;
        outcome.map(|identity| identity.subject).map_err(|error| check_of(&error))
    };
    // SHA-256 of "the-nonce".
    let hex = "1968c4e0ab4485035285e7222c45520ca298b5adfeb0527fdb345c6b1b41caab";
    let digested = fixture.token(json!({"nonce": hex, "at_hash": "of a token that is not sent"}));
    assert_eq!(verify(digested.clone(), NONCE).await, Ok("user-1".to_owned()));
    assert_eq!(verify(fixture.token(json!({})), NONCE).await, Ok("user-1".to_owned()));
    assert_eq!(verify(fixture.token(json!({"nonce": hex.to_uppercase()})), NONCE).await, Err("nonce".to_owned()));
    assert_eq!(verify(fixture.token(json!({"nonce": ""})), "").await, Err("nonce".to_owned()));
    assert_eq!(fixture.redeem(&fixture.provider(), &digested).await.unwrap_err(), "nonce");
}

#[tokio::test]
async fn a_token_of_a_native_client_is_accepted_only_from_a_native_application() {
    let fixture = Fixture::new().await;
    let mut provider = fixture.provider();
    let token = fixture.token(json!({"aud": "com.example.app"}));
    let verify = async |provider: &Provider| {
        let outcome = fixture.federation.verify_id_token(provider, &token.clone().into(), NONCE).await;
        outcome.map(|identity| identity.subject).map_err(|error| check_of(&error))
    };
    assert_eq!(verify(&provider).await, Err("audience".to_owned()));
    provider.settings.native_client_ids = vec!["com.example.app".to_owned()];
    assert_eq!(verify(&provider).await, Ok("user-1".to_owned()));
    assert_eq!(fixture.redeem(&provider, &token).await.unwrap_err(), "audience");
}
