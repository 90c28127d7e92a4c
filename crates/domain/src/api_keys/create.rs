//! Create an API key.

use secrecy::SecretString;

use super::owner::require_client_rights;
use super::secret::generate;
use super::{ApiKey, KeyFilter};
use crate::access::{Permission, Permissions, Subject};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, FieldError, Resource, Result, Unauthenticated};
use crate::events::{Happened, record};
use crate::id::{ApiKeyId, ServiceAccountId};
use crate::roles::{permissions_of, require_authority_over};
use crate::time::Timestamp;
use crate::users::{DisplayName, Status};

/// How many keys one owner may have: more is a program that forgets to delete them.
const KEYS_PER_OWNER_MAX: u64 = 200;

/// What a new key is made of.
#[derive(Debug)]
pub struct NewApiKey {
    /// Display name.
    pub name: DisplayName,
    /// What it may do: no more than its owner and the caller may.
    pub scopes: Permissions,
    /// When it stops working; in the future.
    pub expires_at: Option<Timestamp>,
    /// Whose it is: the caller's own when nothing is said.
    pub service_account: Option<ServiceAccountId>,
}

/// A key with its secret, which is shown this once.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// What to send: `dnk_…`.
    pub secret: SecretString,
}

/// Creates a key: for oneself, or for a service account for those who may write them.
pub async fn create(ctx: &Ctx, new: NewApiKey) -> Result<IssuedKey> {
    let now = ctx.now();
    if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(FieldError::new("expires_at", "in_the_past", "must be in the future").into());
    }
    let owner = match new.service_account {
        Some(account) => {
            ctx.require(Permission::ServiceAccountsWrite)?;
            require_client_rights(ctx)?;
            Subject::ServiceAccount(account)
        }
        None => Subject::User(ctx.signed_in()?.0),
    };
    let id = ApiKeyId::from_uuid(ctx.new_id());
    let (secret, hash) = generate(id, ctx.services().random.as_ref(), ctx.services().vault.as_ref());
    let key = ApiKey {
        id,
        owner,
        name: new.name,
        scopes: new.scopes,
        expires_at: new.expires_at,
        created_at: now,
        rotated_at: None,
        last_used_at: None,
        version: 1,
    };

    let mut tx = ctx.write_on(&[owner.into()]).await?;
    let role = match owner {
        Subject::User(user) => {
            let user = tx.lock_user(user).await?.filter(|user| user.status == Status::Active);
            user.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?.role
        }
        Subject::ServiceAccount(account) => {
            tx.lock_service_account(account).await?.ok_or(Error::NotFound(Resource::ServiceAccount))?.role
        }
    };
    ctx.require_held(key.scopes)?;
    require_authority_over(ctx, &mut *tx, owner).await?;
    if !permissions_of(&mut *tx, &role).await?.contains_all(key.scopes) {
        return Err(Error::NotHeld);
    }
    if tx.count_api_keys(KeyFilter::Owner(owner), KEYS_PER_OWNER_MAX).await?.value() >= KEYS_PER_OWNER_MAX {
        return Err(Error::Conflict(Conflict::TooManyApiKeys));
    }
    tx.insert_api_key(&key, &hash).await?;
    let ApiKey { name, scopes, expires_at, .. } = key.clone();
    record(ctx, &mut *tx, owner, Happened::ApiKeyCreated { api_key_id: id, name, scopes, expires_at });
    ctx.commit(tx).await?;
    Ok(IssuedKey { key, secret })
}
