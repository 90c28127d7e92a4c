//! Whether the credentials of a follower still hold.

use std::time::Duration;

use denizen_domain::access::Principal;
use denizen_domain::events::{Meaning, meaning_for};
use denizen_domain::{Ctx, Error, tokens};
use tokio::time::Instant;

use super::{Over, Told, now};

/// How often is asked though nothing in the log says that anything changed.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// When it is asked once more after a change, and after the beginning: what a store remembers of before is gone by then.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The credentials of one who follows.
pub(super) struct Watched {
    ctx: Ctx,
    principal: Principal,
    /// When the credential stops working by itself.
    ends: Option<Instant>,
    asked_next: Instant,
}

impl Watched {
    pub(super) fn new(ctx: Ctx, principal: Principal) -> Self {
        let now = now();
        let left = principal.expires_at.map(|end| {
            let left_us = end.as_micros().saturating_sub(ctx.now().as_micros());
            Duration::from_micros(left_us.max(0).cast_unsigned())
        });
        let ends = left.and_then(|left| now.checked_add(left));
        Self { ctx, principal, ends, asked_next: now + ASK_AGAIN_AFTER }
    }

    /// The context of whoever follows, as they were when it was last asked.
    pub(super) fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// When something has to be looked at.
    pub(super) fn due(&self) -> Instant {
        self.ends.map_or(self.asked_next, |ends| ends.min(self.asked_next))
    }

    /// What an event says of the credentials.
    pub(super) async fn see(&mut self, told: &Told) -> Result<(), Over> {
        let meaning = told.kind.map_or(Meaning::None, |kind| meaning_for(&self.principal, kind, &told.event));
        match meaning {
            Meaning::None => Ok(()),
            Meaning::Ended => Err(Over::Unauthenticated),
            Meaning::Changed => {
                self.ask().await?;
                self.asked_next = now() + ASK_AGAIN_AFTER;
                Ok(())
            }
        }
    }

    /// Looks at what is due.
    pub(super) async fn look(&mut self) -> Result<(), Over> {
        let now = now();
        if self.ends.is_some_and(|ends| ends <= now) {
            return Err(Over::Unauthenticated);
        }
        if self.asked_next <= now { self.ask().await } else { Ok(()) }
    }

    /// Asks what they carry now.
    pub(super) async fn ask(&mut self) -> Result<(), Over> {
        let permissions = self.principal.permissions;
        self.asked_next = now() + ASK_EVERY;
        match tokens::renew(&self.ctx).await {
            Ok(ctx) => {
                let principal = ctx.principal().map_err(|_| Over::Unauthenticated)?.clone();
                // What is followed was decided by what the caller might do then. They may come again with what they may
                // do now.
                if !principal.permissions.contains_all(permissions) {
                    return Err(Over::Forbidden);
                }
                self.principal = principal;
                self.ctx = ctx;
                Ok(())
            }
            Err(Error::Unauthenticated(_)) => Err(Over::Unauthenticated),
            // While the database is away nobody can say; nothing is told then, either.
            Err(_) => {
                self.asked_next = now() + ASK_AGAIN_AFTER;
                Ok(())
            }
        }
    }
}
