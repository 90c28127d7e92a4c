//! What others published, and what another implementation makes of our tokens.

use super::*;
use crate::tokens::jwks::PublicJwk;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};

#[test]
fn thumbprints_are_those_of_the_standards() {
    // RFC 7638 §3.1.
    let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
                   ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
                   KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
                   xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let rsa = PublicJwk::rsa(&URL_SAFE_NO_PAD.decode(modulus).unwrap(), &[1, 0, 1]);
    assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");

    // RFC 8037 A.3.
    let ed25519 = eddsa::Pair::parse(&rfc_8037_key()).unwrap().jwk();
    assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

// RFC 8037 A.4.
#[test]
fn ed25519_signs_as_the_standard_does() {
    let pair = eddsa::Pair::parse(&rfc_8037_key()).unwrap();
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = pair.sign(message).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(&signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert!(pair.is_signed(message, &signature));
}

/// The private key of RFC 8037 A.1 in PKCS #8, version 1.
fn rfc_8037_key() -> Vec<u8> {
    let head = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    [&head[..], &seed].concat()
}

#[test]
fn another_implementation_verifies_with_the_published_keys() {
    for algorithm in STORED {
        let ring = ring(algorithm);
        let token = ring.sign(&user()).unwrap();
        let set: JwkSet = serde_json::from_str(&ring.jwks().body).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        let jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), MADE[&algorithm].id);

        let mut validation = Validation::new(header.alg);
        validation.set_audience(&["denizen"]);
        // It would ask the clock of the system.
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let verified = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(verified.claims, part(&token, 1), "{algorithm:?}");
    }
}

#[test]
fn public_keys_are_kept_in_the_encoding_of_their_algorithm() {
    let public = |algorithm| MADE[&algorithm].public_key.as_slice();
    assert_eq!((public(Algorithm::Es256).len(), public(Algorithm::Es256)[0]), (65, 4));
    assert_eq!(public(Algorithm::EdDsa).len(), 32);
    // A SubjectPublicKeyInfo of 2048 bits.
    assert_eq!(public(Algorithm::Rs256).len(), 294);
    let jwk = part_of_jwks(&ring(Algorithm::Rs256), &MADE[&Algorithm::Rs256].id);
    assert_eq!(jwk["e"], "AQAB");
    assert_eq!(URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap().len(), 256);
}
