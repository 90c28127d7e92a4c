//! How a use case writes what it did.

use super::{About, EventActor, Happened, NewEvent};
use crate::access::{Actor, Origin, Subject};
use crate::ctx::{Ctx, Services};
use crate::id::{SessionId, UserId};
use crate::sessions::EndReason;
use crate::store::WriteTx;

/// Records what the caller did, with the transaction that does it.
pub(crate) fn record(ctx: &Ctx, tx: &mut dyn WriteTx, about: impl Into<About>, happened: Happened) {
    let event = NewEvent::new(ctx.services(), ctx.actor().into(), ctx.origin(), about.into(), happened);
    tx.record_event(event);
}

/// Records what somebody did who is known by what they did: who signs in or follows a mailed link is nobody before.
pub(crate) fn record_by(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, happened: Happened) {
    tx.record_event(by(ctx, user, happened));
}

/// The same, for whoever writes it later.
pub(crate) fn by(ctx: &Ctx, user: UserId, happened: Happened) -> NewEvent {
    let credential = match &happened {
        Happened::SessionStarted { session_id, .. } => Some(crate::access::Credential::Session(*session_id)),
        _ => None,
    };
    let actor = match ctx.actor() {
        Actor::Anonymous => EventActor::known(Subject::User(user), credential),
        known => known.into(),
    };
    NewEvent::new(ctx.services(), actor, ctx.origin(), user.into(), happened)
}

/// Records what the server did by itself.
pub(crate) fn record_system(services: &Services, tx: &mut dyn WriteTx, about: impl Into<About>, happened: Happened) {
    tx.record_event(NewEvent::new(services, EventActor::SYSTEM, &Origin::default(), about.into(), happened));
}

/// Records the end of a user's sessions, one by one: whoever follows them knows them by their ids.
pub(crate) fn record_ended(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, sessions: &[SessionId], reason: EndReason) {
    for &session_id in sessions {
        record_by(ctx, tx, user, Happened::SessionEnded { session_id, reason });
    }
}
