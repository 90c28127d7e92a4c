//! Refresh a session.
//!
//! The refresh token of generation *n* is the session's id, *n*, and a MAC over both: nothing is kept that
//! signs in, and the same generation always has the same token. Within the grace a client that lost the
//! answer gets it again; after it, or two generations back, the token is in two hands and the session ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::issue::{Issued, issue};
use super::store::Rotation;
use super::{EndReason, SessionState, SignedIn};
use crate::access::Credential;
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::SessionId;
use crate::ports::Vault;

/// What every refresh token begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dnr_";
const PURPOSE: &str = "refresh token";
const ID_BYTES: usize = 16;
const GENERATION_BYTES: usize = 8;
/// 192 bits of the MAC.
const CODE_BYTES: usize = 24;
const TOKEN_BYTES: usize = ID_BYTES + GENERATION_BYTES + CODE_BYTES;

/// Rotates the session of the token and hands out the next tokens.
pub async fn refresh(ctx: &Ctx, token: &SecretString) -> Result<SignedIn> {
    let (id, generation) = open(ctx.services().vault.as_ref(), token).ok_or_else(refused)?;
    let now = ctx.now();
    let idle_expires_at = now.plus_seconds(ctx.policy().session_idle_ttl_s);
    let rotation = Rotation { id, from_generation: generation, at: now, idle_expires_at };

    let rotated = ctx.store().rotate_session(&rotation).await?;
    let (state, user) = rotated.found.filter(|(state, _)| state.is_live(now)).ok_or_else(refused)?;
    if !rotated.is_rotated && !is_repeated(ctx, &state, generation) {
        if state.generation > generation {
            let mut tx = ctx.store().write().await?;
            tx.end_session(id, EndReason::RefreshTokenReused, now).await?;
            tx.commit().await?;
        }
        return Err(refused());
    }
    ctx.services().usage.note(Credential::Session(id), now);
    let permissions = state.permissions;
    let issued = Issued { session_id: id, generation: generation + 1, now, expires_at: state.expires_at, permissions };
    issue(ctx, user, &issued)
}

/// The session that a refresh token of any generation names, whether it lives or is over.
#[must_use]
pub fn session_of(ctx: &Ctx, token: &SecretString) -> Option<SessionId> {
    open(ctx.services().vault.as_ref(), token).map(|(session, _)| session)
}

/// Whether the token is the parent of the present generation and its grace is not over: the same answer again.
fn is_repeated(ctx: &Ctx, state: &SessionState, generation: i64) -> bool {
    let grace_s = ctx.policy().refresh_grace_s;
    state.generation == generation + 1 && ctx.now() < state.refreshed_at.plus_seconds(grace_s)
}

/// The refresh token of a session's generation.
pub(super) fn token_of(vault: &dyn Vault, id: SessionId, generation: i64) -> SecretString {
    let mut bytes = Vec::with_capacity(TOKEN_BYTES);
    bytes.extend(id.as_uuid().as_bytes());
    bytes.extend(generation.to_be_bytes());
    let code = vault.mac(PURPOSE, &bytes);
    bytes.extend(&code[..CODE_BYTES]);
    let mut token = PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
    token.into()
}

/// The session and the generation of a refresh token; `None` when it was not made here.
pub(crate) fn open(vault: &dyn Vault, token: &SecretString) -> Option<(SessionId, i64)> {
    let encoded = token.expose_secret().strip_prefix(PREFIX)?;
    if encoded.len() != TOKEN_BYTES / 3 * 4 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (message, code) = bytes.split_at_checked(ID_BYTES + GENERATION_BYTES)?;
    let expected = vault.mac(PURPOSE, message);
    if !bool::from(code.ct_eq(&expected[..CODE_BYTES])) {
        return None;
    }
    let (id, generation) = message.split_at(ID_BYTES);
    Some((SessionId::from_uuid(Uuid::from_slice(id).ok()?), i64::from_be_bytes(generation.try_into().ok()?)))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidRefreshToken)
}
