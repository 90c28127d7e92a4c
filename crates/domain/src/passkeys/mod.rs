//! Passkeys: discoverable credentials of Web Authentication (WebAuthn Level 3).
//!
//! A passkey always verifies its user (PIN or biometrics), so it satisfies both factors of a sign-in. It is also a second
//! factor after a password, and a proof for step-up authentication. Security keys that may not verify their user are stored
//! beside them, and are second factors only.
//!
//! Options for a ceremony write nothing: the challenge is sealed into the state that the client sends back.

pub(crate) mod assert;
mod list;
pub mod port;
pub mod register;
pub mod relying_party;
mod remove;
mod rename;
pub mod store;

pub use assert::{AssertionOptions, PasskeyAnswer};
pub use list::{PasskeyList, list};
pub use port::{CredentialId, CredentialKind, RegisteredCredential, UserHandle};
pub use register::{NewPasskey, RegistrationOptions, register};
pub(crate) use remove::remove_all;
pub use remove::{remove, remove_of};
pub use rename::rename;

use crate::auth_methods::{AuthMethod, AuthMethods};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError};
use crate::id::{PasskeyId, UserId};
use crate::ports::CeremonyError;
use crate::time::Timestamp;
use crate::users::DisplayName;

/// The maximum number of passkeys and security keys per user.
pub const PASSKEYS_MAX: usize = 20;

/// Lifetime of the state of a ceremony, in seconds.
pub(crate) const CEREMONY_TTL_S: u32 = 5 * 60;

/// A registered passkey or security key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Identifies the passkey in routes and events.
    pub id: PasskeyId,
    /// Whether it is a passkey or a security key.
    pub kind: CredentialKind,
    /// The owner.
    pub user_id: UserId,
    /// The handle under which the authenticator knows the owner. All passkeys of a user have the same one.
    pub user_handle: UserHandle,
    /// The name that the owner gave it.
    pub name: DisplayName,
    /// The credential. `counter` and `backed_up` are those of the last use.
    pub credential: RegisteredCredential,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last use.
    pub last_used_at: Option<Timestamp>,
    /// The id of the relying party that it was created for; `None` if it was registered by a release that did not record
    /// it, and was not used since.
    pub rp_id: Option<String>,
}

impl Passkey {
    /// Whether browsers can use it with the relying party of this server.
    #[must_use]
    pub(crate) fn is_usable(&self, ctx: &Ctx) -> bool {
        self.rp_id.as_deref().is_none_or(|rp_id| rp_id == ctx.services().webauthn.rp_id())
    }

    /// Whether its owner can sign in with it alone.
    #[must_use]
    pub(crate) fn is_sign_in_method(&self, ctx: &Ctx) -> bool {
        self.kind == CredentialKind::Passkey && self.is_usable(ctx)
    }
}

impl Passkey {
    /// The authentication methods of a session after its use. A passkey verifies its user, so it is two factors; a security
    /// key is accepted after a first factor only.
    pub(crate) fn auth_methods(&self) -> AuthMethods {
        let key = if self.credential.backup_eligible { AuthMethod::SoftwareKey } else { AuthMethod::HardwareKey };
        AuthMethods::of(&[key, AuthMethod::UserPresence, AuthMethod::MultiFactor])
    }
}

/// The handle of a user for their authenticators: that of their passkeys, or a derived one if they have none. It does
/// not reveal the id of the user.
fn handle_of(ctx: &Ctx, user: UserId, passkeys: &[Passkey]) -> UserHandle {
    if let Some(passkey) = passkeys.first() {
        return passkey.user_handle;
    }
    let mac = ctx.services().vault.mac("webauthn user handle", user.as_uuid().as_bytes());
    let (handle, _) = mac.split_first_chunk().expect("a MAC has 32 bytes");
    *handle
}

/// Why the options of a ceremony cannot be made.
fn unavailable(error: CeremonyError) -> Error {
    match error {
        CeremonyError::Unavailable => Error::NotOffered,
        CeremonyError::Malformed => malformed(),
        CeremonyError::Rejected => Error::Internal("the options of a passkey ceremony were rejected".into()),
        CeremonyError::Failed(source) => Error::Internal(source),
    }
}

fn malformed() -> Error {
    let message = "must be a PublicKeyCredential in the form of its toJSON() method";
    FieldError::new("credential", "invalid_credential", message).into()
}
