//! Assertions: prove that a passkey is present. Sign-in, challenges and step-up share these steps.

use super::{CEREMONY_TTL_S, CredentialKind, Passkey, malformed, unavailable};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::flows::Flow;
use crate::id::UserId;
use crate::passkeys::port::VerifiedUse;
use crate::ports::{Assertion, CeremonyError};
use crate::store::WriteTx;

/// What a browser needs to use a passkey.
#[derive(Debug)]
pub struct AssertionOptions {
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: String,
    /// The state to send back with the credential.
    pub state: String,
    /// Seconds until the state expires.
    pub expires_in_s: u32,
}

/// The response of a browser to such options.
#[derive(Debug)]
pub struct PasskeyAnswer {
    /// The state of the options.
    pub state: String,
    /// The `PublicKeyCredential` in JSON.
    pub credential: String,
}

/// An answer whose state is accepted; its signature is not verified yet.
#[derive(Debug)]
pub(crate) struct OpenedAnswer {
    flow: Flow,
    ceremony: Vec<u8>,
    assertion: Assertion,
    credential: String,
}

/// A verified use of a passkey, to be recorded.
#[derive(Debug)]
pub(crate) struct VerifiedPasskey {
    pub(crate) passkey: Passkey,
    flow: Flow,
    used: VerifiedUse,
}

/// Options to use one of these credentials, or any passkey if there are none. Writes nothing.
pub(crate) fn options(ctx: &Ctx, context: &[u8], allowed: &[Passkey]) -> Result<AssertionOptions> {
    let ceremony = ctx.services().webauthn.begin_assertion(allowed).map_err(unavailable)?;
    let state = Flow::begin(ctx, CEREMONY_TTL_S).seal(ctx, context, &ceremony.state);
    Ok(AssertionOptions { options: ceremony.options, state, expires_in_s: CEREMONY_TTL_S })
}

/// The same for the passkeys of a user.
///
/// # Errors
/// [`Resource::Passkey`] if the user has none that can be used with the relying party.
pub(crate) async fn options_of(ctx: &Ctx, context: &[u8], user: UserId) -> Result<AssertionOptions> {
    let mut passkeys = ctx.store().read().await?.list_passkeys(user).await?;
    passkeys.retain(|passkey| passkey.is_usable(ctx));
    if passkeys.is_empty() {
        return Err(Error::NotFound(Resource::Passkey));
    }
    options(ctx, context, &passkeys)
}

/// Opens the state of an answer and reads which credential it is of.
///
/// # Errors
/// [`Unauthenticated::InvalidPasskey`] if the state is not accepted; the field `credential` if it is malformed.
pub(crate) fn open(ctx: &Ctx, context: &[u8], answer: PasskeyAnswer) -> Result<OpenedAnswer> {
    let (flow, ceremony) = Flow::open(ctx, context, &answer.state).ok_or_else(refused)?;
    let assertion = ctx.services().webauthn.read_assertion(&answer.credential).map_err(refusal)?;
    Ok(OpenedAnswer { flow, ceremony, assertion, credential: answer.credential })
}

impl OpenedAnswer {
    /// Verifies the answer. Without an `owner`, the authenticator must state the user itself.
    ///
    /// # Errors
    /// [`Resource::PasskeyCredential`] if no user has the credential; [`Unauthenticated::InvalidPasskey`] if it is
    /// another user's or a check failed.
    pub(crate) async fn verify(self, ctx: &Ctx, owner: Option<UserId>) -> Result<VerifiedPasskey> {
        let Self { flow, ceremony, assertion, credential } = self;
        let passkey = ctx.store().read().await?.find_passkey(&assertion.credential_id).await?;
        let passkey = passkey.ok_or(Error::NotFound(Resource::PasskeyCredential))?;
        let is_of_user = match (&assertion.user_handle, owner) {
            // A security key is no first factor, even if it verifies its user now and then.
            (Some(_), None) if passkey.kind == CredentialKind::SecurityKey => false,
            (Some(handle), owner) => {
                handle.as_slice() == passkey.user_handle && owner.is_none_or(|owner| owner == passkey.user_id)
            }
            (None, Some(owner)) => owner == passkey.user_id,
            (None, None) => false,
        };
        if !is_of_user || !passkey.is_usable(ctx) {
            return Err(refused());
        }
        let webauthn = &ctx.services().webauthn;
        let used = webauthn.finish_assertion(&ceremony, &credential, &passkey).map_err(refusal)?;
        Ok(VerifiedPasskey { passkey, flow, used })
    }
}

impl VerifiedPasskey {
    /// Records the use, with the user locked. `false` if the state was used before, the passkey was removed meanwhile, or
    /// a later use of it was recorded: then the answer is refused, after a commit.
    pub(crate) async fn record(&self, ctx: &Ctx, tx: &mut dyn WriteTx) -> Result<bool> {
        let rp_id = ctx.services().webauthn.rp_id();
        Ok(self.flow.finish(tx).await? && tx.use_passkey(self.passkey.id, self.used, rp_id, ctx.now()).await?)
    }
}

/// The answer to every passkey that is not accepted.
pub(crate) fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidPasskey)
}

fn refusal(error: CeremonyError) -> Error {
    match error {
        CeremonyError::Unavailable => Error::NotOffered,
        CeremonyError::Malformed => malformed(),
        CeremonyError::Rejected => refused(),
        CeremonyError::Failed(source) => Error::Internal(source),
    }
}
