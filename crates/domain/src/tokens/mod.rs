//! Access tokens: what they say, how they are got for keys, and what becomes of one that is presented.

pub mod authenticate;
mod claims;
pub mod client;
mod current;
pub mod grant;
pub mod introspect;
pub mod revoke;

pub use authenticate::{authenticate, authenticate_certificate, renew};
pub(crate) use claims::claims_of;
pub use claims::{AttributeClaim, CLAIMS_BYTES_MAX, CLAIMS_MAX};
pub use client::{Client, ClientCredentials, authenticate_client};
pub(crate) use current::current;
pub use grant::{ClientGrant, client_credentials};
pub use introspect::{IntrospectedAddress, Introspection, TokenKind, introspect, require_introspection};
pub use revoke::revoke;

use crate::access::Permissions;
use crate::auth_methods::AuthMethods;
use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::users::EmailAddress;
use crate::value::Value;

/// The `client_id` of the product's own applications, in which users sign in: a public client, without a secret
/// (RFC 6749 §2.1). No service account has this id, which is not a UUID.
pub const FIRST_PARTY_CLIENT_ID: &str = "denizen";

/// The claims of an access token (RFC 9068 §2.2). The claim `jti` is added by whoever signs.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessClaims {
    /// `iss`: who signed.
    pub issuer: String,
    /// `aud`: for whom.
    pub audience: String,
    /// `sub`, and the claims that go with its kind.
    pub subject: TokenSubject,
    /// `role`: the subject's one role.
    pub role: RoleName,
    /// `scope`: what the token carries of what the role may do.
    pub scope: Permissions,
    /// `iat`: from when.
    pub issued_at: Timestamp,
    /// `exp`: until when.
    pub expires_at: Timestamp,
    /// Further claims, from attributes of the user. None has the name of another claim.
    pub custom: Vec<(String, Value)>,
}

/// When and how the user of a token authenticated (RFC 9068 §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication {
    /// `auth_time`: when the user last proved any factor.
    pub at: Timestamp,
    /// `amr`, and `acr` with it.
    pub methods: AuthMethods,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSubject {
    /// A user in a session. `client_id` is [`FIRST_PARTY_CLIENT_ID`].
    User {
        /// `sub`: the user.
        id: UserId,
        /// `sid`: the session.
        session_id: SessionId,
        /// `email`: the user's address.
        email: EmailAddress,
        /// `email_verified`: whether the user has proven that they receive mail at it (OpenID Connect Core §5.1).
        email_verified: bool,
        /// `auth_time`, `amr` and `acr`.
        authentication: Authentication,
    },
    /// A service account, by one of its API keys.
    Client {
        /// `sub` and `client_id` (RFC 9068 §2.2): the service account.
        id: ServiceAccountId,
        /// `key_id`: the API key that the token was got for.
        key_id: ApiKeyId,
    },
}

/// What a token says that is signed, for us, and not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The claim `sub`, and what goes with its kind.
    pub subject: VerifiedSubject,
    /// The claim `scope`.
    pub scope: Permissions,
    /// The claim `jti`, decoded.
    pub token_id: [u8; 16],
    /// The claim `iat`.
    pub issued_at: Timestamp,
    /// The claim `exp`.
    pub expires_at: Timestamp,
}

/// Whom a verified token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedSubject {
    /// A user in a session.
    User {
        /// The claim `sub`.
        id: UserId,
        /// The claim `sid`.
        session_id: SessionId,
    },
    /// A service account, by one of its API keys.
    Client {
        /// The claims `sub` and `client_id`.
        id: ServiceAccountId,
        /// The claim `key_id`.
        key_id: ApiKeyId,
    },
}
