//! Count a guess before it is made, and take it back when it was right.

use super::store::{Forgiving, Spending};
use super::{BudgetKey, Patience};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::ports::{HashError, Vault};
use crate::sessions::Device;
use crate::store::WriteTx;
use crate::users::EmailAddress;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// A guess that was counted and may be made. Left alone it is a failure.
#[derive(Debug, Clone, Default)]
#[must_use = "what is not forgiven is a failure"]
pub struct Admitted(Vec<Forgiving>);

impl Admitted {
    /// What to forgive when the guess is right: for a store that does it together with what being right opens.
    #[must_use]
    pub fn into_forgiven(self) -> Vec<Forgiving> {
        self.0
    }

    /// Passes on what came of the guess. When it could not be made it is given back: it says nothing about anybody.
    pub async fn made<T>(self, ctx: &Ctx, outcome: Result<T, HashError>) -> Result<(T, Self)> {
        match outcome {
            Ok(outcome) => Ok((outcome, self)),
            Err(error) => {
                give_back(ctx, self).await?;
                Err(error.into())
            }
        }
    }
}

/// Counts a try at the password of an address. From a device that its user has signed in on, it is counted against
/// that device alone; else against the account, whether there is one or not, and against the client's address.
///
/// # Errors
/// [`Error::TooManyRequests`] while the budget is blocked: the same for known and unknown accounts.
pub async fn admit_password(ctx: &Ctx, email: &EmailAddress, device: Option<&Device>) -> Result<Admitted> {
    let vault = ctx.services().vault.as_ref();
    let limits = &ctx.policy().guessing;
    if let Some(device) = device {
        return admit(ctx, &[(Forgiving::Whole(BudgetKey::device(vault, device)), limits.account)]).await;
    }
    let account = Forgiving::Whole(BudgetKey::account(vault, email));
    let mut counted = vec![(account, limits.account), (mailbox_of(vault, email), limits.account)];
    if let Some((client, patience)) = BudgetKey::client(vault, ctx.origin()).zip(limits.address) {
        counted.push((Forgiving::One(client), patience));
    }
    admit(ctx, &counted).await
}

/// The count that all forms of an address share. Whoever is right at one form takes no more back than that: another form
/// may be another's account, which is counted by itself as well.
fn mailbox_of(vault: &dyn Vault, email: &EmailAddress) -> Forgiving {
    let key = BudgetKey::mailbox(vault, email);
    if BudgetKey::is_bare(email) { Forgiving::Whole(key) } else { Forgiving::One(key) }
}

/// Counts a try of somebody who is signed in at their own password or factor: against their session, which no stranger
/// can spend, and whoever stole it cannot get around.
///
/// # Errors
/// [`Error::TooManyRequests`] while the budget is blocked.
pub async fn admit_own(ctx: &Ctx, session: SessionId) -> Result<Admitted> {
    let key = BudgetKey::session(ctx.services().vault.as_ref(), session);
    admit(ctx, &[(Forgiving::Whole(key), ctx.policy().guessing.account)]).await
}

/// Counts a try against the client's address alone.
///
/// # Errors
/// [`Error::TooManyRequests`] while the budget is blocked.
pub async fn admit_client(ctx: &Ctx) -> Result<Admitted> {
    let client = BudgetKey::client(ctx.services().vault.as_ref(), ctx.origin());
    match client.zip(ctx.policy().guessing.address) {
        Some((client, patience)) => admit(ctx, &[(Forgiving::One(client), patience)]).await,
        None => Ok(Admitted::default()),
    }
}

/// Counts a try at a user's second factor, in whichever challenge; from a device that they have signed in on, against
/// that device alone.
///
/// # Errors
/// [`Error::TooManyRequests`] while the budget is blocked.
pub async fn admit_factor(ctx: &Ctx, user: UserId, device: Option<&Device>) -> Result<Admitted> {
    let vault = ctx.services().vault.as_ref();
    let key = device.map_or_else(|| BudgetKey::factor(vault, user), |device| BudgetKey::factor_on(vault, device));
    admit(ctx, &[(Forgiving::Whole(key), ctx.policy().guessing.account)]).await
}

/// Takes it back with the change that being right makes.
pub async fn forgive(tx: &mut dyn WriteTx, admitted: &Admitted) -> Result<()> {
    Ok(tx.forgive_budgets(&admitted.0).await?)
}

/// Takes back whatever failed at an account: its owner has proven to be so in another way.
pub async fn forgive_account(ctx: &Ctx, tx: &mut dyn WriteTx, email: &EmailAddress) -> Result<()> {
    let vault = ctx.services().vault.as_ref();
    let forgiven = [BudgetKey::account(vault, email), BudgetKey::mailbox(vault, email)].map(Forgiving::Whole);
    Ok(tx.forgive_budgets(&forgiven).await?)
}

/// Takes back one guess, and no more than that.
pub async fn give_back(ctx: &Ctx, admitted: Admitted) -> Result<()> {
    let one = |forgiving| match forgiving {
        Forgiving::Whole(key) | Forgiving::One(key) => Forgiving::One(key),
    };
    let forgiven: Vec<_> = admitted.0.into_iter().map(one).collect();
    Ok(ctx.store().forgive_budgets(&forgiven).await?)
}

async fn admit(ctx: &Ctx, counted: &[(Forgiving, Patience)]) -> Result<Admitted> {
    let spend = |&(forgiving, patience): &(Forgiving, Patience)| match forgiving {
        Forgiving::Whole(key) | Forgiving::One(key) => Spending { key, patience },
    };
    let spendings: Vec<_> = counted.iter().map(spend).collect();
    let now = ctx.now();
    let Some(blocked_until) = ctx.store().spend_budgets(&spendings, now).await? else {
        return Ok(Admitted(counted.iter().map(|&(forgiving, _)| forgiving).collect()));
    };
    let wait_us = u64::try_from(blocked_until.as_micros() - now.as_micros()).unwrap_or(0);
    let retry_after_s = u32::try_from(wait_us.div_ceil(MICROS_PER_SECOND)).unwrap_or(u32::MAX);
    Err(Error::TooManyRequests { retry_after_s: retry_after_s.max(1) })
}
