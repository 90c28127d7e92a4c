//! Refresh a session.
//!
//! The refresh token of generation *n* is the session's id, *n*, and a MAC over both: nothing is kept that
//! signs in, and the same generation always has the same token. Within the grace a client that lost the
//! answer gets it again; after it, or two generations back, the token is in two hands and the session ends.

use secrecy::SecretString;
use uuid::Uuid;

use super::issue::{Issued, issue};
use super::store::Rotation;
use super::{EndReason, SessionState, SignedIn};
use crate::access::Credential;
use crate::ctx::Ctx;
use crate::derived::Kind;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::{Happened, record};
use crate::id::SessionId;
use crate::pending::{self, Ending};
use crate::ports::Vault;

/// What every refresh token begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dnr_";
const KIND: Kind = Kind { prefix: PREFIX, purpose: "refresh token" };
const ID_BYTES: usize = 16;
const GENERATION_BYTES: usize = 8;

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
            let mut tx = ctx.write_by_proof(&[state.user_id.into()]).await?;
            // Whoever used it is not known to be the user.
            if let Some(user) = tx.end_session(id, EndReason::RefreshTokenReused, now).await? {
                let reason = EndReason::RefreshTokenReused;
                record(ctx, &mut *tx, user, Happened::SessionEnded { session_id: id, reason });
                pending::end(ctx, &mut *tx, user, Ending::Session(id)).await?;
            }
            ctx.commit(tx).await?;
        }
        return Err(refused());
    }
    ctx.services().usage.note(Credential::Session(id), now);
    let permissions = state.permissions;
    let authentication = state.authentication();
    let (generation, expires_at) = (generation + 1, state.expires_at);
    let issued = Issued { session_id: id, generation, now, expires_at, permissions, authentication };
    issue(ctx, user, &issued)
}

/// The session that a refresh token of any generation names, whether it lives or is over.
#[must_use]
pub fn session_of(ctx: &Ctx, token: &SecretString) -> Option<SessionId> {
    open(ctx.services().vault.as_ref(), token).map(|(session, _)| session)
}

/// Whether the token is the parent of the present generation and its grace is not over: the same answer again.
fn is_repeated(ctx: &Ctx, state: &SessionState, generation: i64) -> bool {
    state.generation == generation + 1 && state.refreshed_at.is_within(ctx.policy().refresh_grace_s, ctx.now())
}

/// The refresh token of a session's generation.
pub(super) fn token_of(vault: &dyn Vault, id: SessionId, generation: i64) -> SecretString {
    let mut message = [0; ID_BYTES + GENERATION_BYTES];
    message[..ID_BYTES].copy_from_slice(id.as_uuid().as_bytes());
    message[ID_BYTES..].copy_from_slice(&generation.to_be_bytes());
    KIND.token(vault, &message)
}

/// The session and the generation of a refresh token; `None` when it was not made here.
pub(crate) fn open(vault: &dyn Vault, token: &SecretString) -> Option<(SessionId, i64)> {
    let message: [u8; ID_BYTES + GENERATION_BYTES] = KIND.open(vault, token)?;
    let (id, generation) = message.split_first_chunk::<ID_BYTES>()?;
    Some((SessionId::from_uuid(Uuid::from_bytes(*id)), i64::from_be_bytes(generation.try_into().ok()?)))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidRefreshToken)
}
