//! What a client carries through a flow: encrypted and authenticated under the master key, in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::ports::Vault;

/// Longer than anything that is sealed, in characters.
const SEALED_CHARS_MAX: usize = 32 * 1024;

/// Seals a value for a purpose.
///
/// # Errors
/// [`Error::Internal`] when the value cannot be encoded.
pub(crate) fn seal<T: Serialize>(vault: &dyn Vault, purpose: &str, value: &T) -> Result<String> {
    let plain = rmp_serde::to_vec(value).map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(URL_SAFE_NO_PAD.encode(vault.seal(purpose.as_bytes(), &plain)))
}

/// Opens what [`seal`] made for the same purpose; `None` for anything else.
pub(crate) fn open<T: DeserializeOwned>(vault: &dyn Vault, purpose: &str, sealed: &str) -> Option<T> {
    if sealed.len() > SEALED_CHARS_MAX {
        return None;
    }
    let plain = vault.open(purpose.as_bytes(), &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
    rmp_serde::from_slice(&plain).ok()
}
