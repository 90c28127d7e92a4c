//! The context of a use case: who asks, from where, and what the use case may touch.

use std::sync::Arc;

use uuid::Uuid;

use crate::access::{Actor, Origin, Permission, Permissions, Principal, Subject};
use crate::budgets::Limits;
#[cfg(test)]
use crate::budgets::Patience;
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::id::{SessionId, UserId, uuid_v7};
use crate::keys::Algorithm;
use crate::page::Total;
use crate::ports::{
    AccessTokens, Clock, Mailer, PasswordHasher, Random, SignInHook, SigningKeys, Usage, Vault, WebhookSender,
};
use crate::store::{ReadTx, Store, StoreError, WriteTx};
use crate::time::Timestamp;
use crate::webhooks;

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
    /// Signs and verifies access tokens.
    pub tokens: Arc<dyn AccessTokens>,
    /// Makes the keys that sign them.
    pub signing_keys: Arc<dyn SigningKeys>,
    /// Notes when credentials are used.
    pub usage: Arc<dyn Usage>,
    /// Keeps bytes under the master key.
    pub vault: Arc<dyn Vault>,
    /// Sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// Asks the product's old system, where there is one.
    pub sign_in_hook: Option<Arc<dyn SignInHook>>,
    /// Sends requests to webhooks.
    pub webhook_sender: Arc<dyn WebhookSender>,
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
    /// What the product is called.
    pub product_name: String,
    /// How much guessing and mail is put up with.
    pub guessing: Limits,
    /// Whether mail is sent at all.
    pub sends_mail: bool,
    /// How long a mail that anybody can ask for waits at most until it is looked into, in milliseconds; 0 is not at all.
    pub mail_request_delay_ms: u32,
    /// Whether a code that is mailed signs in.
    pub offers_mailed_codes: bool,
    /// Whether a link that is mailed signs in.
    pub offers_magic_links: bool,
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
    /// The algorithm that signs access tokens.
    pub token_algorithm: Algorithm,
    /// How long a signing key signs before the next one takes over, in seconds; 0 is for ever.
    pub key_rotation_s: u32,
    /// How long a signing key is published before it signs, in seconds: at least what caches may keep.
    pub key_lead_s: u32,
    /// How long events are kept, in seconds; for ever when nothing is said.
    pub events_kept_s: Option<u32>,
    /// How long, and how fast, deliveries to webhooks are tried.
    pub webhooks: webhooks::Patience,
}

#[cfg(test)]
impl Policy {
    /// A policy to build a test's own on.
    pub(crate) fn for_tests() -> Self {
        Self {
            signup: SignupMode::Open,
            password_chars_min: 8,
            product_name: String::new(),
            guessing: Limits {
                account: Patience { free: 10, delay_s: 10, delay_max_s: 900, forgotten_s: 3_600 },
                address: None,
                mails_per_hour: 10,
                mail_requests_per_hour: 1_000,
            },
            sends_mail: true,
            mail_request_delay_ms: 0,
            offers_mailed_codes: true,
            offers_magic_links: true,
            access_ttl_s: 900,
            session_idle_ttl_s: 60,
            session_absolute_ttl_s: 60,
            refresh_grace_s: 10,
            issuer: String::new(),
            audience: String::new(),
            token_algorithm: Algorithm::Es256,
            key_rotation_s: 0,
            key_lead_s: 600,
            events_kept_s: None,
            webhooks: webhooks::Patience { retry_first_ms: 5_000, retry_for_s: 86_400, timeout_s: 10 },
        }
    }
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

    /// The same request by somebody else, or by the same as they are now.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// Who asks.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
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

    /// Begins a write transaction on behalf of the caller. Dropped without [`Ctx::commit`], it leaves nothing behind.
    pub async fn write(&self) -> Result<Box<dyn WriteTx>> {
        Ok(self.store().write().await?)
    }

    /// Commits a transaction of [`Ctx::write`]. After `Ok` it is on disk.
    pub async fn commit(&self, tx: Box<dyn WriteTx>) -> Result<()> {
        Ok(tx.commit().await?)
    }

    /// A handle to read a page with, and its count when that is asked for: the two agree.
    pub async fn reads_of(&self, total: Total) -> Result<Box<dyn ReadTx>, StoreError> {
        match total {
            Total::Skip => self.store().read().await,
            Total::Count => self.store().snapshot().await,
        }
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

    /// A new identifier for a thing of any kind.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        uuid_v7(self.services.clock.as_ref(), self.services.random.as_ref())
    }

    /// What the caller may do.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match &self.actor {
            Actor::Anonymous => Permissions::NONE,
            Actor::Known(principal) => principal.permissions,
            Actor::Operator | Actor::System => Permissions::ALL,
        }
    }

    /// Whether the caller holds the permission.
    #[must_use]
    pub fn holds(&self, permission: Permission) -> bool {
        self.permissions().contains(permission)
    }

    /// Refuses whoever does not hold the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        match &self.actor {
            _ if self.holds(permission) => Ok(()),
            Actor::Anonymous => Err(Error::Unauthenticated(Unauthenticated::Missing)),
            Actor::Known(_) | Actor::Operator | Actor::System => Err(Error::Forbidden),
        }
    }

    /// Refuses whoever would give away what they do not hold themselves.
    pub fn require_held(&self, granted: Permissions) -> Result<()> {
        if self.permissions().contains_all(granted) { Ok(()) } else { Err(Error::NotHeld) }
    }

    /// Refuses whoever is neither the user nor holds the permission. To them the user does not exist.
    ///
    /// A user's API key sees its user, and nothing else that is theirs: for all else it needs the permission.
    pub fn require_self_or(&self, user: UserId, permission: Permission) -> Result<()> {
        match &self.actor {
            Actor::Known(principal) if principal.subject == Subject::User(user) => {
                let is_theirs = principal.signed_in().is_some() || permission == Permission::UsersRead;
                if is_theirs { Ok(()) } else { self.require(permission) }
            }
            Actor::Known(_) if !self.holds(permission) => Err(Error::NotFound(Resource::User)),
            _ => self.require(permission),
        }
    }

    /// Whether the caller is this user, by whatever credential.
    #[must_use]
    pub fn is_user(&self, user: UserId) -> bool {
        self.principal().is_ok_and(|principal| principal.subject == Subject::User(user))
    }

    /// Refuses whoever is not known at all.
    pub fn require_identity(&self) -> Result<()> {
        match &self.actor {
            Actor::Anonymous => Err(Error::Unauthenticated(Unauthenticated::Missing)),
            Actor::Known(_) | Actor::Operator | Actor::System => Ok(()),
        }
    }

    /// Whoever has good credentials.
    pub fn principal(&self) -> Result<&Principal> {
        match &self.actor {
            Actor::Known(principal) => Ok(principal),
            Actor::Anonymous => Err(Error::Unauthenticated(Unauthenticated::Missing)),
            Actor::Operator | Actor::System => Err(Error::Forbidden),
        }
    }

    /// The user who signed in themselves, and their session: no key of a program will do.
    pub fn signed_in(&self) -> Result<(UserId, SessionId)> {
        self.principal()?.signed_in().ok_or(Error::Forbidden)
    }
}
