//! Second factors: what is proven besides the password.

pub mod store;

use crate::id::UserId;
use crate::time::Timestamp;

/// A MAC of a recovery code under the master key.
pub type RecoveryCodeHash = [u8; 32];

/// A secret for time-based one-time passwords (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpFactor {
    /// Whose it is.
    pub user_id: UserId,
    /// The secret, sealed under the master key and bound to the user.
    pub sealed_secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user first gave a code of it. Before, it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code that was taken.
    pub last_step: i64,
}

/// What a sign-in of a user owes besides the first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether the user has a confirmed second factor.
    pub is_enrolled: bool,
    /// Whether the user's role demands one.
    pub is_required: bool,
}
