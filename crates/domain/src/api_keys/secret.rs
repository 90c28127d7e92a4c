//! The text of an API key: its id and a random secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{ApiKeyState, SecretHash};
use crate::id::ApiKeyId;
use crate::ports::{Random, Vault};
use crate::time::Timestamp;

/// What every API key begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dnk_";
const PURPOSE: &str = "api key";
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const KEY_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// A key as its owner gets to see it once, and what is kept of it.
pub(super) fn generate(id: ApiKeyId, random: &dyn Random, vault: &dyn Vault) -> (SecretString, SecretHash) {
    let mut bytes = [0; KEY_BYTES];
    let (id_part, secret) = bytes.split_at_mut(ID_BYTES);
    id_part.copy_from_slice(id.as_uuid().as_bytes());
    random.fill(secret);
    let hash = vault.mac(PURPOSE, secret);
    let mut text = PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    (text.into(), hash)
}

/// The id and the digest of the secret in the text of a key; `None` when it cannot be one.
pub(crate) fn read(text: &str, vault: &dyn Vault) -> Option<(ApiKeyId, SecretHash)> {
    let encoded = text.strip_prefix(PREFIX)?;
    if encoded.len() != KEY_BYTES / 3 * 4 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (id, secret) = bytes.split_at_checked(ID_BYTES)?;
    Some((ApiKeyId::from_uuid(Uuid::from_slice(id).ok()?), vault.mac(PURPOSE, secret)))
}

/// Whether the digest is that of the key's secret, or of the one before while that still works.
pub(crate) fn is_secret_of(state: &ApiKeyState, hash: &SecretHash, now: Timestamp) -> bool {
    let is_current = hash.ct_eq(&state.secret_hash);
    let is_previous = state.previous.map_or(subtle::Choice::from(0), |(previous, until)| {
        hash.ct_eq(&previous) & subtle::Choice::from(u8::from(until > now))
    });
    (is_current | is_previous).into()
}
