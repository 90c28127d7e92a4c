//! The client of an OAuth endpoint: a service account that proves who it is by one of its API keys (RFC 6749 §2.3).

use secrecy::{ExposeSecret, SecretString};

use crate::access::{Permissions, Subject};
use crate::api_keys::authenticate::live_state;
use crate::api_keys::secret;
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{ApiKeyId, ServiceAccountId};
use crate::roles::RoleName;

/// What a client sends to prove who it is.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The `client_id`: the service account's id.
    pub id: String,
    /// The `client_secret`: one of its API keys.
    pub secret: SecretString,
}

/// A client that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The service account.
    pub id: ServiceAccountId,
    /// By which of its keys.
    pub key_id: ApiKeyId,
    /// Its role now.
    pub role: RoleName,
    /// What the key may do now.
    pub permissions: Permissions,
}

/// The client with these credentials. An unknown client and a wrong secret get the same answer.
pub async fn authenticate_client(ctx: &Ctx, credentials: &ClientCredentials) -> Result<Client> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidClient);
    let services = ctx.services();
    let id = ServiceAccountId::parse(&credentials.id).ok_or_else(refused)?;
    let (key_id, mac) =
        secret::read(credentials.secret.expose_secret(), services.vault.as_ref()).ok_or_else(refused)?;
    let state = live_state(services, key_id, &mac).await?;
    let state = state.filter(|state| state.owner == Subject::ServiceAccount(id)).ok_or_else(refused)?;
    services.usage.note(crate::access::Credential::ApiKey(key_id), ctx.now());
    Ok(Client { id, key_id, permissions: state.effective(), role: state.role })
}
