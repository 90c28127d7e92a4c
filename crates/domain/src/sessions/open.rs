//! Open a session within a transaction.

use uuid::Uuid;

use super::issue::{Issued, issue};
use super::store::{Displacement, displace};
use super::{Session, SignedIn, device_token};
use crate::access::Permissions;
use crate::auth_methods::Authenticated;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::catalogue::Way;
use crate::events::{self, Happened, NewEvent};
use crate::id::{SessionId, UserId};
use crate::roles::permissions_of;
use crate::store::WriteTx;
use crate::tokens::Authentication;
use crate::users::{DisplayName, User};

/// A session that is written and not yet committed.
pub(crate) struct Opened {
    session: Session,
    user: User,
    permissions: Permissions,
}

/// A session from now on, as configuration bounds it.
pub(super) fn fresh(ctx: &Ctx, user_id: UserId, label: Option<DisplayName>, authenticated: Authenticated) -> Session {
    let now = ctx.now();
    let policy = ctx.policy();
    Session {
        id: SessionId::from_uuid(ctx.new_id()),
        user_id,
        generation: 0,
        created_at: now,
        refreshed_at: now,
        idle_expires_at: now.plus_seconds(policy.session_idle_ttl_s),
        expires_at: now.plus_seconds(policy.session_absolute_ttl_s),
        last_used_at: now,
        proven_at: now,
        second_factor_at: authenticated.methods.is_multi_factor().then_some(now),
        authenticated,
        origin: ctx.origin().clone(),
        label,
    }
}

/// What is recorded of a session that is opened.
pub(super) fn started(ctx: &Ctx, session: &Session, method: Way) -> NewEvent {
    let label = session.label.clone();
    events::by(ctx, session.user_id, Happened::SessionStarted { session_id: session.id, method, label })
}

/// What an opened session ends when its user has too many.
pub(super) fn displacement(ctx: &Ctx, user: UserId) -> Displacement {
    let session_id = SessionId::from_uuid(Uuid::nil());
    let event = || events::by(ctx, user, Happened::SessionEnded { session_id, reason: Displacement::REASON });
    Displacement { keep: ctx.policy().sessions_per_user_max, events: std::array::from_fn(|_| event()) }
}

/// Opens a session for a [locked](crate::users::store::UserWrites::lock_user), active user.
///
/// # Errors
/// [`Error::VerificationRequired`] when the address must be verified first.
pub(super) async fn open(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: User,
    label: Option<DisplayName>,
    method: Way,
    authenticated: Authenticated,
) -> Result<Opened> {
    // Whatever led here: the address may have been replaced since a challenge began.
    if ctx.policy().refuses_unverified(&user) {
        return Err(Error::VerificationRequired);
    }
    let session = fresh(ctx, user.id, label, authenticated);
    tx.insert_session(&session).await?;
    displace(tx, &session, &displacement(ctx, user.id)).await?;
    tx.record_sign_in(user.id, session.created_at).await?;
    tx.record_event(started(ctx, &session, method));
    let permissions = permissions_of(tx, &user.role).await?;
    Ok(Opened { session, user, permissions })
}

impl Opened {
    /// Signs its tokens, once it is committed.
    pub(super) fn issue(self, ctx: &Ctx) -> Result<SignedIn> {
        let Self { session, user, permissions } = self;
        handed_out(ctx, &session, user, permissions)
    }
}

/// The tokens of a session that was just opened.
pub(super) fn handed_out(ctx: &Ctx, session: &Session, user: User, permissions: Permissions) -> Result<SignedIn> {
    let user = User { last_sign_in_at: Some(session.created_at), ..user };
    let token = device_token(ctx, user.id);
    let Session { id: session_id, generation, created_at: now, expires_at, .. } = *session;
    let authentication = Authentication { at: session.proven_at, methods: session.authenticated.methods };
    let issued = Issued { session_id, generation, now, expires_at, permissions, authentication };
    let signed_in = issue(ctx, user, &issued)?;
    Ok(SignedIn { device_token: Some(token), ..signed_in })
}
