//! Which tokens are accepted, and why others are not.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_client::{Acr, AuthError, BuildError, Claims, InvalidToken, Policy, User, Verifier, VerifyError};
use serde_json::{Value, json};

use crate::support::{API_KEY, AUDIENCE, Alg, Fixture, ISSUER, Issuer, NOW_S, Net, SESSION, USER};

async fn verified(claims: &Value) -> Claims {
    let fixture = Fixture::new();
    fixture.verifier.verify(&fixture.issuer.token_with(claims)).await.unwrap()
}

async fn outcome(token: &str) -> Result<(), InvalidToken> {
    match Fixture::new().verifier.verify(token).await {
        Ok(_) => Ok(()),
        Err(VerifyError::Invalid(reason)) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_accepted() {
    let fixture = Fixture::new();
    for alg in Alg::ALL {
        let token = fixture.issuer.token_of(alg, &json!({}), &json!({}));
        // The second time, it is found in the cache.
        for _ in 0..2 {
            let claims = fixture.verifier.verify(&token).await.unwrap();
            assert_eq!(claims.subject().to_string(), USER, "{alg:?}");
        }
    }
    assert_eq!((fixture.net.count(Net::METADATA), fixture.net.count(Net::JWKS)), (1, 1));
}

#[tokio::test]
async fn claims_of_a_user_are_typed() {
    let claims = verified(&json!({"acr": "aal2", "amr": ["pwd", "otp", "mfa"]})).await;
    let user = User::try_from(claims.clone()).unwrap();
    assert_eq!((user.id().to_string(), user.session().to_string()), (USER.to_owned(), SESSION.to_owned()));
    assert_eq!(user.roles().collect::<Vec<_>>(), ["user"]);
    assert_eq!(user.permissions().collect::<Vec<_>>(), ["notes:read", "notes:write"]);
    assert_eq!((user.acr(), user.amr().collect::<Vec<_>>()), (Some(Acr::Aal2), vec!["pwd", "otp", "mfa"]));
    assert_eq!((user.email(), user.is_email_verified()), (Some("ada@example.com"), true));
    assert_eq!((user.client_id(), user.api_key_id()), (Some("denizen"), None));
    assert_eq!(user.auth_time(), Some(UNIX_EPOCH + Duration::from_secs(NOW_S - 60)));
    assert_eq!(user.expires_at(), Some(UNIX_EPOCH + Duration::from_secs(NOW_S + 840)));
    assert_eq!(user.token_id(), "jcHk5WfugA08OPdOp1sOXg");
    assert!(!format!("{claims:?}").contains("ada@example.com"));
}

#[tokio::test]
async fn claims_of_a_service_account_belong_to_no_user() {
    let fixture = Fixture::new();
    let claims = fixture.verifier.verify(&fixture.issuer.service_token(&json!({}))).await.unwrap();
    assert_eq!(claims.api_key_id().unwrap().to_string(), API_KEY);
    assert_eq!((claims.session_id(), claims.user(), claims.acr(), claims.email()), (None, None, None, None));
    let refused = AuthError::InsufficientScope { scope: None };
    assert_eq!(User::try_from(claims.clone()), Err(refused.clone()));
    assert_eq!(Policy::user().check(&claims), Err(refused));
    assert_eq!(Policy::new().permission("notes:read").check(&claims), Ok(()));
    assert!(claims.require_recent(Duration::from_secs(1_000_000)).is_err());
}

#[tokio::test]
async fn requirements_are_checked() {
    let claims = verified(&json!({})).await;
    let check = |policy: Policy, expected: Option<AuthError>| {
        assert_eq!(policy.check(&claims).err(), expected, "{policy:?}");
    };
    let scope = |scope: &str| Some(AuthError::InsufficientScope { scope: Some(scope.to_owned()) });
    let authentication = |acr, max_age| Some(AuthError::InsufficientAuthentication { acr, max_age });
    let seconds = |seconds| Duration::from_secs(seconds);
    check(Policy::user().permission("notes:read").role("user").acr(Acr::Aal1).max_age(seconds(60)), None);
    check(Policy::new().permission("notes:read").permission("notes:delete"), scope("notes:delete"));
    // A permission is not a prefix.
    check(Policy::new().permission("notes"), scope("notes"));
    check(Policy::new().permission(""), scope(""));
    check(Policy::new().role("admin"), Some(AuthError::InsufficientScope { scope: None }));
    check(Policy::new().acr(Acr::Aal2), authentication(Some(Acr::Aal2), None));
    check(Policy::new().max_age(seconds(59)), authentication(None, Some(seconds(59))));
    check(Policy::new().acr(Acr::Aal1).max_age(seconds(30)), authentication(Some(Acr::Aal1), Some(seconds(30))));
}

#[tokio::test]
async fn recency_is_measured_when_the_token_is_presented() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    let hour = Duration::from_secs(100);
    assert!(fixture.verifier.verify(&token).await.unwrap().require_recent(hour).is_ok());
    fixture.clock.advance(41);
    assert!(fixture.verifier.verify(&token).await.unwrap().require_recent(hour).is_err());
}

#[tokio::test]
async fn a_stronger_acr_is_enough_and_an_unknown_one_is_not() {
    assert!(verified(&json!({"acr": "phr"})).await.require_acr(Acr::Aal2).is_ok());
    assert!(verified(&json!({"acr": "aal9"})).await.require_acr(Acr::Aal1).is_err());
    assert!(verified(&json!({"acr": null})).await.require_acr(Acr::Aal1).is_err());
}

#[tokio::test]
async fn claims_decide() {
    use InvalidToken::*;
    let check = async |changes: Value, expected: Result<(), InvalidToken>| {
        assert_eq!(outcome(&Issuer::shared().token_with(&changes)).await, expected, "{changes}");
    };
    check(json!({"aud": ["other", AUDIENCE]}), Ok(())).await;
    check(json!({"aud": "other"}), Err(WrongAudience)).await;
    check(json!({"aud": []}), Err(WrongAudience)).await;
    check(json!({"aud": null}), Err(InvalidClaims)).await;
    check(json!({"iss": "https://accounts.example.com/"}), Err(WrongIssuer)).await;
    check(json!({"iss": "https://evil.example"}), Err(WrongIssuer)).await;
    // The leeway is 30 s, and ends with the thirtieth.
    check(json!({"exp": NOW_S - 29}), Ok(())).await;
    check(json!({"exp": NOW_S - 30}), Err(Expired)).await;
    check(json!({"nbf": NOW_S + 30}), Ok(())).await;
    check(json!({"nbf": NOW_S + 31}), Err(NotYetValid)).await;
    check(json!({"iat": NOW_S + 30}), Ok(())).await;
    check(json!({"iat": NOW_S + 31}), Err(IssuedInFuture)).await;
    check(json!({"exp": NOW_S - 61}), Err(InvalidClaims)).await;
    check(json!({"exp": "soon"}), Err(InvalidClaims)).await;
    check(json!({"exp": 1e300}), Err(InvalidClaims)).await;
    check(json!({"cnf": {"jkt": "x"}}), Err(SenderConstrained)).await;
    check(json!({"sub": "ada"}), Err(InvalidClaims)).await;
    check(json!({"sid": "x"}), Err(InvalidClaims)).await;
    check(json!({"sid": null}), Err(InvalidClaims)).await;
    check(json!({"key_id": API_KEY}), Err(InvalidClaims)).await;
    check(json!({"unknown": {"to": ["this", "version"]}}), Ok(())).await;
    // Tokens of earlier versions.
    check(json!({"email": null, "auth_time": null, "acr": null, "amr": null, "client_id": null}), Ok(())).await;
    for claim in ["iss", "sub", "exp", "iat", "jti"] {
        check(json!({claim: null}), Err(InvalidClaims)).await;
    }
}

#[tokio::test]
async fn the_header_decides() {
    use InvalidToken::*;
    let check = async |changes: Value, expected: Result<(), InvalidToken>| {
        let token = Issuer::shared().token_of(Alg::Es256, &changes, &json!({}));
        assert_eq!(outcome(&token).await, expected, "{changes}");
    };
    check(json!({"typ": "application/at+jwt"}), Ok(())).await;
    check(json!({"typ": "AT+JWT"}), Ok(())).await;
    check(json!({"typ": "JWT"}), Err(WrongType)).await;
    check(json!({"typ": null}), Err(Malformed)).await;
    check(json!({"alg": "none"}), Err(UnsupportedAlgorithm)).await;
    check(json!({"alg": "HS256"}), Err(UnsupportedAlgorithm)).await;
    check(json!({"alg": "EdDSA"}), Err(UnsupportedAlgorithm)).await;
    check(json!({"alg": "RS256"}), Err(UnsupportedAlgorithm)).await;
    check(json!({"kid": "key-RS256"}), Err(UnsupportedAlgorithm)).await;
    check(json!({"kid": "other"}), Err(UnknownKey)).await;
    check(json!({"kid": null}), Err(Malformed)).await;
    check(json!({"crit": ["b64"], "b64": false}), Err(CriticalHeader)).await;
    // Keys in the token are not used, and do not harm.
    check(json!({"jwk": Issuer::other().jwk(Alg::Es256), "jku": "https://evil.example"}), Ok(())).await;
}

#[tokio::test]
async fn what_is_not_a_token_is_refused() {
    use InvalidToken::*;
    let issuer = Issuer::shared();
    let token = issuer.token();
    let parts: Vec<&str> = token.split('.').collect();
    let claims = r#"{"iss":"https://accounts.example.com"}"#;
    let header = r#"{"typ":"at+jwt","alg":"ES256","kid":"key-ES256"}"#;
    let twice = r#"{"typ":"at+jwt","typ":"at+jwt","alg":"ES256","kid":"key-ES256"}"#;
    let critical = r#"{"typ":"at+jwt","alg":"ES256","kid":"key-ES256","crit":null}"#;
    let check = async |token: &str, expected: InvalidToken| {
        assert_eq!(outcome(token).await, Err(expected), "{token}");
    };
    check("", Malformed).await;
    check("..", Malformed).await;
    check("a.b.c", Malformed).await;
    check(&parts[..2].join("."), Malformed).await;
    check(&format!("{token}."), Malformed).await;
    check(&format!("{token}.{}", parts[2]), Malformed).await;
    check(&format!("{token}="), Malformed).await;
    check(&format!("{}.{}.", parts[0], parts[1]), BadSignature).await;
    check(&issuer.signed(Alg::Es256, twice, claims), Malformed).await;
    check(&issuer.signed(Alg::Es256, critical, claims), CriticalHeader).await;
    check(&issuer.signed(Alg::Es256, header, claims), InvalidClaims).await;
    check(&issuer.signed(Alg::Es256, header, "[]"), InvalidClaims).await;
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let with = |more: &str| issuer.signed(Alg::Es256, header, &payload.replacen('{', &format!("{{{more},"), 1));
    assert!(outcome(&with(r#""plan":"pro""#)).await.is_ok());
    check(&with(r#""plan":"pro","plan":"free""#), InvalidClaims).await;
    check(&"a".repeat(8193), TooLong).await;
    check(&issuer.token_with(&json!({"role": "a".repeat(7000)})), TooLong).await;
    check(&Issuer::other().token(), BadSignature).await;
    for (at, replacement) in [(0, "e30"), (1, "e30")] {
        let mut parts = parts.clone();
        parts[at] = replacement;
        let expected = if at == 0 { Malformed } else { BadSignature };
        check(&parts.join("."), expected).await;
    }
}

#[tokio::test]
async fn a_cached_token_expires() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    assert!(fixture.verifier.verify(&token).await.is_ok());
    fixture.clock.advance(840 + 29);
    assert!(fixture.verifier.verify(&token).await.is_ok());
    fixture.clock.advance(1);
    assert_eq!(fixture.verifier.verify(&token).await, Err(InvalidToken::Expired.into()));
}

#[tokio::test]
async fn headers_are_read() {
    let fixture = Fixture::new();
    let token = fixture.issuer.token();
    let authenticate = async |values: &[&str]| {
        let outcome = fixture.verifier.authenticate(values.iter().map(|value| value.as_bytes())).await;
        outcome.map(|claims| claims.is_some())
    };
    assert_eq!(authenticate(&[]).await, Ok(false));
    assert_eq!(authenticate(&[&format!("Bearer {token}")]).await, Ok(true));
    assert_eq!(authenticate(&[&format!("bEARER   {token} ")]).await, Ok(true));
    assert_eq!(authenticate(&["Basic YTpi"]).await, Ok(false));
    assert_eq!(authenticate(&[&token]).await, Ok(false));
    for malformed in ["Bearer", "Bearer ", "Bearer é", "Bearer a b"] {
        let expected = Err(AuthError::InvalidToken(InvalidToken::Malformed));
        assert_eq!(authenticate(&[malformed]).await, expected, "{malformed}");
    }
    assert_eq!(authenticate(&[&format!("Bearer {token}"), "Basic YTpi"]).await, Err(AuthError::RepeatedHeader));
}

#[tokio::test]
async fn challenges_cannot_be_split_by_names() {
    let error = AuthError::InsufficientScope { scope: Some("a\"\\\r\nSet-Cookie: é".to_owned()) };
    let expected = r#"Bearer realm="denizen", error="insufficient_scope", scope="aSet-Cookie: ""#;
    assert_eq!(error.challenge().as_deref(), Some(expected));
}

#[test]
fn settings_are_checked() {
    let builder = || Verifier::builder(ISSUER).audience(AUDIENCE);
    assert!(builder().build().is_ok());
    assert!(matches!(Verifier::builder(ISSUER).build(), Err(BuildError::NoAudience)));
    assert!(matches!(builder().leeway(Duration::from_secs(61)).build(), Err(BuildError::OutOfRange(_))));
    assert!(matches!(builder().keys_max_age(Duration::from_secs(1)).build(), Err(BuildError::OutOfRange(_))));
    let insecure = || Verifier::builder("http://accounts.example.com").audience(AUDIENCE);
    assert!(matches!(insecure().build(), Err(BuildError::Url(_))));
    assert!(insecure().allow_http().build().is_ok());
    assert!(builder().server_url("http://internal").build().is_err());
}
