//! Tokens that must pass, and the ways of RFC 8725 in which they must not.

use super::*;
use crate::clock::SystemChance;
use crate::vault::tests::vault;
use denizen_domain::access::{Permission, Permissions};
use denizen_domain::roles::RoleName;
use denizen_domain::users::EmailAddress;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn ring() -> KeyRing {
    let key = open(&vault(0), &es256::generate(&vault(0), NOW)).unwrap();
    KeyRing { newest: key, older: Vec::new(), random: Arc::new(SystemChance) }
}

fn claims() -> AccessClaims {
    AccessClaims {
        issuer: "https://id.example".into(),
        audience: "denizen".into(),
        subject: UserId::new(&crate::clock::SystemClock, &SystemChance),
        session_id: SessionId::new(&crate::clock::SystemClock, &SystemChance),
        email: EmailAddress::parse("ada@example.com").unwrap(),
        role: RoleName::admin(),
        scope: Permissions::of(Permission::ALL),
        issued_at: NOW,
        expires_at: NOW.plus_seconds(900),
    }
}

fn verifier() -> TokenVerifier {
    TokenVerifier::new(Arc::new(ring()), "https://id.example".into(), "denizen".into())
}

#[test]
fn a_token_verifies_until_it_expires_even_when_remembered() {
    let verifier = verifier();
    let claims = claims();
    let token = verifier.ring.sign(&claims).unwrap();
    let expected = Verified { subject: claims.subject, session_id: claims.session_id, expires_at: claims.expires_at };
    assert_eq!(verifier.verify(&token, NOW), Ok(expected));
    assert_eq!(verifier.verify(&token, NOW.plus_seconds(899)), Ok(expected));
    assert_eq!(verifier.verify(&token, NOW.plus_seconds(900)), Err(Rejected("expired")));
}

#[test]
fn the_header_and_the_claims_are_those_of_the_contract() {
    let verifier = verifier();
    let token = verifier.ring.sign(&claims()).unwrap();
    let part = |at: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    assert_eq!(part(0)["typ"], "at+jwt");
    assert_eq!(part(0)["alg"], "ES256");
    let payload = part(1);
    let names: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "email", "exp", "iat", "iss", "jti", "role", "scope", "sid", "sub"]);
    assert_eq!(payload["scope"], "users:read users:write");
    assert_eq!(
        part(0)["kid"],
        serde_json::from_str::<serde_json::Value>(&verifier.ring.jwks()).unwrap()["keys"][0]["kid"]
    );
}

#[test]
fn altered_and_foreign_tokens_are_rejected() {
    let verifier = verifier();
    let key = &verifier.ring.newest;
    let good = verifier.ring.sign(&claims()).unwrap();
    let [header, payload, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let check = |token: &str| assert!(verifier.verify(token, NOW).is_err(), "{token}");

    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        check(std::str::from_utf8(&bytes).unwrap());
    }
    check("");
    check("..");
    check(&format!("{header}.{payload}."));
    check(&format!("{header}.{payload}"));
    check(&format!("{good}.{signature}"));
    check(&format!("{good}="));
    check(&"A".repeat(5000));

    let kid = &key.id;
    for header in [
        format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"JWT","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","jku":"https://evil.example"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","crit":["exp"]}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"{kid}"}}"#),
        r#"{"typ":"at+jwt","alg":"ES256","kid":"other"}"#.to_owned(),
        r#"{"typ":"at+jwt","alg":"ES256"}"#.to_owned(),
    ] {
        check(&signed(key, &header, payload));
    }
}

#[test]
fn claims_that_do_not_fit_are_rejected_under_a_good_signature() {
    let verifier = verifier();
    let key = &verifier.ring.newest;
    let sign = |claims: &AccessClaims| jwt::sign(key, claims, "jti").unwrap();
    let other = |change: fn(&mut AccessClaims)| {
        let mut claims = claims();
        change(&mut claims);
        verifier.verify(&sign(&claims), NOW)
    };
    assert!(other(|_| ()).is_ok());
    assert!(other(|claims| claims.issuer = "https://evil.example".into()).is_err());
    assert!(other(|claims| claims.audience = "somebody else".into()).is_err());
    assert!(other(|claims| claims.issued_at = NOW.plus_seconds(61)).is_err());
    assert!(other(|claims| claims.expires_at = NOW).is_err());

    let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, key.id);
    let good = sign(&claims());
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(good.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let twice = payload.replacen('{', r#"{"sub":"00000000-0000-7000-8000-000000000000","#, 1);
    assert!(verifier.verify(&signed(key, &header, &URL_SAFE_NO_PAD.encode(&payload)), NOW).is_ok());
    assert!(verifier.verify(&signed(key, &header, &URL_SAFE_NO_PAD.encode(twice)), NOW).is_err());
}

fn signed(key: &KeyPair, header: &str, payload: &str) -> String {
    let message = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}
