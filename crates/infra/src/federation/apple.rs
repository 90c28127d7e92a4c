//! The client secret of Sign in with Apple: a JWT that the operator's private key signs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use denizen_domain::providers::Provider;
use denizen_domain::time::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::failure::Failure;

/// The audience that Apple requires.
const AUDIENCE: &str = "https://appleid.apple.com";
/// How long a secret is valid, in seconds. Apple allows six months.
const LIFETIME_S: u32 = 3_600;
/// How long before its expiry a secret is replaced, in seconds.
const MARGIN_S: u32 = 300;
/// How many secrets are kept.
const SECRETS_MAX: usize = 64;

/// Secrets that have been signed, until shortly before they expire.
#[derive(Default)]
pub(super) struct SecretCache(Mutex<HashMap<[u8; 32], Signed>>);

struct Signed {
    secret: SecretString,
    signed_at: Timestamp,
}

impl SecretCache {
    /// The client secret of a provider for one of its client ids.
    pub(super) fn secret(&self, provider: &Provider, client_id: &str, now: Timestamp) -> Result<SecretString, Failure> {
        let missing = || Failure::because("settings", "the private key, `team_id` or `key_id` is missing");
        let private_key = provider.client_secret.as_ref().ok_or_else(missing)?;
        let settings = &provider.settings;
        let (team_id, key_id) = settings.team_id.as_deref().zip(settings.key_id.as_deref()).ok_or_else(missing)?;
        let index = index(private_key, [team_id, key_id, client_id]);
        let mut signed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_valid = |signed: &Signed| signed.signed_at.is_within(LIFETIME_S - MARGIN_S, now);
        if let Some(signed) = signed.get(&index).filter(|signed| is_valid(signed)) {
            return Ok(signed.secret.clone());
        }
        let secret = sign(client_id, private_key, (team_id, key_id), now)?;
        signed.retain(|_, signed| is_valid(signed));
        if signed.len() < SECRETS_MAX {
            signed.insert(index, Signed { secret: secret.clone(), signed_at: now });
        }
        Ok(secret)
    }
}

fn index(private_key: &SecretString, names: [&str; 3]) -> [u8; 32] {
    let text = format!("{}\0{}", names.join("\0"), private_key.expose_secret());
    let mut index = [0; 32];
    index.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    index
}

fn sign(
    client_id: &str,
    private_key: &SecretString,
    (team_id, key_id): (&str, &str),
    now: Timestamp,
) -> Result<SecretString, Failure> {
    let invalid = || Failure::because("settings", "the private key is not an EC P-256 key in PEM (PKCS #8)");
    let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.expose_secret().as_bytes()).map_err(|_| invalid())?;
    let key = EncodingKey::from_ec_der(der.secret_pkcs8_der());
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::ES256) };
    let claims = json!({
        "iss": team_id,
        "iat": now.as_seconds(),
        "exp": now.plus_seconds(LIFETIME_S).as_seconds(),
        "aud": AUDIENCE,
        "sub": client_id,
    });
    encode(&header, &claims, &key).map(Into::into).map_err(|_| invalid())
}
