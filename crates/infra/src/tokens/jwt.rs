//! Access tokens in their compact form (RFC 7519, RFC 9068), read as strictly as RFC 8725 asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::access::Permissions;
use denizen_domain::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::{AccessClaims, FIRST_PARTY_CLIENT_ID, TokenSubject, VerifiedSubject, VerifiedToken};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::pair::KeyPair;
use super::ring::Ring;

/// Longer than any token we sign.
pub(super) const TOKEN_BYTES_MAX: usize = 4096;
/// How far the clocks of two nodes may differ, in seconds.
const LEEWAY_S: i64 = 30;
/// The type of RFC 9068 §2.1: an ID token or a foreign JWT is not an access token.
const TYPE: &str = "at+jwt";

/// Why a token is not accepted: for the log, not for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is {0}")]
pub(super) struct Rejected(pub(super) &'static str);

/// The header. Whatever it may not say (`jku`, `jwk`, `x5u`, `crit` …) is an unknown field and refused, and a
/// field said twice is refused as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

/// The claims, with those of both kinds of subject; a token has all of one kind and none of the other. The tokens of users
/// may lack the claims that earlier releases did not write. Unknown claims are ignored: a node of the next release may add
/// some.
#[derive(Default, Serialize, Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// `auth_time`, `acr` and `amr` are for resource servers: here, the session is asked.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<&'static str>>,
    /// Not written; another release may.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    /// The key that the token is bound to (RFC 7800). Not written, and not supported: such a token is not a bearer token.
    #[serde(default, deserialize_with = "present", skip_serializing)]
    cnf: Option<IgnoredAny>,
    role: String,
    scope: String,
}

/// A claim may be absent; it may not be `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Payload {
    fn new(claims: &AccessClaims, token_id: [u8; 16]) -> Self {
        let shared = Self {
            iss: claims.issuer.clone(),
            aud: claims.audience.clone(),
            exp: claims.expires_at.as_seconds(),
            iat: claims.issued_at.as_seconds(),
            jti: URL_SAFE_NO_PAD.encode(token_id),
            role: claims.role.to_string(),
            scope: claims.scope.to_string(),
            ..Self::default()
        };
        match &claims.subject {
            TokenSubject::User { id, session_id, email, email_verified, authentication } => Self {
                sub: id.to_string(),
                sid: Some(session_id.to_string()),
                email: Some(email.to_string()),
                email_verified: Some(*email_verified),
                auth_time: Some(authentication.at.as_seconds()),
                acr: Some(authentication.methods.acr().as_str()),
                amr: Some(authentication.methods.names().collect()).filter(|names: &Vec<_>| !names.is_empty()),
                client_id: Some(FIRST_PARTY_CLIENT_ID.to_owned()),
                ..shared
            },
            TokenSubject::Client { id, key_id } => Self {
                sub: id.to_string(),
                client_id: Some(id.to_string()),
                key_id: Some(key_id.to_string()),
                ..shared
            },
        }
    }

    fn subject(&self) -> Option<VerifiedSubject> {
        match (&self.sid, &self.email, self.client_id.as_deref(), &self.key_id) {
            (Some(session_id), Some(_), None | Some(FIRST_PARTY_CLIENT_ID), None) => {
                Some(VerifiedSubject::User { id: UserId::parse(&self.sub)?, session_id: SessionId::parse(session_id)? })
            }
            (None, None, Some(client_id), Some(key_id)) if client_id == self.sub && self.email_verified.is_none() => {
                Some(VerifiedSubject::Client {
                    id: ServiceAccountId::parse(client_id)?,
                    key_id: ApiKeyId::parse(key_id)?,
                })
            }
            _ => None,
        }
    }
}

pub(super) fn sign(
    key: &KeyPair,
    claims: &AccessClaims,
    token_id: [u8; 16],
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let header = Header { typ: TYPE, alg: key.algorithm().as_str(), kid: key.id() };
    let payload = Payload::new(claims, token_id);
    let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(with_custom(serde_json::to_vec(&payload)?, claims)?, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Adds the claims from attributes at the end of the object.
fn with_custom(mut payload: Vec<u8>, claims: &AccessClaims) -> serde_json::Result<Vec<u8>> {
    if claims.custom.is_empty() {
        return Ok(payload);
    }
    payload.pop();
    for (name, value) in &claims.custom {
        payload.push(b',');
        serde_json::to_writer(&mut payload, name)?;
        payload.push(b':');
        serde_json::to_writer(&mut payload, value)?;
    }
    payload.push(b'}');
    Ok(payload)
}

pub(super) fn verify(
    ring: &Ring,
    token: &str,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<VerifiedToken, Rejected> {
    let (message, signature) = token.rsplit_once('.').ok_or(Rejected("not a JWS with three parts"))?;
    let (header, payload) = message.split_once('.').ok_or(Rejected("not a JWS with three parts"))?;

    let header = decode(header)?;
    let header: Header<'_> =
        serde_json::from_slice(&header).map_err(|_| Rejected("not readable: its header is invalid"))?;
    let key = ring.find(header.kid).ok_or(Rejected("signed by an unknown key"))?;
    // The key decides by which algorithm, never the token (RFC 8725 §3.1).
    if header.typ != TYPE || header.alg != key.algorithm().as_str() {
        return Err(Rejected("of the wrong type or algorithm"));
    }
    if !key.is_signed(message.as_bytes(), &decode(signature)?) {
        return Err(Rejected("not signed by its key"));
    }

    let payload: Payload =
        serde_json::from_slice(&decode(payload)?).map_err(|_| Rejected("missing required claims"))?;
    if payload.iss != issuer || payload.aud != audience {
        return Err(Rejected("from another issuer or for another audience"));
    }
    if payload.iat > now.as_seconds() + LEEWAY_S {
        return Err(Rejected("issued in the future"));
    }
    if payload.nbf.is_some_and(|nbf| nbf > now.as_seconds() + LEEWAY_S) {
        return Err(Rejected("not yet valid"));
    }
    if payload.cnf.is_some() {
        return Err(Rejected("bound to a key"));
    }
    let subject = payload.subject().ok_or(Rejected("missing a subject"))?;
    let token_id = decode(&payload.jti)?.try_into().map_err(|_| Rejected("missing a valid id"))?;
    let expires_at = seconds(payload.exp);
    if expires_at <= now {
        return Err(Rejected("expired"));
    }
    Ok(VerifiedToken {
        subject,
        // A token of another release may carry scopes unknown here; they allow nothing.
        scope: Permissions::from_stored(&payload.scope),
        token_id,
        issued_at: seconds(payload.iat),
        expires_at,
    })
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

fn decode(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected("not base64url"))
}
