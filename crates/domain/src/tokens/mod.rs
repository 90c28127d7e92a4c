//! Access tokens: what they say.

use crate::access::Permissions;
use crate::ctx::Policy;
use crate::id::{SessionId, UserId};
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::users::{EmailAddress, User};

/// The claims of an access token (RFC 9068 §2.2). The claim `jti` is added by whoever signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `iss`: who signed.
    pub issuer: String,
    /// `aud`: for whom.
    pub audience: String,
    /// `sub`: the user.
    pub subject: UserId,
    /// `sid`: the session.
    pub session_id: SessionId,
    /// `email`: the user's address.
    pub email: EmailAddress,
    /// `role`: the user's one role.
    pub role: RoleName,
    /// `scope`: what the role may do.
    pub scope: Permissions,
    /// `iat`: from when.
    pub issued_at: Timestamp,
    /// `exp`: until when.
    pub expires_at: Timestamp,
}

impl AccessClaims {
    /// The claims of a user in a session.
    #[must_use]
    pub fn new(policy: &Policy, user: &User, session: SessionId, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            issuer: policy.issuer.clone(),
            audience: policy.audience.clone(),
            subject: user.id,
            session_id: session,
            email: user.email.clone(),
            role: user.role.clone(),
            scope: user.role.permissions(),
            issued_at,
            expires_at,
        }
    }
}
