//! Identities at outside providers: how users sign in through them, and how identities are linked to users.
//!
//! Reading order: this file (what an identity is) → [`mod@begin`] (redirects to the provider) → [`mod@callback`] (receives its
//! response) → [`mod@sign_in`] and [`mod@link`] (use the proven identity).
//!
//! Invariants:
//! - A flow writes nothing before it finishes: `state` and code are sealed, and bound to the browser and to the PKCE
//!   verifier of the application (RFC 7636). Only the tokens of a provider with `keep_tokens` are stored, sealed, until the
//!   application exchanges the code: they are too large for a URL.
//! - An identity is known by issuer and subject, never by its email address.
//! - No token is ever in a URL.

mod asked;
pub mod begin;
pub mod callback;
mod code;
pub mod link;
pub mod list;
mod native;
mod profile;
pub mod sign_in;
pub mod store;
pub mod tokens;
pub mod unlink;

pub use begin::{Begin, Started, begin, nonce};
pub use callback::{Callback, callback};
pub use code::{Proof, ProvenIdentity};
pub use link::link;
pub use list::{list, list_of};
pub use native::NativeCode;
pub use sign_in::sign_in;
pub use tokens::{ProviderAccessToken, token};
pub(crate) use unlink::unlink_all;
pub use unlink::{unlink, unlink_of};

use crate::id::{IdentityId, UserId};
use crate::providers::ProviderName;
use crate::time::Timestamp;

/// How many identities one user may have.
pub const IDENTITIES_MAX: usize = 20;

/// An identity at an outside provider that is linked to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Unique identifier of the link.
    pub id: IdentityId,
    /// The user that it is linked to.
    pub user_id: UserId,
    /// The provider through which it was last used.
    pub provider: ProviderName,
    /// The issuer identifier.
    pub issuer: String,
    /// Identifies the user at the issuer.
    pub subject: String,
    /// The email address at the provider, when it was last used.
    pub email: Option<String>,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last sign-in.
    pub last_used_at: Timestamp,
}
