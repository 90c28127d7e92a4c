//! Requests that may be sent twice and are done once (`Idempotency-Key`).
//!
//! The answer of a request is written by the transaction that does its work, by one conditional statement: both are on
//! disk or neither is. Of two requests with the same key, the transaction that commits first wins. The other one is
//! rolled back, and its client gets the answer of the first. A process that is killed leaves nothing that would have to
//! expire before the request can be repeated.
//!
//! Only a request that changed something leaves an answer. A refusal changes nothing and is decided again.

mod deferred;
pub mod store;

pub use deferred::DeferredCommit;

use crate::budgets::BudgetKey;
use crate::budgets::store::Window;
use crate::ctx::{Ctx, Services};
use crate::error::{Conflict, Error, Result};
use crate::store::WriteTx;
use store::{FoundAnswer, NewAnswer};

/// How long an answer is kept, in seconds.
pub const KEPT_S: u32 = 24 * 60 * 60;
/// The largest answer that is stored, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How many answers one authenticated caller may store in a day. Beyond it, requests with a key are refused.
pub const CALLER_ANSWERS_PER_DAY: u32 = 50_000;
/// How many answers are stored in an hour for the anonymous requests of one client address. Beyond it, their key is
/// ignored.
pub const CLIENT_ANSWERS_PER_HOUR: u32 = 100;
/// How many answers are stored in a day for all anonymous requests together. Beyond it, their key is ignored.
pub const ANONYMOUS_ANSWERS_PER_DAY: u32 = 10_000;

const HOUR_S: u32 = 60 * 60;
const DAY_S: u32 = 24 * HOUR_S;
/// When a caller whose share is used up may try again, in seconds: the window is fixed and may end at any time.
const RETRY_AFTER_S: u32 = 5 * 60;

/// One request under its idempotency key. Both parts are MACs: the store learns neither key nor body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// Identifies the caller and the key; for an anonymous caller, the whole request as well.
    pub key: [u8; 32],
    /// Identifies the path, the version and the body.
    pub fingerprint: [u8; 32],
    /// Whose share of the stored answers it uses.
    pub share: Share,
}

/// Whose share of the stored answers a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// That of an authenticated caller.
    Caller(BudgetKey),
    /// That of a client address, if it is known, and that of all anonymous callers.
    Anonymous {
        /// The client address.
        client: Option<BudgetKey>,
        /// All anonymous callers.
        everybody: BudgetKey,
    },
}

impl Share {
    /// The share of the caller.
    #[must_use]
    pub fn of(ctx: &Ctx) -> Self {
        let vault = ctx.services().vault.as_ref();
        match ctx.principal() {
            Ok(who) => Self::Caller(BudgetKey::answers(vault, who.subject.to_string().as_bytes())),
            Err(_) => Self::Anonymous {
                client: BudgetKey::answers_to_client(vault, ctx.origin()),
                everybody: BudgetKey::answers(vault, b"anonymous"),
            },
        }
    }

    /// Takes one answer of the share; `false` when it is used up.
    async fn spend(self, services: &Services, tx: &mut dyn WriteTx) -> Result<bool> {
        let windows = match self {
            Self::Caller(key) => [Some((key, CALLER_ANSWERS_PER_DAY, DAY_S)), None],
            Self::Anonymous { client, everybody } => [
                client.map(|client| (client, CLIENT_ANSWERS_PER_HOUR, HOUR_S)),
                Some((everybody, ANONYMOUS_ANSWERS_PER_DAY, DAY_S)),
            ],
        };
        let now = services.clock.now();
        for (key, limit, period_s) in windows.into_iter().flatten() {
            if !tx.spend_window(&Window { key, amount: 1, limit, period_s }, now).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How a request ended.
#[derive(Debug)]
pub enum Finished {
    /// Its work is on disk, if it did any; and what came of the work that follows a commit.
    Done(Result<()>),
    /// Another request with the key was faster: nothing of this one is left, and this is the answer.
    Replay(Vec<u8>),
}

/// The answer that was given under the key, if there is one.
///
/// # Errors
/// [`Conflict::IdempotencyKeyReused`] when the key belongs to another request.
pub async fn find(services: &Services, request: &IdempotentRequest) -> Result<Option<Vec<u8>>> {
    let now = services.clock.now();
    let found = services.store.read().await?.find_idempotent_answer(&request.key).await?;
    let Some(FoundAnswer { fingerprint, sealed, held_until, kept_until }) = found else { return Ok(None) };
    if kept_until <= now {
        return Ok(None);
    }
    if fingerprint != request.fingerprint {
        return Err(Error::Conflict(Conflict::IdempotencyKeyReused));
    }
    let Some(sealed) = sealed else {
        // Written by a server of the release before, which claims a key ahead of the work.
        return if held_until > now { Err(Error::Conflict(Conflict::IdempotencyInProgress)) } else { Ok(None) };
    };
    let answer = services.vault.open(&request.key, &sealed);
    answer.map(Some).ok_or_else(|| Error::Internal("an idempotent response cannot be decrypted".into()))
}

/// Commits what the request has written, together with its answer if that is to be stored.
pub async fn finish(
    services: &Services,
    request: &IdempotentRequest,
    deferred: &DeferredCommit,
    answer: Option<&[u8]>,
) -> Result<Finished> {
    match (deferred.take(), answer) {
        (None, _) => {}
        (Some(tx), None) => tx.commit().await?,
        (Some(mut tx), Some(answer)) => {
            if !store_answer(services, request, &mut *tx, answer).await? {
                drop(tx);
                let answer = find(services, request).await?;
                return answer.map(Finished::Replay).ok_or(Error::Conflict(Conflict::IdempotencyInProgress));
            }
            tx.commit().await?;
        }
    }
    Ok(Finished::Done(deferred.run_after_commit().await))
}

/// Writes the answer within the transaction of the work; `false` when the key was used meanwhile.
async fn store_answer(
    services: &Services,
    request: &IdempotentRequest,
    tx: &mut dyn WriteTx,
    answer: &[u8],
) -> Result<bool> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Error::Internal("an idempotent response is too large to store".into()));
    }
    if !request.share.spend(services, tx).await? {
        return match request.share {
            Share::Caller(_) => Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S }),
            // What anonymous callers may repeat is done once without a key too: an address is taken, a token used.
            Share::Anonymous { .. } => Ok(true),
        };
    }
    let now = services.clock.now();
    let sealed = services.vault.seal(&request.key, answer);
    let new = NewAnswer { request, sealed: &sealed, now, kept_until: now.plus_seconds(KEPT_S) };
    Ok(tx.insert_idempotent_answer(&new).await?)
}

/// Removes answers past their time, at most `limit` of them, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_idempotency_keys(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
