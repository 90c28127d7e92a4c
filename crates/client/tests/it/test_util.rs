//! The issuer for unit tests: its verifier accepts and rejects as in production.

use std::time::Duration;

use denizen_client::test_util::TestIssuer;
use denizen_client::{Acr, InvalidToken, VerifyError};
use uuid::Uuid;

fn reason(result: Result<denizen_client::Claims, VerifyError>) -> String {
    format!("{:?}", result.expect_err("the token is rejected"))
}

#[tokio::test]
async fn claims_are_those_of_the_token() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier();
    let (id, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let token = issuer.user().subject(id).session(session).email("ada@example.com").role("editor");
    let token = token.permissions(["notes:read", "notes:write"]).acr(Acr::Aal2).token();
    let claims = verifier.verify(&token).await.unwrap();
    assert_eq!((claims.subject(), claims.session_id()), (id, Some(session)));
    assert!(claims.has_role("editor") && claims.is_email_verified() && claims.user().is_some());
    assert_eq!(claims.email(), Some("ada@example.com"));
    assert!(claims.require_permission("notes:write").is_ok() && claims.require_permission("notes:delete").is_err());
    assert!(claims.require_acr(Acr::Aal2).is_ok() && claims.require_recent(Duration::from_mins(1)).is_ok());
    let old = verifier.verify(&issuer.user().authenticated_s_ago(61).token()).await.unwrap();
    assert!(old.require_acr(Acr::Aal1).is_ok() && old.require_recent(Duration::from_mins(1)).is_err());
    let service = verifier.verify(&issuer.service_account().token()).await.unwrap();
    assert!(service.user().is_none());
}

#[tokio::test]
async fn other_claims_are_available() {
    let issuer = TestIssuer::new();
    let token = issuer.user().claim("plan", "pro").claim("limits", serde_json::json!({"seats": 3})).token();
    let claims = issuer.verifier().verify(&token).await.unwrap();
    assert_eq!(claims.claim("plan").and_then(|plan| plan.as_str()), Some("pro"));
    assert_eq!(claims.claim_as::<std::collections::HashMap<String, u8>>("limits").unwrap()["seats"], 3);
    assert_eq!((claims.claim("missing"), claims.claim("role"), claims.claim_as::<u8>("plan")), (None, None, None));
}

#[tokio::test]
async fn invalid_tokens_are_rejected() {
    let (issuer, other) = (TestIssuer::new(), TestIssuer::new());
    let verifier = issuer.verifier();
    for (token, expected) in [
        (issuer.user().expires_in_s(-120).token(), InvalidToken::Expired),
        (issuer.user().claim("aud", "other").token(), InvalidToken::WrongAudience),
        (issuer.user().claim("iss", "https://other.test").token(), InvalidToken::WrongIssuer),
        (other.user().token(), InvalidToken::BadSignature),
        ("no token".to_owned(), InvalidToken::Malformed),
    ] {
        let got = reason(verifier.verify(&token).await);
        assert!(got.contains(&format!("{expected:?}")), "{got}, expected {expected:?}");
    }
}
