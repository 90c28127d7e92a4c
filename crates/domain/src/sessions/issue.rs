//! What a session hands out: the access token and the refresh token of its generation.

use secrecy::SecretString;

use super::refresh::token_of;
use crate::access::Permissions;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::SessionId;
use crate::time::Timestamp;
use crate::tokens::{AccessClaims, Authentication, TokenSubject, claims_of};
use crate::users::User;

/// A session just opened or refreshed.
#[derive(Debug)]
pub struct SignedIn {
    /// The signed-in user.
    pub user: User,
    /// The session.
    pub session_id: SessionId,
    /// The signed access token.
    pub access_token: SecretString,
    /// Seconds until the access token expires.
    pub expires_in_s: u32,
    /// The scopes of the access token.
    pub scope: Permissions,
    /// The refresh token of the session's generation.
    pub refresh_token: SecretString,
    /// After a sign-in: names the device the next time. It opens nothing.
    pub device_token: Option<SecretString>,
    /// How long the session lives unless it is refreshed again, in seconds.
    pub session_expires_in_s: u32,
}

/// A session and the part of it that tokens depend on.
pub(super) struct Issued {
    pub(super) session_id: SessionId,
    pub(super) generation: i64,
    pub(super) now: Timestamp,
    /// When the session ends in any case; no token outlives it.
    pub(super) expires_at: Timestamp,
    /// What the user's role may do.
    pub(super) permissions: Permissions,
    /// When and how the user authenticated.
    pub(super) authentication: Authentication,
}

/// Signs the tokens of a session's generation. Derived, so that the same generation has the same refresh token.
pub(super) fn issue(ctx: &Ctx, user: User, issued: &Issued) -> Result<SignedIn> {
    let Issued { session_id, generation, now, expires_at, permissions, authentication } = *issued;
    let policy = ctx.policy();
    let left_s = u32::try_from(expires_at.as_seconds() - now.as_seconds()).unwrap_or(0);
    let expires_in_s = policy.access_ttl_s.min(left_s);
    let claims = AccessClaims {
        issuer: policy.issuer.clone(),
        audience: policy.audience.clone(),
        subject: TokenSubject::User {
            id: user.id,
            session_id,
            email: user.email.clone(),
            email_verified: user.email_verified,
            authentication,
        },
        role: user.role.clone(),
        scope: permissions,
        issued_at: now,
        expires_at: now.plus_seconds(expires_in_s),
        custom: claims_of(&policy.token_claims, &user),
    };
    Ok(SignedIn {
        access_token: ctx.services().tokens.sign(&claims)?.into(),
        refresh_token: token_of(ctx.services().vault.as_ref(), session_id, generation),
        device_token: None,
        user,
        session_id,
        expires_in_s,
        session_expires_in_s: policy.session_idle_ttl_s.min(left_s),
        scope: permissions,
    })
}
