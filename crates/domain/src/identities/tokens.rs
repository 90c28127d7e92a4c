//! The tokens that providers issue: kept with the identity if the provider's `keep_tokens` is set, and handed out to the
//! backend of the product.
//!
//! They are sealed under the master key and bound to identity and provider, and to the server that issued them. A refresh
//! token may be usable only once (RFC 9700 §4.14.2): a lease in the database makes one request, over all nodes, refresh at a
//! time.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::ProvenIdentity;
use super::store::{StoredTokens, TokenLease};
use crate::access::{Permission, Subject};
use crate::ctx::{Ctx, Services};
use crate::error::{Conflict, Error, Resource, Result};
use crate::flows::Flow;
use crate::id::{IdentityId, UserId};
use crate::providers::{self, Provider, ProviderSettings, ProviderTokens, RefreshError};
use crate::roles::require_authority_over;
use crate::store::WriteTx;
use crate::time::Timestamp;
use crate::users::Status;

/// How long before its expiry an access token is refreshed, in seconds.
const MARGIN_S: u32 = 60;
/// How long one request may refresh, in seconds: longer than a provider may take.
const LEASE_S: u32 = 60;
/// How often a request looks again whether another one has refreshed.
const LOOKS_MAX: u32 = 20;
/// When it is worth asking again, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// A current access token of a provider.
#[derive(Debug)]
pub struct ProviderAccessToken {
    /// The access token.
    pub access_token: SecretString,
    /// The type, as the provider names it; mostly `bearer`.
    pub token_type: String,
    /// Expiry time, if the provider states one.
    pub expires_at: Option<Timestamp>,
    /// The granted scope, as the provider writes it, if it states one.
    pub scope: Option<String>,
}

/// The tokens as they are sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
    scope: Option<String>,
    /// In microseconds.
    expires_at: Option<i64>,
    /// The client that they were issued to.
    client_id: String,
}

/// Stores the tokens of a browser sign-in until the application exchanges its code, if the provider's tokens are kept.
pub(super) async fn draft(
    ctx: &Ctx,
    provider: &Provider,
    flow: &Flow,
    tokens: ProviderTokens,
    ttl_s: u32,
) -> Result<()> {
    if !provider.settings.keep_tokens {
        return Ok(());
    }
    let id = Uuid::from_bytes(*flow.id());
    let sealed = Kept::new(ctx, tokens).seal(ctx, &draft_context(id, provider))?;
    let mut tx = ctx.write_by_proof(&[]).await?;
    tx.put_token_draft(id, &sealed, ctx.now().plus_seconds(ttl_s)).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Keeps the tokens of a proven identity, if the provider's tokens are kept and there are any.
pub(super) async fn keep(ctx: &Ctx, tx: &mut dyn WriteTx, identity: IdentityId, proven: &ProvenIdentity) -> Result<()> {
    let provider = &proven.provider;
    if !provider.settings.keep_tokens {
        return Ok(());
    }
    let name = &provider.name;
    let kept = if let Some(tokens) = proven.tokens.clone() {
        Some(Kept::new(ctx, tokens))
    } else {
        let id = Uuid::from_bytes(*proven.flow.id());
        let sealed = tx.take_token_draft(id).await?;
        sealed.and_then(|sealed| Kept::open(ctx, &draft_context(id, provider), &sealed))
    };
    let Some(mut kept) = kept else { return Ok(()) };
    if kept.refresh_token.is_none() {
        // Some providers issue a refresh token at the first consent only.
        let before = tx.find_identity_tokens(identity).await?.filter(|before| before.provider == *name);
        let before = before.and_then(|before| Kept::of(ctx, provider, &before));
        kept.refresh_token =
            before.filter(|before| before.client_id == kept.client_id).and_then(|before| before.refresh_token);
    }
    Ok(tx.put_identity_tokens(&kept.stored(ctx, identity, provider)?).await?)
}

/// A current access token of the provider for an identity of a user; it is refreshed if it expires within a minute. The
/// caller must be allowed to do all that the user may.
///
/// Not to be cancelled: a refresh token that was used is replaced by the one in the response.
///
/// # Errors
/// [`Resource::User`], [`Resource::Identity`] and [`Resource::Provider`]; [`Conflict::ProviderTokensGone`] when there are no
/// tokens, or the provider no longer accepts them; [`Error::ProviderUnavailable`].
pub async fn token(ctx: &Ctx, user: UserId, identity: IdentityId) -> Result<ProviderAccessToken> {
    ctx.require(Permission::IdentitiesTokens)?;
    for _ in 0..LOOKS_MAX {
        let (provider, stored) = find(ctx, user, identity).await?;
        // Sealed under another master key, or issued by another server under the same name or to another client.
        let kept = Kept::of(ctx, &provider, &stored).filter(|kept| provider.settings.has_client(&kept.client_id));
        let kept = kept.ok_or_else(gone)?;
        if !kept.expires_within(ctx.now(), MARGIN_S) {
            return Ok(kept.into_token());
        }
        if let Some(token) = refreshed(ctx, &provider, &stored, kept).await? {
            return Ok(token);
        }
        ctx.services().federation.pause().await;
    }
    Err(unavailable())
}

/// Deletes at most `limit` tokens of each provider whose tokens are not kept any more, and `limit` expired drafts, and
/// returns the largest of these numbers.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let mut removed = tx.purge_token_drafts(services.clock.now(), limit).await?;
    let mut after = String::new();
    while let Some(name) = tx.next_token_provider(&after).await? {
        let is_kept = match services.providers.get(&name) {
            Some(provider) => provider.settings.keep_tokens,
            None => tx.find_provider(&name).await?.is_some_and(|stored| stored.settings.keep_tokens),
        };
        if !is_kept {
            removed = removed.max(tx.purge_identity_tokens(&name, limit).await?);
        }
        name.as_str().clone_into(&mut after);
    }
    tx.commit().await?;
    Ok(removed)
}

/// The tokens of an identity, and the provider that issued them.
async fn find(ctx: &Ctx, user: UserId, identity: IdentityId) -> Result<(Provider, StoredTokens)> {
    let mut read = ctx.store().snapshot().await?;
    let found = read.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    // The mailbox or the files of an administrator are a way to become one.
    require_authority_over(ctx, &mut *read, Subject::User(user)).await?;
    if !read.list_identities(user).await?.iter().any(|known| known.id == identity) {
        return Err(Error::NotFound(Resource::Identity));
    }
    let stored = read.find_identity_tokens(identity).await?.filter(|_| found.status == Status::Active);
    let stored = stored.ok_or_else(gone)?;
    drop(read);
    let provider = providers::find(ctx, &stored.provider).await?;
    if provider.settings.keep_tokens { Ok((provider, stored)) } else { Err(gone()) }
}

/// New tokens from the provider; `None` if another request has them, or is about to.
async fn refreshed(
    ctx: &Ctx,
    provider: &Provider,
    stored: &StoredTokens,
    kept: Kept,
) -> Result<Option<ProviderAccessToken>> {
    let (id, revision) = (stored.identity_id, stored.revision);
    let is_valid = !kept.expires_within(ctx.now(), 0);
    let Some(refresh_token) = kept.refresh_token.clone().map(SecretString::from) else {
        return if is_valid { Ok(Some(kept.into_token())) } else { Err(forget(ctx, stored).await?) };
    };
    if !lease(ctx, stored).await? {
        return Ok(is_valid.then(|| kept.into_token()));
    }
    match ctx.services().federation.refresh(provider, &kept.client_id, &refresh_token).await {
        Ok(tokens) => {
            let renewed = Kept::new(ctx, tokens).after(&kept);
            let mut tx = ctx.write_by_proof(&[]).await?;
            let is_current = tx.renew_identity_tokens(revision, &renewed.stored(ctx, id, provider)?).await?;
            ctx.commit(tx).await?;
            // Otherwise the user has signed in again, or unlinked the identity.
            Ok(is_current.then(|| renewed.into_token()))
        }
        Err(RefreshError::Rejected) => Err(forget(ctx, stored).await?),
        Err(RefreshError::Failed) => {
            let mut tx = ctx.write_by_proof(&[]).await?;
            tx.release_identity_tokens(id, revision).await?;
            ctx.commit(tx).await?;
            if is_valid { Ok(Some(kept.into_token())) } else { Err(unavailable()) }
        }
    }
}

async fn lease(ctx: &Ctx, stored: &StoredTokens) -> Result<bool> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let lease = TokenLease {
        identity_id: stored.identity_id,
        revision: stored.revision,
        now,
        until: now.plus_seconds(LEASE_S),
    };
    let is_leased = tx.lease_identity_tokens(&lease).await?;
    ctx.commit(tx).await?;
    Ok(is_leased)
}

/// Deletes tokens that can no longer be used, and returns the error for the caller.
async fn forget(ctx: &Ctx, stored: &StoredTokens) -> Result<Error> {
    let mut tx = ctx.write_by_proof(&[]).await?;
    tx.remove_identity_tokens(stored.identity_id, stored.revision).await?;
    ctx.commit(tx).await?;
    Ok(gone())
}

impl Kept {
    fn new(ctx: &Ctx, tokens: ProviderTokens) -> Self {
        let expires_at = tokens.expires_in_s.map(|seconds| ctx.now().plus_seconds(seconds).as_micros());
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            token_type: tokens.token_type,
            refresh_token: tokens.refresh_token.map(|token| token.expose_secret().to_owned()),
            scope: tokens.scope,
            expires_at,
            client_id: tokens.client_id,
        }
    }

    /// What a refresh does not return stays as it was (RFC 6749 §6).
    fn after(self, before: &Self) -> Self {
        Self {
            refresh_token: self.refresh_token.or_else(|| before.refresh_token.clone()),
            scope: self.scope.or_else(|| before.scope.clone()),
            ..self
        }
    }

    fn expires_within(&self, now: Timestamp, seconds: u32) -> bool {
        self.expires_at.is_some_and(|at| Timestamp::from_micros(at) <= now.plus_seconds(seconds))
    }

    fn into_token(self) -> ProviderAccessToken {
        ProviderAccessToken {
            access_token: self.access_token.into(),
            token_type: self.token_type,
            expires_at: self.expires_at.map(Timestamp::from_micros),
            scope: self.scope,
        }
    }

    fn seal(&self, ctx: &Ctx, context: &[u8]) -> Result<Vec<u8>> {
        let plain = rmp_serde::to_vec(self).map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(ctx.services().vault.seal(context, &plain))
    }

    fn open(ctx: &Ctx, context: &[u8], sealed: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(&ctx.services().vault.open(context, sealed)?).ok()
    }

    fn stored(&self, ctx: &Ctx, identity: IdentityId, provider: &Provider) -> Result<StoredTokens> {
        let sealed = self.seal(ctx, &context(identity, provider))?;
        Ok(StoredTokens { identity_id: identity, provider: provider.name.clone(), sealed, revision: ctx.new_id() })
    }

    fn of(ctx: &Ctx, provider: &Provider, stored: &StoredTokens) -> Option<Self> {
        Self::open(ctx, &context(stored.identity_id, provider), &stored.sealed)
    }
}

fn context(identity: IdentityId, provider: &Provider) -> Vec<u8> {
    format!("provider tokens {identity} {}", server_of(provider)).into_bytes()
}

fn draft_context(flow: Uuid, provider: &Provider) -> Vec<u8> {
    format!("provider tokens of a flow {flow} {}", server_of(provider)).into_bytes()
}

/// The provider, with what decides to which server its tokens are sent: those of one never reach another.
fn server_of(provider: &Provider) -> String {
    let ProviderSettings { preset, issuer, token_url, .. } = &provider.settings;
    format!("{} {preset:?} {issuer:?} {token_url:?}", provider.name)
}

fn gone() -> Error {
    Error::Conflict(Conflict::ProviderTokensGone)
}

fn unavailable() -> Error {
    Error::ProviderUnavailable { retry_after_s: RETRY_AFTER_S }
}
