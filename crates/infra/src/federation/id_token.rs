//! Verifies ID tokens (OpenID Connect Core 1.0 §3.1.3.7, RFC 8725).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::time::{CLOCK_SKEW_S, Timestamp};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::keys::{Key, KeySet, is_known_algorithm};
use super::resolve::{TENANT, is_tenant_id};

/// The longest ID token, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest `sub`, in bytes (OpenID Connect Core 1.0 §2).
pub(super) const SUBJECT_BYTES_MAX: usize = 255;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation<'a> {
    /// The issuer, in which `{tenantid}` may stand for the claim `tid`.
    pub(super) issuer: &'a str,
    /// Other values of `iss` that mean the same issuer.
    pub(super) issuer_aliases: &'a [String],
    /// The client ids that the token may be issued to.
    pub(super) client_ids: &'a [&'a str],
    /// The nonce.
    pub(super) nonce: &'a str,
    /// Whether the token may have the SHA-256 digest of the nonce instead.
    pub(super) nonce_form: NonceForm,
    /// The access token that came with it, to which `at_hash` is compared.
    pub(super) access_token: Option<&'a str>,
    /// The present moment.
    pub(super) now: Timestamp,
}

/// In which form the nonce may be in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NonceForm {
    /// As it was sent.
    Exact,
    /// As it was sent, or its SHA-256 digest in lower-case hexadecimal.
    ExactOrDigest,
}

/// A verified token.
#[derive(Debug)]
pub(super) struct Verified {
    /// The issuer identifier.
    pub(super) issuer: String,
    /// All claims: a JSON object.
    pub(super) claims: Value,
}

/// The members of a JOSE header that count (RFC 7515 §4.1).
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// The outcome of looking for the key that signed a token.
pub(super) enum Signature {
    /// The signature is valid, and these are the claims.
    Valid(Box<Verified>),
    /// No key fits: there may be a newer one.
    UnknownKey,
}

impl Header {
    /// Reads and checks the header of a token.
    pub(super) fn parse(token: &str) -> Result<Self, Failure> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Failure::refused("id_token_size"));
        }
        let malformed = || Failure::refused("id_token_format");
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let header: Self = serde_json::from_slice(&header).map_err(|_| malformed())?;
        if header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(Failure::refused("typ"));
        }
        if header.crit.is_some() {
            return Err(Failure::refused("crit"));
        }
        if !is_known_algorithm(&header.alg) {
            return Err(Failure::refused("alg"));
        }
        Ok(header)
    }
}

/// Verifies the signature, then the claims.
pub(super) fn verify(
    token: &str,
    header: &Header,
    keys: &KeySet,
    expected: &Expectation<'_>,
) -> Result<Signature, Failure> {
    let mut candidates = keys.candidates(&header.alg, header.kid.as_deref()).peekable();
    if candidates.peek().is_none() {
        return Ok(Signature::UnknownKey);
    }
    let verified = candidates.find_map(|(algorithm, key)| Some((algorithm, key, decode(token, algorithm, key)?)));
    let Some((algorithm, key, claims)) = verified else {
        // A token that names no key may be signed with one that is not known yet.
        return if header.kid.is_some() { Err(Failure::refused("signature")) } else { Ok(Signature::UnknownKey) };
    };
    let issuer = check_issuer(&claims, expected)?;
    if !key.signs_for(&issuer) {
        return Err(Failure::refused("key_issuer"));
    }
    check_audience(&claims, expected.client_ids)?;
    check_time(&claims, expected.now)?;
    check_nonce(&claims, expected)?;
    check_access_token(&claims, algorithm, expected.access_token)?;
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
        return Err(Failure::refused("subject"));
    }
    Ok(Signature::Valid(Box::new(Verified { issuer, claims })))
}

/// The claims, if the key signed the token. What they must say is checked here, against our own clock.
fn decode(token: &str, algorithm: Algorithm, key: &Key) -> Option<Value> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Value>(token, &key.decoding, &validation).ok()?;
    decoded.claims.is_object().then_some(decoded.claims)
}

fn check_issuer(claims: &Value, expected: &Expectation<'_>) -> Result<String, Failure> {
    let issuer = claims.get("iss").and_then(Value::as_str).ok_or_else(|| Failure::refused("issuer"))?;
    if expected.issuer.contains(TENANT) {
        let tenant = claims.get("tid").and_then(Value::as_str).filter(|tenant| is_tenant_id(tenant));
        let tenant = tenant.ok_or_else(|| Failure::refused("tenant"))?;
        if issuer != expected.issuer.replace(TENANT, tenant) {
            return Err(Failure::refused("tenant"));
        }
        return Ok(issuer.to_owned());
    }
    if issuer == expected.issuer || expected.issuer_aliases.iter().any(|alias| alias == issuer) {
        return Ok(expected.issuer.to_owned());
    }
    Err(Failure::refused("issuer"))
}

fn check_audience(claims: &Value, client_ids: &[&str]) -> Result<(), Failure> {
    let refused = || Failure::refused("audience");
    let is_ours = |value: &Value| value.as_str().is_some_and(|id| client_ids.contains(&id));
    match claims.get("aud") {
        Some(audience @ Value::String(_)) if is_ours(audience) => Ok(()),
        Some(Value::Array(audiences)) => {
            if !audiences.iter().any(is_ours) {
                return Err(refused());
            }
            if audiences.len() > 1 && !claims.get("azp").is_some_and(is_ours) {
                return Err(Failure::refused("azp"));
            }
            Ok(())
        }
        _ => Err(refused()),
    }
}

fn check_time(claims: &Value, now: Timestamp) -> Result<(), Failure> {
    // The precision of a double suffices: it has 53 bits for the whole seconds.
    #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2⁵³")]
    let now = now.as_seconds() as f64;
    let leeway = f64::from(CLOCK_SKEW_S);
    let moment = |name| claims.get(name).map(Value::as_f64);
    let expires_at = moment("exp").flatten().ok_or_else(|| Failure::refused("exp"))?;
    if now >= expires_at + leeway {
        return Err(Failure::refused("exp"));
    }
    let issued_at = moment("iat").flatten().ok_or_else(|| Failure::refused("iat"))?;
    if issued_at > now + leeway {
        return Err(Failure::refused("iat"));
    }
    match moment("nbf") {
        None => Ok(()),
        Some(Some(not_before)) if not_before <= now + leeway => Ok(()),
        Some(_) => Err(Failure::refused("nbf")),
    }
}

fn check_nonce(claims: &Value, expected: &Expectation<'_>) -> Result<(), Failure> {
    let nonce = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
    let is_exact = nonce == expected.nonce;
    let is_digest = || expected.nonce_form == NonceForm::ExactOrDigest && nonce == sha256_hex(expected.nonce);
    // An empty expectation would be met by a token without a nonce.
    if expected.nonce.is_empty() || !(is_exact || is_digest()) {
        return Err(Failure::refused("nonce"));
    }
    Ok(())
}

fn sha256_hex(text: &str) -> String {
    use std::fmt::Write as _;
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The left half of the access token's digest (OpenID Connect Core 1.0 §3.1.3.6), if the token has it.
fn check_access_token(claims: &Value, algorithm: Algorithm, access_token: Option<&str>) -> Result<(), Failure> {
    let (Some(hash), Some(access_token)) = (claims.get("at_hash"), access_token) else {
        return Ok(());
    };
    let function = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let digest = digest::digest(function, access_token.as_bytes());
    let half = &digest.as_ref()[..digest.as_ref().len() / 2];
    if hash.as_str() != Some(URL_SAFE_NO_PAD.encode(half).as_str()) {
        return Err(Failure::refused("at_hash"));
    }
    Ok(())
}
