//! The particularities of known providers, played by a server of the test.

use denizen_domain::providers::EmailTrust;
use serde_json::json;

use super::signing::base64;
use super::*;

const TENANT_ID: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn preset(fixture: &Fixture, name: &str) -> Provider {
    provider(ProviderSettings { preset: Some(name.to_owned()), ..fixture.settings() })
}

/// The address and whether it is verified.
async fn email(fixture: &Fixture, provider: &Provider, changes: Value) -> (Option<String>, bool) {
    let identity = fixture.redeem(provider, &fixture.token(changes)).await.unwrap();
    (identity.email.map(denizen_domain::users::EmailAddress::into_string), identity.email_verified)
}

#[tokio::test]
async fn google_is_authoritative_for_its_own_addresses_only() {
    let fixture = Fixture::new().await;
    let mut google = preset(&fixture, "google");
    for (changes, expected) in [
        (json!({}), false),
        (json!({"hd": "example.com"}), true),
        (json!({"hd": ""}), false),
        (json!({"hd": "example.com", "email_verified": false}), false),
        (json!({"email": "ada@gmail.com"}), true),
        (json!({"email": "ada@GoogleMail.com"}), true),
        (json!({"email": "ada@gmail.com", "email_verified": false}), false),
        (json!({"email": "ada@gmail.com.evil.example"}), false),
        (json!({"email": "ada@notgmail.com"}), false),
    ] {
        assert_eq!(email(&fixture, &google, changes.clone()).await.1, expected, "{changes}");
    }
    google.settings.email_trust = Some(EmailTrust::Claim);
    assert!(!email(&fixture, &google, json!({})).await.1, "the rule of the preset narrows the claim");
    google.settings.email_trust = Some(EmailTrust::Always);
    assert!(email(&fixture, &google, json!({})).await.1, "the operator decides");
    google.settings.email_trust = Some(EmailTrust::Never);
    assert!(!email(&fixture, &google, json!({"hd": "example.com"})).await.1);
}

#[tokio::test]
async fn the_name_of_google_without_a_scheme_is_the_same_issuer() {
    let alias = json!({"iss": "accounts.google.com"});
    let fixture = Fixture::new().await;
    let identity = fixture.redeem(&preset(&fixture, "google"), &fixture.token(alias.clone())).await.unwrap();
    assert_eq!(identity.issuer, fixture.issuer());
    assert_eq!(fixture.redeem(&fixture.provider(), &fixture.token(alias)).await.unwrap_err(), "issuer");
}

/// A provider whose issuer names the tenant of the user.
async fn microsoft() -> (Fixture, Provider, String) {
    let fixture = Fixture::new().await;
    let issuer = format!("{}/{{tenantid}}/v2.0", fixture.issuer());
    fixture.answer("/common/v2.0/.well-known/openid-configuration", fixture.metadata(&issuer));
    let mut provider = preset(&fixture, "microsoft");
    provider.settings.issuer = Some(issuer);
    let of_tenant = format!("{}/{TENANT_ID}/v2.0", fixture.issuer());
    (fixture, provider, of_tenant)
}

#[tokio::test]
async fn the_issuer_of_microsoft_is_that_of_the_tenant_in_the_token() {
    let (fixture, provider, issuer) = microsoft().await;
    let identity = fixture.redeem(&provider, &fixture.token(json!({"iss": issuer, "tid": TENANT_ID}))).await.unwrap();
    assert_eq!(identity.issuer, issuer);
    for changes in [
        json!({"iss": issuer, "tid": OTHER_TENANT_ID}),
        json!({"iss": issuer}),
        json!({"iss": issuer, "tid": TENANT_ID.to_uppercase()}),
        json!({"iss": format!("{}/../v2.0", fixture.issuer()), "tid": ".."}),
        json!({"iss": format!("{}/{{tenantid}}/v2.0", fixture.issuer()), "tid": "{tenantid}"}),
        json!({"iss": fixture.issuer(), "tid": TENANT_ID}),
    ] {
        let outcome = fixture.redeem(&provider, &fixture.token(changes.clone())).await;
        assert_eq!(outcome.unwrap_err(), "tenant", "{changes}");
    }
}

#[tokio::test]
async fn the_authorization_response_of_microsoft_names_the_tenant_of_the_token() {
    let (fixture, provider, issuer) = microsoft().await;
    fixture.redeem(&provider, &fixture.token(json!({"iss": issuer, "tid": TENANT_ID}))).await.unwrap();
    assert!(fixture.redeem_with(&provider, Some(&issuer), None).await.is_ok());
    let other = format!("{}/{OTHER_TENANT_ID}/v2.0", fixture.issuer());
    for named in [other.as_str(), "https://evil.example", &fixture.issuer()] {
        assert_eq!(fixture.redeem_with(&provider, Some(named), None).await.unwrap_err(), "response_issuer", "{named}");
    }
}

#[tokio::test]
async fn a_key_of_one_tenant_signs_for_no_other() {
    let (fixture, provider, issuer) = microsoft().await;
    for (key_issuer, expected) in [
        (provider.settings.issuer.clone().unwrap(), None),
        (issuer.clone(), None),
        (format!("{}/{OTHER_TENANT_ID}/v2.0", fixture.issuer()), Some("key_issuer")),
    ] {
        let mut key = fixture.key.jwk();
        merge(&mut key, json!({"issuer": key_issuer}));
        fixture.answer("/keys", json!({"keys": [key]}));
        fixture.clock.advance_s(3_600);
        let now = denizen_domain::ports::Clock::now(&*fixture.clock).as_seconds();
        let claims = json!({"iss": issuer, "tid": TENANT_ID, "iat": now, "exp": now + 300});
        let outcome = fixture.redeem(&provider, &fixture.token(claims)).await;
        assert_eq!(outcome.err().as_deref(), expected, "{key_issuer}");
    }
}

#[tokio::test]
async fn an_address_of_microsoft_is_verified_by_its_own_claim_only() {
    let (fixture, provider, issuer) = microsoft().await;
    for (verified, expected) in
        [(json!(true), true), (json!("1"), true), (json!(1), true), (json!(false), false), (json!(null), false)]
    {
        let changes = json!({"iss": issuer, "tid": TENANT_ID, "email_verified": true, "xms_edov": verified});
        assert_eq!(email(&fixture, &provider, changes).await.1, expected, "{verified}");
    }
    assert_eq!(fixture.requests_of("/userinfo").await, 0);
}

#[tokio::test]
async fn apple_signs_its_secrets_writes_booleans_as_text_and_sends_the_name_once() {
    let fixture = Fixture::new().await;
    let mut apple = preset(&fixture, "apple");
    apple.settings.team_id = Some("TEAM123456".to_owned());
    apple.settings.key_id = Some("KEY1234567".to_owned());
    let pair = apple_key();
    apple.client_secret = Some(pair.into());
    let token = fixture.token(json!({"email_verified": "true", "name": null}));
    let identity = fixture.redeem(&apple, &token).await.unwrap();
    assert!(identity.email_verified && identity.name.is_none());

    let body = fixture.last_body("/token").await;
    let url: reqwest::Url = format!("https://form.invalid/?{body}").parse().unwrap();
    let secret = query(&url).remove("client_secret").unwrap();
    let part = |at: usize| -> Value {
        use base64::Engine;
        let part = secret.split('.').nth(at).unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(part(0), json!({"typ": "JWT", "alg": "ES256", "kid": "KEY1234567"}));
    let claims = json!({"iss": "TEAM123456", "sub": CLIENT, "aud": "https://appleid.apple.com", "iat": NOW_S, "exp": NOW_S + 3_600});
    assert_eq!(part(1), claims);

    let user = r#"{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"evil@example.com"}"#;
    let identity = fixture.redeem_with(&apple, None, Some(user)).await.unwrap();
    assert_eq!(identity.name.unwrap().as_str(), "Ada Lovelace");
    assert_eq!(identity.email.unwrap().as_str(), "ada@example.com");
    assert!(fixture.last_body("/token").await.contains(&secret), "the secret is used until shortly before it expires");
    for user in ["", "null", "[]", r#"{"name":7}"#] {
        assert!(fixture.redeem_with(&apple, None, Some(user)).await.unwrap().name.is_none(), "{user}");
    }
    fixture.answer("/userinfo", json!({"sub": "user-1"}));
    let other = fixture.redeem_with(&fixture.provider(), None, Some(r#"{"name":{"firstName":"Ada"}}"#)).await;
    assert!(other.unwrap().name.is_none(), "only Apple sends a profile");
    apple.client_secret = Some("not a key".into());
    assert_eq!(fixture.redeem_with(&apple, None, None).await.unwrap_err(), "settings");

    let token = fixture.token(json!({"email_verified": "false"}));
    apple.client_secret = Some(apple_key().into());
    assert!(!fixture.redeem(&apple, &token).await.unwrap().email_verified);
}

/// A private key as Apple issues it: EC P-256 in PEM (PKCS #8).
pub(super) fn apple_key() -> String {
    use base64::Engine;
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let der = pair.unwrap().to_pkcs8v1().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn apple_needs_no_discovery_and_gets_a_form() {
    let fixture = Fixture::new().await;
    let settings = ProviderSettings {
        preset: Some("apple".to_owned()),
        client_id: CLIENT.to_owned(),
        ..ProviderSettings::default()
    };
    let url = fixture.authorization_url(&provider(settings)).await.unwrap();
    assert_eq!(url.origin().ascii_serialization(), "https://appleid.apple.com");
    let query = query(&url);
    assert_eq!((query["response_mode"].as_str(), query["scope"].as_str()), ("form_post", "openid email name"));
    assert_eq!(query["nonce"], NONCE);
}

#[tokio::test]
async fn a_user_of_slack_is_identified_within_the_workspace() {
    let fixture = Fixture::new().await;
    let slack = preset(&fixture, "slack");
    let token = fixture.token(json!({"https://slack.com/team_id": "T1"}));
    assert_eq!(fixture.redeem(&slack, &token).await.unwrap().subject, "T1:user-1");
    assert_eq!(fixture.redeem(&slack, &fixture.token(json!({}))).await.unwrap_err(), "subject");
}

#[tokio::test]
async fn the_authorization_request_is_that_of_the_preset() {
    let fixture = Fixture::new().await;
    let url = fixture.authorization_url(&fixture.provider()).await.unwrap();
    assert!(url.as_str().starts_with(&format!("{}/authorize?", fixture.issuer())));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    let challenge = base64(digest.as_ref());
    let expected = [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT_URI),
        ("state", "the-state"),
        ("nonce", NONCE),
        ("scope", "openid email profile"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("login_hint", "ada@example.com"),
    ];
    let expected: HashMap<_, _> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(query(&url), expected);

    let mut twitch = preset(&fixture, "twitch");
    twitch.settings.scopes = vec!["user:read:email".to_owned()];
    twitch.settings.authorization_params.insert("force_verify".to_owned(), "true".to_owned());
    let query = query(&fixture.authorization_url(&twitch).await.unwrap());
    assert_eq!((query["scope"].as_str(), query["force_verify"].as_str()), ("openid user:read:email", "true"));
    assert!(query["claims"].contains("email_verified") && !query.contains_key("code_challenge"));
}
