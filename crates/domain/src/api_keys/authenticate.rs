//! From an API key to whoever asks.

use super::secret::{is_secret_of, read};
use super::{ApiKeyState, SecretHash};
use crate::access::{Credential, Principal};
use crate::ctx::Services;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::ApiKeyId;

/// The owner of a key, as far as the key carries what the owner may do now.
pub async fn authenticate(services: &Services, text: &str) -> Result<Principal> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidToken);
    let (id, hash) = read(text, services.vault.as_ref()).ok_or_else(refused)?;
    let state = live_state(services, id, &hash).await?.ok_or_else(refused)?;
    services.usage.note(Credential::ApiKey(id), services.clock.now());
    let permissions = state.effective();
    Ok(Principal {
        subject: state.owner,
        credential: Credential::ApiKey(id),
        role: state.role,
        permissions,
        expires_at: state.expires_at,
        key_digest: Some(hash),
    })
}

/// The state of a key that works, when the digest is that of its secret.
pub(crate) async fn live_state(services: &Services, id: ApiKeyId, hash: &SecretHash) -> Result<Option<ApiKeyState>> {
    let now = services.clock.now();
    let state = services.store.read().await?.api_key_state(id).await?;
    Ok(state.filter(|state| is_secret_of(state, hash, now) && state.is_live(now)))
}
