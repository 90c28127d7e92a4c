//! No bytes of a provider make anything panic.

use proptest::prelude::*;
use serde_json::json;

use super::super::id_token::{Expectation, Header, NonceForm, Signature, verify};
use super::super::keys::KeySet;
use super::super::mapping::{add_apple_name, identity, lacks_claims};
use super::super::metadata::parse_metadata;
use super::super::resolve::Resolved;
use super::super::token_response::{self, ExchangeError};
use super::signing::{TestKey, base64};
use super::*;
use crate::outside::Answer;

fn answer(body: Vec<u8>) -> Answer {
    Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body }
}

fn is_accepted(token: &str, keys: &KeySet) -> bool {
    let expected = Expectation {
        issuer: "https://id.example",
        issuer_aliases: &[],
        client_ids: &[CLIENT],
        nonce: NONCE,
        nonce_form: NonceForm::ExactOrDigest,
        access_token: Some(ACCESS_TOKEN),
        now: Timestamp::from_micros(NOW_S * 1_000_000),
    };
    let verified = Header::parse(token).and_then(|header| verify(token, &header, keys, &expected));
    matches!(verified, Ok(Signature::Valid(_)))
}

/// JSON of every form, with names and texts that matter more often than others.
fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z\u{0}\u{202e}@./]{0,12}",
        Just("RSA".to_owned()),
        Just("EC".to_owned()),
        Just("OKP".to_owned()),
        Just("P-256".to_owned()),
        Just("Ed25519".to_owned()),
        Just("AQAB".to_owned()),
        Just(CLIENT.to_owned()),
    ];
    let name = prop_oneof![
        Just("keys"),
        Just("kty"),
        Just("crv"),
        Just("n"),
        Just("e"),
        Just("x"),
        Just("y"),
        Just("kid"),
        Just("alg"),
        Just("iss"),
        Just("aud"),
        Just("sub"),
        Just("exp"),
        Just("amr"),
        Just("email"),
        Just("email_verified"),
        Just("name"),
        Just("error"),
        Just("access_token"),
        Just("issuer"),
        Just("jwks_uri"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn read_everything(body: &[u8]) {
    let _ = KeySet::parse(&answer(body.to_vec()));
    let _ = parse_metadata(&answer(body.to_vec()), "https://id.example");
    match token_response::parse(&answer(body.to_vec())) {
        Ok(document) => assert!(document.is_object()),
        Err(ExchangeError::Answered { error, .. }) => assert!(error.len() <= 64),
        Err(ExchangeError::Failed(_)) => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_documents_never_panic(body in prop::collection::vec(any::<u8>(), 0..512)) {
        read_everything(&body);
    }

    #[test]
    fn arbitrary_json_never_panics(value in json_value()) {
        read_everything(value.to_string().as_bytes());
        read_everything(json!({ "keys": [value] }).to_string().as_bytes());
    }

    #[test]
    fn arbitrary_tokens_never_panic_and_never_pass(token in ".{0,200}", parts in prop::collection::vec(any::<Vec<u8>>(), 3)) {
        let keys = KeySet::parse(&answer(json!({"keys": [TestKey::es256("k").jwk()]}).to_string().into_bytes())).unwrap();
        prop_assert!(!is_accepted(&token, &keys));
        let encoded: Vec<_> = parts.iter().map(|part| base64(part)).collect();
        prop_assert!(!is_accepted(&encoded.join("."), &keys));
    }

    #[test]
    fn arbitrary_claims_and_keys_never_panic_and_never_pass(claims in json_value(), header in json_value(), jwk in json_value()) {
        let key = TestKey::es256("k");
        let body = json!({"keys": [key.jwk(), jwk]}).to_string().into_bytes();
        let keys = KeySet::parse(&answer(body)).unwrap();
        prop_assert!(!is_accepted(&key.sign(&claims), &keys));
        prop_assert!(!is_accepted(&key.sign_with(&header, &claims), &keys));
    }

    #[test]
    fn arbitrary_descriptions_of_users_never_panic(claims in json_value(), user in ".{0,100}", path in "[a-z/~0-9]{0,8}") {
        let claims = json!({"sub": "user-1", "any": claims.clone(), "amr": claims.clone(), "name": claims.clone(), "email": claims});
        for preset in super::super::presets::names().map(Some).chain([None]) {
            let settings = ProviderSettings {
                preset: preset.map(str::to_owned),
                issuer: Some("https://id.example".to_owned()),
                claims: [("attributes.x".to_owned(), path.clone()), ("locale".to_owned(), "any".to_owned())].into(),
                role_claim: Some("any".to_owned()),
                trust_mfa: true,
                ..ProviderSettings::default()
            };
            let resolved = Resolved::new(&settings).unwrap();
            let mut claims = claims.clone();
            add_apple_name(&mut claims, &user);
            let _ = lacks_claims(&resolved, &claims);
            let _ = identity(&resolved, "https://id.example".to_owned(), &claims);
        }
    }
}
