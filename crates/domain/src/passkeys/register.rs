//! Register a passkey.

use super::{CEREMONY_TTL_S, CredentialKind, PASSKEYS_MAX, Passkey, UserHandle, handle_of, malformed, unavailable};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, FieldError, Resource, Result};
use crate::events::{Happened, record_by};
use crate::flows::Flow;
use crate::id::{PasskeyId, SessionId, UserId};
use crate::mail::{self, MailSubject};
use crate::passkeys::port::RegisteredCredential;
use crate::ports::{CeremonyError, RegisteringUser};
use crate::sessions::store::Proof;
use crate::sessions::{EndReason, end_others, step_up};
use crate::store::{ReadTx, WriteTx};
use crate::users::{DisplayName, User};

/// The name of a credential that was given none.
const fn default_name(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Passkey => "Passkey",
        CredentialKind::SecurityKey => "Security key",
    }
}

/// What a browser needs to create a passkey.
#[derive(Debug)]
pub struct RegistrationOptions {
    /// `PublicKeyCredentialCreationOptionsJSON`.
    pub options: String,
    /// The state to send back with the credential.
    pub state: String,
    /// Seconds until the state expires.
    pub expires_in_s: u32,
}

/// A credential that a browser created.
#[derive(Debug)]
pub struct NewPasskey {
    /// The state of the options.
    pub state: String,
    /// The `PublicKeyCredential` in JSON.
    pub credential: String,
    /// The name of the passkey.
    pub name: Option<DisplayName>,
}

/// A verified credential, to be added.
pub(crate) struct Registration {
    flow: Flow,
    pub(crate) passkey: Passkey,
}

/// Options to create a passkey or a security key for the caller. Writes nothing.
///
/// # Errors
/// [`Error::StepUpRequired`]; [`Conflict::TooManyPasskeys`].
pub async fn options(ctx: &Ctx, kind: CredentialKind) -> Result<RegistrationOptions> {
    let (id, session) = ctx.signed_in()?;
    let mut read = ctx.store().read().await?;
    step_up::require(ctx, &mut *read).await?;
    options_for(ctx, &mut *read, &context(id, session), id, kind).await
}

/// The same for a user who is known by other factors.
pub(crate) async fn options_for(
    ctx: &Ctx,
    read: &mut dyn ReadTx,
    context: &[u8],
    user: UserId,
    kind: CredentialKind,
) -> Result<RegistrationOptions> {
    let user = read.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let passkeys = read.list_passkeys(user.id).await?;
    options_beside(ctx, context, &user, passkeys, kind)
}

/// The same for a user who has these passkeys.
pub(crate) fn options_beside(
    ctx: &Ctx,
    context: &[u8],
    user: &User,
    mut passkeys: Vec<Passkey>,
    kind: CredentialKind,
) -> Result<RegistrationOptions> {
    if passkeys.len() >= PASSKEYS_MAX {
        return Err(Error::Conflict(Conflict::TooManyPasskeys));
    }
    let handle = handle_of(ctx, user.id, &passkeys);
    passkeys.retain(|passkey| passkey.is_usable(ctx));
    let registering = RegisteringUser { handle, name: user.email.as_str(), display_name: user.name.as_str() };
    let ceremony = ctx.services().webauthn.begin_registration(kind, registering, &passkeys).map_err(unavailable)?;
    let payload = [handle.as_slice(), &[kind as u8], &ceremony.state].concat();
    let state = Flow::begin(ctx, CEREMONY_TTL_S).seal(ctx, context, &payload);
    Ok(RegistrationOptions { options: ceremony.options, state, expires_in_s: CEREMONY_TTL_S })
}

/// Registers a passkey or a security key for the caller. The session has proven a second factor with it; the other
/// sessions end.
///
/// # Errors
/// The field `state` if it has expired or was used; the field `credential` if it was rejected;
/// [`Conflict::PasskeyTaken`] and [`Conflict::TooManyPasskeys`].
pub async fn register(ctx: &Ctx, new: NewPasskey) -> Result<Passkey> {
    let (id, session) = ctx.signed_in()?;
    let registration = verify(ctx, &context(id, session), id, new)?;

    let mut tx = ctx.write_on(&[id.into()]).await?;
    let added = add_in(ctx, &mut *tx, session, &registration).await;
    let passkey = registration.passkey;
    if matches!(added, Err(Error::Store(_) | Error::Internal(_))) {
        return added.map(|()| passkey);
    }
    // A refusal may rest on a write that shares this transaction, so it is committed before it is answered.
    ctx.commit(tx).await?;
    added.map(|()| passkey)
}

async fn add_in(ctx: &Ctx, tx: &mut dyn WriteTx, session: SessionId, registration: &Registration) -> Result<()> {
    let id = registration.passkey.user_id;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, tx).await?;
    add(ctx, tx, &user, registration).await?;
    let methods = registration.passkey.auth_methods();
    tx.record_proof(session, Proof { methods, at: ctx.now() }).await?;
    // No other session has proven the new factor.
    end_others(ctx, tx, id, session, EndReason::SecondFactorChanged).await.map(drop)
}

/// Verifies a credential of a user, whose options have this context.
pub(crate) fn verify(ctx: &Ctx, context: &[u8], user: UserId, new: NewPasskey) -> Result<Registration> {
    let (flow, payload) = Flow::open(ctx, context, &new.state).ok_or_else(invalid_state)?;
    let (handle, rest) = payload.split_first_chunk().ok_or_else(invalid_state)?;
    let (kind, state) = rest.split_first().ok_or_else(invalid_state)?;
    let kinds = [CredentialKind::Passkey, CredentialKind::SecurityKey];
    let kind = kinds.into_iter().find(|known| *known as u8 == *kind).ok_or_else(invalid_state)?;
    let credential = ctx.services().webauthn.finish_registration(kind, state, &new.credential).map_err(refusal)?;
    Ok(Registration { flow, passkey: passkey(ctx, user, kind, *handle, credential, new.name) })
}

/// Adds a verified credential to its [locked](crate::users::store::UserWrites::lock_user) user.
pub(crate) async fn add(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, registration: &Registration) -> Result<()> {
    let Registration { flow, passkey } = registration;
    if !flow.finish(tx).await? {
        return Err(invalid_state());
    }
    if tx.list_passkeys(user.id).await?.len() >= PASSKEYS_MAX {
        return Err(Error::Conflict(Conflict::TooManyPasskeys));
    }
    if !tx.insert_passkey(passkey).await? {
        return Err(Error::Conflict(Conflict::PasskeyTaken));
    }
    record_by(ctx, tx, user.id, Happened::PasskeyAdded { passkey_id: passkey.id, name: passkey.name.clone() });
    mail::tell(ctx, tx, user, MailSubject::PasskeyAdded).await
}

fn passkey(
    ctx: &Ctx,
    user_id: UserId,
    kind: CredentialKind,
    user_handle: UserHandle,
    credential: RegisteredCredential,
    name: Option<DisplayName>,
) -> Passkey {
    Passkey {
        id: PasskeyId::from_uuid(ctx.new_id()),
        kind,
        user_id,
        user_handle,
        name: name.unwrap_or_else(|| DisplayName::from_stored(default_name(kind).to_owned())),
        credential,
        created_at: ctx.now(),
        last_used_at: None,
        rp_id: Some(ctx.services().webauthn.rp_id().to_owned()),
    }
}

/// A state is accepted in the session that it was made in only.
fn context(user: UserId, session: SessionId) -> Vec<u8> {
    [b"passkey registration ".as_slice(), user.as_uuid().as_bytes(), session.as_uuid().as_bytes()].concat()
}

fn invalid_state() -> Error {
    FieldError::new("state", "invalid_state", "has expired or was already used; request new options").into()
}

fn refusal(error: CeremonyError) -> Error {
    match error {
        CeremonyError::Unavailable => Error::NotOffered,
        CeremonyError::Malformed => malformed(),
        CeremonyError::Rejected => {
            let message = "was rejected; create a new passkey with new options, on a page of an allowed origin";
            FieldError::new("credential", "credential_rejected", message).into()
        }
        CeremonyError::Failed(source) => Error::Internal(source),
    }
}
