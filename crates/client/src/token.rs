//! Access tokens in their compact form (RFC 7519, RFC 9068), verified as RFC 8725 requires.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::claims::{Acr, Authentication, Kind, Verified};
use crate::error::InvalidToken;
use crate::keys::{Algorithm, KeySet};

mod custom;

pub(crate) use custom::Custom;

/// The types of an access token (RFC 9068 §2.1), compared without case.
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// The required issuer, audience and lifetime.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) leeway_s: u64,
    /// The maximum token lifetime, if a revocation feed is used: older revocations are deleted.
    pub(crate) lifetime_max_s: Option<u64>,
}

/// The header. Unknown members are ignored, which includes keys and URLs of keys (`jwk`, `jku`, `x5u`): the key is
/// always one of the issuer's. A repeated member is an error.
#[derive(Deserialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
    #[serde(default, deserialize_with = "non_null")]
    crit: Option<IgnoredAny>,
}

/// The claims. Unknown claims are ignored; a repeated one is an error.
#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: u64,
    iat: u64,
    jti: String,
    #[serde(default, deserialize_with = "non_null")]
    nbf: Option<u64>,
    #[serde(default, deserialize_with = "non_null")]
    cnf: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "non_null")]
    sid: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    key_id: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    email: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    email_verified: Option<bool>,
    #[serde(default, deserialize_with = "non_null")]
    auth_time: Option<u64>,
    #[serde(default, deserialize_with = "non_null")]
    acr: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    amr: Option<Vec<String>>,
    #[serde(default, deserialize_with = "non_null")]
    role: Option<String>,
    #[serde(default, deserialize_with = "non_null")]
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// A claim may be absent; it must not be `null`.
fn non_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Verifies the signature and the claims that do not depend on the time, except for `iat`, `nbf` and `exp`, which are
/// verified once more when the token is found in the cache.
pub(crate) fn verify(keys: &KeySet, token: &str, expected: &Expected, now_s: u64) -> Result<Verified, InvalidToken> {
    let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(InvalidToken::Malformed)?;
    if payload.contains('.') {
        return Err(InvalidToken::Malformed);
    }
    check_signature(keys, header, message, signature)?;
    let text = decode(payload)?;
    let payload = serde_json::from_slice(&text).map_err(|_| InvalidToken::InvalidClaims)?;
    check_claims(&payload, expected)?;
    let custom = serde_json::from_slice(&text).map_err(|_| InvalidToken::InvalidClaims)?;
    let verified = verified(payload, custom)?;
    check_time(&verified, expected, now_s)?;
    Ok(verified)
}

/// The part of the verification that depends on the time.
pub(crate) fn check_time(token: &Verified, expected: &Expected, now_s: u64) -> Result<(), InvalidToken> {
    if now_s >= token.expires_at.saturating_add(expected.leeway_s) {
        return Err(InvalidToken::Expired);
    }
    let latest = now_s.saturating_add(expected.leeway_s);
    if token.not_before > latest {
        return Err(InvalidToken::NotYetValid);
    }
    if token.issued_at > latest { Err(InvalidToken::IssuedInFuture) } else { Ok(()) }
}

fn check_signature(keys: &KeySet, header: &str, message: &str, signature: &str) -> Result<(), InvalidToken> {
    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| InvalidToken::Malformed)?;
    if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(header.typ)) {
        return Err(InvalidToken::WrongType);
    }
    // No extension is understood (RFC 7515 §4.1.11).
    if header.crit.is_some() {
        return Err(InvalidToken::CriticalHeader);
    }
    let algorithm = Algorithm::parse(header.alg).ok_or(InvalidToken::UnsupportedAlgorithm)?;
    let key = keys.find(header.kid).ok_or(InvalidToken::UnknownKey)?;
    // The key decides the algorithm, not the token (RFC 8725 §3.1).
    if key.algorithm() != algorithm {
        return Err(InvalidToken::UnsupportedAlgorithm);
    }
    if key.is_signed(message.as_bytes(), &decode(signature)?) { Ok(()) } else { Err(InvalidToken::BadSignature) }
}

fn check_claims(payload: &Payload, expected: &Expected) -> Result<(), InvalidToken> {
    if payload.iss != expected.issuer {
        return Err(InvalidToken::WrongIssuer);
    }
    if !expected.audiences.iter().any(|audience| payload.aud.contains(audience)) {
        return Err(InvalidToken::WrongAudience);
    }
    // A token that is bound to a key is not a bearer token (RFC 7800).
    if payload.cnf.is_some() {
        return Err(InvalidToken::SenderConstrained);
    }
    let lifetime_s = payload.exp.checked_sub(payload.iat).ok_or(InvalidToken::InvalidClaims)?;
    if expected.lifetime_max_s.is_some_and(|max| lifetime_s > max) {
        return Err(InvalidToken::LifetimeTooLong);
    }
    Ok(())
}

fn verified(payload: Payload, custom: Custom) -> Result<Verified, InvalidToken> {
    let id = |raw: &str| Uuid::try_parse(raw).map_err(|_| InvalidToken::InvalidClaims);
    let kind = match (payload.sid.as_deref(), payload.key_id.as_deref()) {
        (Some(session_id), None) => Kind::User {
            session_id: id(session_id)?,
            email: payload.email.map(Into::into),
            email_verified: payload.email_verified.unwrap_or(false),
        },
        (None, Some(key_id)) => Kind::ServiceAccount { key_id: id(key_id)? },
        _ => return Err(InvalidToken::InvalidClaims),
    };
    Ok(Verified {
        subject: id(&payload.sub)?,
        kind,
        token_id: payload.jti.into(),
        client_id: payload.client_id.map(Into::into),
        role: payload.role.unwrap_or_default().into(),
        scope: payload.scope.unwrap_or_default().into(),
        authentication: Authentication {
            at: payload.auth_time,
            acr: payload.acr.as_deref().and_then(Acr::parse),
            methods: payload.amr.unwrap_or_default().into(),
        },
        issued_at: payload.iat,
        not_before: payload.nbf.unwrap_or(0),
        expires_at: payload.exp,
        custom,
    })
}

fn decode(part: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)
}
