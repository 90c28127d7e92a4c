//! The context of a use case: who asks, from where, and what the use case may touch.

use std::sync::Arc;

use crate::access::{Actor, Origin, Permission, Principal};
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::id::{SessionId, UserId};
use crate::ports::{Clock, PasswordHasher, Random, SignInThrottle, TokenSigner, Vault};
use crate::store::Store;
use crate::time::Timestamp;

/// The ports, wired once in the composition root.
pub struct Services {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub random: Arc<dyn Random>,
    /// Hashes passwords, a bounded number at once.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Signs access tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Keeps bytes under the master key.
    pub vault: Arc<dyn Vault>,
    /// Bounds tries per account.
    pub throttle: Arc<dyn SignInThrottle>,
    /// The rules that configuration sets.
    pub policy: Policy,
}

/// The rules that configuration sets.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who may create an account.
    pub signup: SignupMode,
    /// The shortest password, in characters. Never below [`crate::credentials::PASSWORD_CHARS_MIN`].
    pub password_chars_min: u32,
    /// How long an access token lives, in seconds.
    pub access_ttl_s: u32,
    /// How long a session lives unused, in seconds.
    pub session_idle_ttl_s: u32,
    /// How long a session lives at most, in seconds.
    pub session_absolute_ttl_s: u32,
    /// How long the same refresh token gets the same answer again, in seconds; 0 is strict.
    pub refresh_grace_s: u32,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
}

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupMode {
    /// Anybody.
    Open,
    /// Only those who may write users.
    Closed,
}

/// Who asks, from where, and what the use case may touch.
#[derive(Clone)]
pub struct Ctx {
    services: Arc<Services>,
    actor: Actor,
    origin: Origin,
}

impl Ctx {
    /// A context for one request.
    #[must_use]
    pub fn new(services: Arc<Services>, actor: Actor, origin: Origin) -> Self {
        Self { services, actor, origin }
    }

    /// The ports.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.services.store.as_ref()
    }

    /// The rules that configuration sets.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.services.policy
    }

    /// Where the request comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// A new user id.
    #[must_use]
    pub fn new_user_id(&self) -> UserId {
        UserId::new(self.services.clock.as_ref(), self.services.random.as_ref())
    }

    /// A new session id.
    #[must_use]
    pub fn new_session_id(&self) -> SessionId {
        SessionId::new(self.services.clock.as_ref(), self.services.random.as_ref())
    }

    /// Whether the caller holds the permission.
    #[must_use]
    pub fn holds(&self, permission: Permission) -> bool {
        match &self.actor {
            Actor::Anonymous => false,
            Actor::User(principal) => principal.permissions.contains(permission),
            Actor::Operator => true,
        }
    }

    /// Refuses whoever does not hold the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        match &self.actor {
            _ if self.holds(permission) => Ok(()),
            Actor::Anonymous => Err(Error::Unauthenticated(Unauthenticated::Missing)),
            Actor::User(_) | Actor::Operator => Err(Error::Forbidden),
        }
    }

    /// Refuses whoever is neither the user nor holds the permission. To them the user does not exist.
    pub fn require_self_or(&self, user: UserId, permission: Permission) -> Result<()> {
        match &self.actor {
            Actor::User(principal) if principal.user_id == user => Ok(()),
            Actor::User(_) if !self.holds(permission) => Err(Error::NotFound(Resource::User)),
            _ => self.require(permission),
        }
    }

    /// The signed-in user.
    pub fn principal(&self) -> Result<&Principal> {
        match &self.actor {
            Actor::User(principal) => Ok(principal),
            Actor::Anonymous => Err(Error::Unauthenticated(Unauthenticated::Missing)),
            Actor::Operator => Err(Error::Forbidden),
        }
    }
}
