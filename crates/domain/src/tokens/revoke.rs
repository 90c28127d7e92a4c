//! Revoke a token (RFC 7009).

use secrecy::{ExposeSecret, SecretString};

use super::{Client, VerifiedSubject};
use crate::access::Subject;
use crate::api_keys::{self, secret};
use crate::ctx::Ctx;
use crate::error::{Error, GrantError, Result};
use crate::events::{Happened, record};
use crate::id::SessionId;
use crate::sessions::{EndReason, end_one, refresh};

/// Revokes what a token stands for: whoever holds a refresh token or an access token of a session ends the session;
/// a service account deletes its own API key. A token that is not good is revoked already, and no error.
///
/// # Errors
/// `unsupported_token_type` for an access token of a service account: it ends with its API key, or soon by itself.
pub async fn revoke(ctx: &Ctx, client: Option<&Client>, token: &SecretString) -> Result<()> {
    let text = token.expose_secret();
    if text.starts_with(api_keys::PREFIX) {
        return api_key(ctx, client, text).await;
    }
    if let Some((session, _)) = refresh::open(ctx.services().vault.as_ref(), token) {
        return end_session(ctx, session).await;
    }
    match ctx.services().tokens.verify(text, ctx.now()).map(|token| token.subject) {
        Some(VerifiedSubject::User { session_id, .. }) => end_session(ctx, session_id).await,
        Some(VerifiedSubject::Client { .. }) => Err(Error::Grant(GrantError::UnsupportedTokenType)),
        None => Ok(()),
    }
}

async fn end_session(ctx: &Ctx, session: SessionId) -> Result<()> {
    let mut tx = ctx.write_unlimited().await?;
    end_one(ctx, &mut *tx, session, EndReason::Revoked).await?;
    ctx.commit(tx).await?;
    Ok(())
}

async fn api_key(ctx: &Ctx, client: Option<&Client>, text: &str) -> Result<()> {
    let Some((id, mac)) = secret::read(text, ctx.services().vault.as_ref()) else { return Ok(()) };
    // Whether it works at the moment is no matter: a disabled owner may come back.
    let state = ctx.store().read().await?.api_key_state(id).await?;
    let Some(state) = state.filter(|state| secret::is_secret_of(state, &mac, ctx.now())) else { return Ok(()) };
    // A token that was not issued to the client is not the client's to revoke (RFC 7009 §2.1). A user's key can be
    // revoked by whoever holds it, as a refresh token can.
    let is_theirs = match state.owner {
        Subject::User(_) => true,
        owner @ Subject::ServiceAccount(_) => client.is_some_and(|client| Subject::ServiceAccount(client.id) == owner),
    };
    if !is_theirs {
        return Err(Error::Grant(GrantError::InvalidGrant));
    }
    let mut tx = ctx.write_unlimited().await?;
    if tx.delete_api_key(id).await? {
        record(ctx, &mut *tx, state.owner, Happened::ApiKeyDeleted { api_key_id: id });
    }
    ctx.commit(tx).await?;
    Ok(())
}
