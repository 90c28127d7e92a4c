//! Access tokens in their compact form (RFC 7519, RFC 9068), read as strictly as RFC 8725 asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::AccessClaims;
use serde::{Deserialize, Serialize};

use super::es256::{ALGORITHM, KeyPair};
use super::{KeyRing, Verified};

/// Longer than any token we sign.
pub(super) const TOKEN_BYTES_MAX: usize = 4096;
/// How far the clocks of two nodes may differ, in seconds.
const LEEWAY_S: i64 = 30;
/// The type of RFC 9068 §2.1: an ID token or a foreign JWT is not an access token.
const TYPE: &str = "at+jwt";

/// Why a token is not accepted: for the log, not for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is {0}")]
pub struct Rejected(pub(super) &'static str);

/// The header. Whatever it may not say (`jku`, `jwk`, `x5u`, `crit` …) is an unknown field and refused, and a
/// field said twice is refused as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    email: String,
    role: String,
    scope: String,
}

pub(super) fn sign(
    key: &KeyPair,
    claims: &AccessClaims,
    jti: &str,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let header = Header { typ: TYPE, alg: ALGORITHM, kid: &key.id };
    let payload = Payload {
        iss: claims.issuer.clone(),
        sub: claims.subject.to_string(),
        aud: claims.audience.clone(),
        exp: claims.expires_at.as_seconds(),
        iat: claims.issued_at.as_seconds(),
        jti: jti.to_owned(),
        sid: claims.session_id.to_string(),
        email: claims.email.to_string(),
        role: claims.role.to_string(),
        scope: claims.scope.to_string(),
    };
    let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&payload)?, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

pub(super) fn verify(
    ring: &KeyRing,
    token: &str,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Verified, Rejected> {
    let (message, signature) = token.rsplit_once('.').ok_or(Rejected("not of three parts"))?;
    let (header, payload) = message.split_once('.').ok_or(Rejected("not of three parts"))?;

    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Rejected("under an unreadable header"))?;
    if header.typ != TYPE || header.alg != ALGORITHM {
        return Err(Rejected("of another type or algorithm"));
    }
    let key = ring.keys().find(|key| key.id == header.kid).ok_or(Rejected("signed by an unknown key"))?;
    if !key.is_signed(message.as_bytes(), &decode(signature)?) {
        return Err(Rejected("not signed by its key"));
    }

    let payload: Payload =
        serde_json::from_slice(&decode(payload)?).map_err(|_| Rejected("without the claims it needs"))?;
    if payload.iss != issuer || payload.aud != audience {
        return Err(Rejected("from another issuer or for another audience"));
    }
    if payload.iat > now.as_seconds() + LEEWAY_S {
        return Err(Rejected("from the future"));
    }
    let subject = UserId::parse(&payload.sub).ok_or(Rejected("without a subject"))?;
    let session_id = SessionId::parse(&payload.sid).ok_or(Rejected("without a session"))?;
    let expires_at = Timestamp::from_micros(payload.exp.saturating_mul(1_000_000));
    if expires_at <= now {
        return Err(Rejected("expired"));
    }
    Ok(Verified { subject, session_id, expires_at })
}

fn decode(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected("not in base64url"))
}
