//! What is recorded of an account.

use super::{Deletion, Status, User};
use crate::ctx::Ctx;
use crate::events::catalogue::Source;
use crate::events::{Happened, record_by};
use crate::store::WriteTx;

/// That an account was made.
pub(crate) fn created(user: &User, source: Source) -> Happened {
    Happened::UserCreated {
        email: user.email.clone(),
        email_verified: user.email_verified,
        name: user.name.clone(),
        role: user.role.clone(),
        status: user.status,
        source,
    }
}

/// Records that an account changed, and what follows from it for whoever cares for one thing only.
pub(crate) fn record_update(ctx: &Ctx, tx: &mut dyn WriteTx, before: &User, now: &User) {
    record_by(ctx, tx, now.id, updated(before, now));
    if now.email != before.email {
        let (email, previous_email) = (now.email.clone(), before.email.clone());
        record_by(ctx, tx, now.id, Happened::EmailChanged { email, previous_email });
    }
    if now.email_verified && (!before.email_verified || now.email != before.email) {
        record_by(ctx, tx, now.id, Happened::EmailVerified { email: now.email.clone() });
    }
    match (before.status, now.status) {
        (Status::Invited, Status::Active) => record_by(ctx, tx, now.id, Happened::UserJoined {}),
        (Status::Disabled, Status::Active) => record_by(ctx, tx, now.id, Happened::UserEnabled {}),
        (Status::Active | Status::Invited, Status::Disabled) => {
            record_by(ctx, tx, now.id, Happened::UserDisabled {});
        }
        (_, Status::Active | Status::Disabled | Status::Invited) => {}
    }
    match (before.deletion, now.deletion) {
        (before, Some(Deletion { after, .. })) if before.is_none_or(|before| before.after != after) => {
            record_by(ctx, tx, now.id, Happened::UserDeletionScheduled { delete_after: after });
        }
        (Some(_), None) => record_by(ctx, tx, now.id, Happened::UserRestored {}),
        (_, _) => {}
    }
}

fn updated(before: &User, now: &User) -> Happened {
    let is_changed = [
        ("email", now.email != before.email),
        ("email_verified", now.email_verified != before.email_verified),
        ("name", now.name != before.name),
        ("role", now.role != before.role),
        ("status", now.status != before.status),
        ("locale", now.locale != before.locale),
        // What is in them is the product's: that they changed is all that is told.
        ("attributes", now.attributes != before.attributes),
        ("app_attributes", now.app_attributes != before.app_attributes),
        ("delete_after", now.deletion != before.deletion),
    ];
    Happened::UserUpdated {
        changed: is_changed.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect(),
        email: now.email.clone(),
        email_verified: now.email_verified,
        name: now.name.clone(),
        role: now.role.clone(),
        status: now.status,
        locale: now.locale.clone(),
    }
}
