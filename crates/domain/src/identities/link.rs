//! Link an identity to the caller.

use super::Identity;
use super::code::Proof;
use super::sign_in::add;
use super::tokens;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result, Unauthenticated};
use crate::mail::{self, MailSubject};
use crate::providers;
use crate::sessions::step_up;

/// Links a proven identity to the caller, who must have authenticated recently.
///
/// # Errors
/// [`Conflict::IdentityTaken`] when it is linked to another user; [`Error::StepUpRequired`]; the field of the proof, if
/// it is wrong, expired or used; and the other errors of [`Proof`].
pub async fn link(ctx: &Ctx, proof: Proof) -> Result<Identity> {
    let (id, _) = ctx.signed_in()?;
    // Before the proof is verified, which uses up an authorization code.
    step_up::require(ctx, &mut *ctx.store().read().await?).await?;
    let fault = proof.fault();
    let proven = match proof.verify(ctx).await {
        // The caller is signed in: only the proof is at fault.
        Err(Error::Unauthenticated(Unauthenticated::InvalidCode | Unauthenticated::ProviderRefused)) => {
            return Err(fault.into());
        }
        proven => proven?,
    };
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    if !providers::is_usable(ctx, &mut *tx, &proven.provider.name).await? {
        return Err(Error::NotFound(Resource::Provider));
    }
    if !proven.flow.finish(&mut *tx).await? {
        return Err(fault.into());
    }
    if let Some(known) = tx.find_identity(&proven.identity.issuer, &proven.identity.subject).await? {
        if known.user_id != id {
            return Err(Error::Conflict(Conflict::IdentityTaken));
        }
        tokens::keep(ctx, &mut *tx, known.id, &proven).await?;
        ctx.commit(tx).await?;
        return Ok(known);
    }
    let identity = add(ctx, &mut *tx, id, &proven).await?;
    mail::tell(ctx, &mut *tx, &user, MailSubject::IdentityLinked).await?;
    ctx.commit(tx).await?;
    Ok(identity)
}
