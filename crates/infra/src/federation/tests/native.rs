//! Authorization codes of native applications.

use denizen_domain::providers::{CodeBinding, RefreshError};
use secrecy::ExposeSecret;
use serde_json::json;

use super::presets::apple_key;
use super::*;

const NATIVE: &str = "com.example.app";

async fn redeem(
    fixture: &Fixture,
    provider: &Provider,
    client_id: &str,
    verifier: Option<&str>,
) -> Result<OutsideIdentity, String> {
    let (code, code_verifier) = (SecretString::from(CODE), verifier.map(SecretString::from));
    let code_verifier = code_verifier.as_ref();
    let grant = NativeGrant { code: &code, client_id, redirect_uri: None, nonce: NONCE, code_verifier };
    let redeemed = fixture.federation.redeem_native(provider, &grant).await;
    redeemed.map(|redeemed| redeemed.identity).map_err(|error| check_of(&error))
}

async fn sent(fixture: &Fixture) -> HashMap<String, String> {
    let url: reqwest::Url = format!("https://form.invalid/?{}", fixture.last_body("/token").await).parse().unwrap();
    query(&url)
}

fn answer(fixture: &Fixture, changes: Value) {
    let id_token = fixture.token(changes);
    fixture.answer("/token", json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token}));
}

#[tokio::test]
async fn a_public_client_sends_its_verifier_and_never_the_secret_of_another() {
    let fixture = Fixture::new().await;
    answer(&fixture, json!({"aud": NATIVE}));
    fixture.answer("/userinfo", json!({"sub": "user-1"}));
    let mut provider = fixture.provider();
    assert_eq!(fixture.federation.code_binding(&provider, NATIVE), CodeBinding::Verifier);
    assert_eq!(redeem(&fixture, &provider, NATIVE, None).await.unwrap_err(), "pkce");
    assert_eq!(fixture.requests_of("/token").await, 0);
    let without_secret = Provider { client_secret: None, ..provider.clone() };
    assert_eq!(fixture.federation.code_binding(&without_secret, CLIENT), CodeBinding::Verifier);
    for preset in [None, Some("twitch"), Some("google")] {
        provider.settings.preset = preset.map(str::to_owned);
        redeem(&fixture, &provider, NATIVE, Some(VERIFIER)).await.unwrap();
        let form = sent(&fixture).await;
        assert_eq!((form["client_id"].as_str(), form["code_verifier"].as_str()), (NATIVE, VERIFIER));
        assert!(!form.contains_key("client_secret") && !form.contains_key("redirect_uri"));
    }
    let requests = fixture.server.received_requests().await.unwrap();
    let mut requests = requests.iter().filter(|request| request.url.path() == "/token");
    assert!(requests.all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn the_id_token_must_be_for_the_client_of_the_code_and_the_nonce() {
    let fixture = Fixture::new().await;
    let provider = fixture.provider();
    for (changes, check) in [
        (json!({"nonce": null}), "nonce"),
        (json!({"nonce": "another"}), "nonce"),
        (json!({"aud": NATIVE}), "audience"),
        (json!({"at_hash": "AAAA"}), "at_hash"),
        (json!({"iss": "https://evil.example"}), "issuer"),
    ] {
        answer(&fixture, changes);
        assert_eq!(redeem(&fixture, &provider, CLIENT, None).await.unwrap_err(), check);
    }
    answer(&fixture, json!({}));
    assert_eq!(redeem(&fixture, &provider, NATIVE, Some(VERIFIER)).await.unwrap_err(), "audience");
    fixture.answer("/token", json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer"}));
    assert_eq!(redeem(&fixture, &provider, CLIENT, None).await.unwrap_err(), "id_token");
}

#[tokio::test]
async fn apple_signs_a_secret_for_the_bundle_id() {
    use base64::Engine;
    let fixture = Fixture::new().await;
    let mut apple = provider(ProviderSettings { preset: Some("apple".to_owned()), ..fixture.settings() });
    apple.settings.team_id = Some("TEAM123456".to_owned());
    apple.settings.key_id = Some("KEY1234567".to_owned());
    apple.client_secret = Some(apple_key().into());
    for client_id in [NATIVE, CLIENT] {
        assert_eq!(fixture.federation.code_binding(&apple, client_id), CodeBinding::Nonce);
        answer(&fixture, json!({"aud": client_id}));
        redeem(&fixture, &apple, client_id, None).await.unwrap();
        let form = sent(&fixture).await;
        let claims = form["client_secret"].split('.').nth(1).unwrap();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((form["client_id"].as_str(), claims["sub"].as_str()), (client_id, Some(client_id)));
    }
}

#[tokio::test]
async fn a_server_without_id_tokens_and_pkce_is_refused() {
    let fixture = Fixture::new().await;
    for (preset, binding, check) in [
        ("github", CodeBinding::Verifier, "pkce"),
        ("linkedin", CodeBinding::None, "pkce"),
        ("notion", CodeBinding::None, "pkce"),
    ] {
        let preset = provider(ProviderSettings { preset: Some(preset.to_owned()), ..fixture.settings() });
        assert_eq!(fixture.federation.code_binding(&preset, CLIENT), binding);
        let verifier = (binding == CodeBinding::None).then_some(VERIFIER);
        assert_eq!(redeem(&fixture, &preset, CLIENT, verifier).await.unwrap_err(), check);
    }
    assert_eq!(fixture.requests_of("/token").await, 0);
}

#[tokio::test]
async fn refreshed_tokens_are_read_as_providers_write_them() {
    let fixture = Fixture::new().await;
    let provider = fixture.provider();
    let refresh = async |client_id| {
        fixture.federation.refresh(&provider, client_id, &SecretString::from("the-refresh-token")).await
    };
    for (scope, expires_in, expected) in [
        (json!("a b"), json!(60), (Some("a b"), Some(60))),
        (json!(["a", "b"]), json!("60"), (Some("a b"), Some(60))),
        (json!([1]), json!("soon"), (None, None)),
        (json!(""), json!(-1), (None, None)),
        (json!(null), json!(u64::MAX), (None, Some(u32::MAX))),
    ] {
        let body = json!({"access_token": "new", "refresh_token": "next", "scope": scope, "expires_in": expires_in});
        fixture.answer("/token", body);
        let tokens = refresh(CLIENT).await.unwrap();
        assert_eq!((tokens.scope.as_deref(), tokens.expires_in_s), expected);
        assert_eq!((tokens.access_token.expose_secret(), tokens.token_type.as_str()), ("new", "bearer"));
        assert_eq!(tokens.refresh_token.as_ref().map(ExposeSecret::expose_secret), Some("next"));
        assert!(!format!("{tokens:?}").contains("next"));
    }
    let form = sent(&fixture).await;
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "the-refresh-token"));
    // The tokens of a native application are refreshed as they were issued: without the secret.
    refresh(NATIVE).await.unwrap();
    assert_eq!(sent(&fixture).await["client_id"], NATIVE);
    for (status, error, expected) in [
        (400, "invalid_grant", RefreshError::Rejected),
        (200, "bad_refresh_token", RefreshError::Rejected),
        (401, "invalid_client", RefreshError::Failed),
        (400, "temporarily_unavailable", RefreshError::Failed),
        (500, "invalid_grant", RefreshError::Failed),
        (429, "invalid_grant", RefreshError::Failed),
    ] {
        fixture.respond("/token", ResponseTemplate::new(status).set_body_json(json!({"error": error})));
        assert_eq!(refresh(CLIENT).await.unwrap_err(), expected, "{status} {error}");
    }
}
