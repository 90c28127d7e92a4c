//! Tokens that must pass, and the ways of RFC 8725 in which they must not, for every algorithm.

mod life;
mod vectors;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::*;
use crate::clock::{SystemChance, SystemClock};
use crate::vault::tests::vault;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::access::{Permission, Permissions};
use denizen_domain::auth_methods::{AuthMethod, AuthMethods};
use denizen_domain::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use denizen_domain::roles::RoleName;
use denizen_domain::tokens::{Authentication, CLAIMS_BYTES_MAX, TokenSubject, VerifiedSubject};
use denizen_domain::users::EmailAddress;
use denizen_testkit::FakeClock;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const ISSUER: &str = "https://id.example";
const SECRET: &str = "a secret of thirty-two bytes or more";
const STORED: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// Claims for resource servers, which are not read here: the session is asked.
const UNREAD: [&str; 3] = ["acr", "amr", "auth_time"];

/// A key of each stored algorithm, made once: RSA takes its time.
static MADE: LazyLock<HashMap<Algorithm, KeyMaterial>> =
    LazyLock::new(|| STORED.map(|algorithm| (algorithm, pair::generate(&vault(0), algorithm).unwrap())).into());

fn stored(material: &KeyMaterial, sequence: i64) -> StoredKey {
    StoredKey {
        id: material.id.clone(),
        sequence,
        algorithm: material.algorithm,
        public_key: material.public_key.clone(),
        sealed_private_key: material.sealed_private_key.clone(),
        created_at: NOW,
        activates_at: NOW,
        withdrawn_at: None,
    }
}

fn ring_with(signing: Signing, clock: Arc<FakeClock>) -> KeyRing {
    let random = Arc::new(SystemChance);
    KeyRing::new(Arc::new(vault(0)), random, clock, ISSUER.to_owned(), "denizen".to_owned(), signing)
}

/// A ring whose only key is of this algorithm.
fn ring(algorithm: Algorithm) -> KeyRing {
    let clock = Arc::new(FakeClock::at(NOW));
    if algorithm == Algorithm::Hs256 {
        return ring_with(Signing::Secret(SigningSecret::parse(&SECRET.into()).unwrap()), clock);
    }
    let ring = ring_with(Signing::Stored, clock);
    ring.adopt(&[stored(&MADE[&algorithm], 1)]).unwrap();
    ring
}

/// A ring with a key of every stored algorithm; that of ES256 signs.
fn ring_of_all() -> KeyRing {
    let ring = ring_with(Signing::Stored, Arc::new(FakeClock::at(NOW)));
    let keys = [(Algorithm::Es256, 3), (Algorithm::EdDsa, 2), (Algorithm::Rs256, 1)];
    ring.adopt(&keys.map(|(algorithm, sequence)| stored(&MADE[&algorithm], sequence))).unwrap();
    ring
}

fn claims(subject: TokenSubject) -> AccessClaims {
    AccessClaims {
        issuer: ISSUER.into(),
        audience: "denizen".into(),
        subject,
        role: RoleName::admin(),
        scope: Permissions::of(&[Permission::UsersRead, Permission::RolesWrite]),
        issued_at: NOW,
        expires_at: NOW.plus_seconds(900),
        custom: Vec::new(),
    }
}

fn user() -> AccessClaims {
    claims(TokenSubject::User {
        id: UserId::new(&SystemClock, &SystemChance),
        session_id: SessionId::new(&SystemClock, &SystemChance),
        email: EmailAddress::parse("ada@example.com").unwrap(),
        email_verified: true,
        authentication: Authentication { at: NOW, methods: AuthMethods::PASSWORD },
    })
}

fn client() -> AccessClaims {
    claims(TokenSubject::Client {
        id: ServiceAccountId::new(&SystemClock, &SystemChance),
        key_id: ApiKeyId::new(&SystemClock, &SystemChance),
    })
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

/// The header and payload under a good signature of the ring's newest key.
fn forged(ring: &KeyRing, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = ring.present().signing_at(NOW).unwrap().sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn for_each_algorithm(check: impl Fn(&KeyRing, Algorithm)) {
    for &algorithm in Algorithm::ALL {
        check(&ring(algorithm), algorithm);
    }
}

#[test]
fn a_token_verifies_until_it_expires_even_when_remembered() {
    for_each_algorithm(|ring, algorithm| {
        for claims in [user(), client()] {
            let token = ring.sign(&claims).unwrap();
            let verified = ring.verify(&token, NOW).unwrap_or_else(|| panic!("{algorithm:?}"));
            let subject = match claims.subject {
                TokenSubject::User { id, session_id, .. } => VerifiedSubject::User { id, session_id },
                TokenSubject::Client { id, key_id } => VerifiedSubject::Client { id, key_id },
            };
            assert_eq!(verified.subject, subject);
            assert_eq!(verified.scope, claims.scope);
            assert_eq!((verified.issued_at, verified.expires_at), (claims.issued_at, claims.expires_at));
            assert_eq!(URL_SAFE_NO_PAD.encode(verified.token_id), part(&token, 1)["jti"].as_str().unwrap());
            assert_eq!(ring.verify(&token, NOW.plus_seconds(899)), Some(verified));
            assert_eq!(ring.check(&token, NOW.plus_seconds(900)), Err(Rejected("expired")));
        }
    });
}

#[test]
fn the_header_and_the_claims_are_those_of_the_contract() {
    for_each_algorithm(|ring, algorithm| {
        let token = ring.sign(&user()).unwrap();
        assert_eq!(part(&token, 0)["typ"], "at+jwt");
        assert_eq!(part(&token, 0)["alg"], algorithm.as_str());
        let names = |claims: Value| claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let expected = [
            "acr",
            "amr",
            "aud",
            "auth_time",
            "client_id",
            "email",
            "email_verified",
            "exp",
            "iat",
            "iss",
            "jti",
            "role",
            "scope",
            "sid",
            "sub",
        ];
        assert_eq!(names(part(&token, 1)), expected);
        assert_eq!(part(&token, 1)["scope"], "users:read roles:write");
        assert_eq!(
            (&part(&token, 1)["client_id"], &part(&token, 1)["email_verified"]),
            (&json!("denizen"), &json!(true))
        );

        let token = ring.sign(&client()).unwrap();
        let expected = ["aud", "client_id", "exp", "iat", "iss", "jti", "key_id", "role", "scope", "sub"];
        assert_eq!(names(part(&token, 1)), expected);
        assert_eq!(part(&token, 1)["client_id"], part(&token, 1)["sub"]);
    });
}

#[test]
fn the_largest_token_fits() {
    let local = "a".repeat(64);
    let domain = [&*"b".repeat(63), &*"c".repeat(63), &*"d".repeat(61)].join(".");
    let email = EmailAddress::parse(&format!("{local}@{domain}")).unwrap();
    assert_eq!(email.to_string().len(), 254);
    let id = UserId::new(&SystemClock, &SystemChance);
    let session_id = SessionId::new(&SystemClock, &SystemChance);
    let authentication = Authentication { at: NOW, methods: AuthMethods::of(&AuthMethod::ALL) };
    let issuer = format!("https://{}/{}", "i".repeat(240), "p".repeat(255));
    let largest = AccessClaims {
        role: RoleName::parse(&"r".repeat(64)).unwrap(),
        scope: Permissions::ALL,
        issuer: issuer.clone(),
        ..claims(TokenSubject::User { id, session_id, email, email_verified: false, authentication })
    };
    let ring = KeyRing { issuer, ..ring(Algorithm::Rs256) };
    let token = ring.sign(&largest).unwrap();
    assert!(ring.verify(&token, NOW).is_some());
    // Room for three times as many permissions.
    assert!(token.len() + 2 * Permissions::ALL.to_string().len() * 4 / 3 < jwt::TOKEN_BYTES_MAX, "{}", token.len());

    let value = denizen_domain::value::Value::String("v".repeat(CLAIMS_BYTES_MAX - r#""c":"","#.len()));
    let with_claims = AccessClaims { custom: vec![("c".to_owned(), value)], ..largest };
    let token = ring.sign(&with_claims).unwrap();
    assert!(ring.verify(&token, NOW).is_some() && token.len() < jwt::TOKEN_BYTES_MAX, "{}", token.len());
}

#[test]
fn altered_tokens_are_rejected() {
    for_each_algorithm(|ring, algorithm| {
        let good = ring.sign(&user()).unwrap();
        let [header, payload, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        let check = |token: &str| assert!(ring.verify(token, NOW).is_none(), "{algorithm:?}: {token}");
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            check(str::from_utf8(&bytes).unwrap());
        }
        check("");
        check("..");
        check(&format!("{header}.{payload}."));
        check(&format!("{header}.{payload}"));
        check(&format!("{good}.{signature}"));
        check(&format!("{good}="));
        check(&format!(" {good}"));
        check(&good[..good.len() - 1]);
        check(&"A".repeat(5000));
        assert!(ring.verify(&good, NOW).is_some());
    });
}

#[test]
fn headers_of_another_kind_are_rejected_under_a_good_signature() {
    for_each_algorithm(|ring, algorithm| {
        let token = ring.sign(&user()).unwrap();
        let payload = part(&token, 1).to_string();
        let kid = part(&token, 0)["kid"].as_str().unwrap().to_owned();
        let alg = algorithm.as_str();
        let check = |header: &str| {
            assert!(ring.verify(&forged(ring, header, &payload), NOW).is_none(), "{algorithm:?}: {header}");
        };
        let good = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#);
        assert!(ring.verify(&forged(ring, &good, &payload), NOW).is_some());

        for other in ["none", "None", "", "ES384", "PS256", "RS512", "HS512", "Ed25519"] {
            check(&format!(r#"{{"typ":"at+jwt","alg":"{other}","kid":"{kid}"}}"#));
        }
        for other in Algorithm::ALL.iter().filter(|&&other| other != algorithm) {
            check(&format!(r#"{{"typ":"at+jwt","alg":"{}","kid":"{kid}"}}"#, other.as_str()));
        }
        for typ in ["JWT", "jwt", "application/at+jwt", "AT+JWT", ""] {
            check(&format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":"{kid}"}}"#));
        }
        for more in [
            r#""jku":"https://evil.example""#,
            r#""jwk":{}"#,
            r#""x5u":"https://evil.example""#,
            r#""crit":["exp"]"#,
            r#""b64":false"#,
            r#""zip":"DEF""#,
            r#""alg":"none""#,
        ] {
            check(&good.replace('}', &format!(",{more}}}")));
        }
        check(&format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"other"}}"#));
        check(&format!(r#"{{"typ":"at+jwt","alg":"{alg}"}}"#));
        check(&format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#));
        check(&format!("{good} x"));
        check("[]");
    });
}

/// The key's `kid` with another key's algorithm and signature, and a public key used as a secret (RFC 8725 §2.1).
#[test]
fn algorithms_cannot_be_confused() {
    let ring = ring_of_all();
    let present = ring.present();
    let token = ring.sign(&user()).unwrap();
    let payload = URL_SAFE_NO_PAD.encode(part(&token, 1).to_string());
    let token_of = |alg: &str, kid: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#));
        let message = format!("{header}.{payload}");
        let signature = sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };

    for named in &STORED {
        let kid = &MADE[named].id;
        for signer in &STORED {
            let key = present.find(&MADE[signer].id).unwrap();
            for alg in Algorithm::ALL {
                let token = token_of(alg.as_str(), kid, &|message| key.sign(message).unwrap());
                let is_right = named == signer && named == alg;
                assert_eq!(ring.verify(&token, NOW).is_some(), is_right, "{named:?} {signer:?} {alg:?}");
            }
        }
        // Whatever an attacker knows of a key is no secret for HS256, nor is the empty one.
        let published = part_of_jwks(&ring, kid).to_string().into_bytes();
        for secret in [&MADE[named].public_key, &published, &Vec::new()] {
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
            for alg in ["HS256", named.as_str()] {
                let token = token_of(alg, kid, &|message| aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec());
                assert!(ring.verify(&token, NOW).is_none(), "{named:?} {alg}");
            }
        }
        assert!(ring.verify(&token_of("none", kid, &|_| Vec::new()), NOW).is_none());
        // (0, 0) once passed for an ECDSA signature of anything (CVE-2022-21449).
        assert!(ring.verify(&token_of(named.as_str(), kid, &|_| vec![0; 64]), NOW).is_none());
    }
}

fn part_of_jwks(ring: &KeyRing, kid: &str) -> Value {
    let set: Value = serde_json::from_str(&ring.jwks().body).unwrap();
    set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone()
}

#[test]
fn claims_that_do_not_fit_are_rejected() {
    for_each_algorithm(|ring, algorithm| {
        let other = |change: fn(&mut AccessClaims)| {
            let mut claims = user();
            change(&mut claims);
            ring.verify(&ring.sign(&claims).unwrap(), NOW).is_some()
        };
        assert!(other(|_| ()), "{algorithm:?}");
        assert!(other(|claims| claims.issued_at = NOW.plus_seconds(30)));
        assert!(!other(|claims| claims.issued_at = NOW.plus_seconds(31)));
        assert!(!other(|claims| claims.issuer = "https://evil.example".into()));
        assert!(!other(|claims| claims.audience = "somebody else".into()));
        assert!(!other(|claims| claims.expires_at = NOW));
    });
}

#[test]
fn payloads_of_neither_kind_are_rejected_under_a_good_signature() {
    let ring = ring(Algorithm::Es256);
    let of_user = ring.sign(&user()).unwrap();
    let header = part(&of_user, 0).to_string();
    let of_user = part(&of_user, 1);
    let of_client = part(&ring.sign(&client()).unwrap(), 1);
    let is_good = |payload: &str| ring.verify(&forged(&ring, &header, payload), NOW).is_some();
    let with = |base: &Value, claim: &str, value: Value| {
        let mut changed = base.clone();
        changed[claim] = value;
        is_good(&changed.to_string())
    };
    let other_id = "00000000-0000-7000-8000-000000000000";

    for base in [&of_user, &of_client] {
        assert!(is_good(&base.to_string()));
        for claim in base.as_object().unwrap().keys() {
            let mut without = base.clone();
            without.as_object_mut().unwrap().remove(claim);
            if UNREAD.contains(&claim.as_str()) {
                assert!(is_good(&without.to_string()), "without {claim}");
                continue;
            }
            // Tokens of earlier releases have neither for a user, and stay valid until they expire.
            let is_optional = base == &of_user && matches!(claim.as_str(), "client_id" | "email_verified");
            assert_eq!(is_good(&without.to_string()), is_optional, "without {claim}");
            assert!(!with(base, claim, Value::Null), "{claim} is null");
            assert!(!with(base, claim, json!([base[claim]])), "{claim} is a list");
            let twice = base.to_string().replacen('{', &format!("{{\"{claim}\":{},", base[claim]), 1);
            assert!(!is_good(&twice), "{claim} twice");
        }
        // A release to come may write more claims.
        assert!(with(base, "amr", json!(["pwd"])));
        assert!(with(base, "nbf", json!(0)));
        assert!(!with(base, "nbf", json!(i64::MAX)));
        // What is bound to a key is no bearer token.
        assert!(!with(base, "cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})));
        assert!(!with(base, "sub", json!("ada")));
        assert!(!with(base, "exp", json!(1.9e9)));
        assert!(!with(base, "exp", json!(u64::MAX)));
        assert!(!with(base, "jti", json!("short")));
        assert!(!with(base, "jti", json!(URL_SAFE_NO_PAD.encode([0; 17]))));
        // A release to come may know more scopes.
        assert!(with(base, "scope", json!("users:read unheard:of")));
        assert!(with(base, "exp", json!(i64::MAX)));
    }
    assert!(!with(&of_client, "client_id", json!(other_id)));
    assert!(!with(&of_client, "sub", json!(other_id)));
    assert!(!with(&of_client, "key_id", json!("key")));
    assert!(!with(&of_user, "sid", json!("session")));
    assert!(!with(&of_user, "client_id", json!(other_id)));
    assert!(!with(&of_user, "client_id", json!("Denizen")));
    assert!(!with(&of_user, "email_verified", json!("true")));
    assert!(with(&of_user, "email_verified", json!(false)));
    assert!(!with(&of_client, "client_id", json!("denizen")));
    // Neither kind borrows from the other.
    for (base, other) in [(&of_user, &of_client), (&of_client, &of_user)] {
        for (claim, value) in other.as_object().unwrap() {
            if base.get(claim).is_none() && !UNREAD.contains(&claim.as_str()) {
                assert!(!with(base, claim, value.clone()), "with {claim}");
            }
        }
    }
}
