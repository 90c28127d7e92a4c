//! The context of a use case: who asks, from where, and what the use case may touch.

use std::sync::Arc;

use uuid::Uuid;

use crate::access::{Actor, Origin, Permission, Permissions, Principal, Subject};
use crate::authority::{Authority, AuthorityLock};
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::hooks::Hooks;
use crate::id::{SessionId, UserId, uuid_v7};
use crate::idempotency::DeferredCommit;
use crate::page::Total;
pub use crate::policy::{Policy, SignupMode};
use crate::ports::{
    AccessTokens, AccountActivity, AccountThrottle, Clock, Mailer, PasswordHasher, Random, SignInHook, SigningKeys,
    Usage, Vault, WebAuthn, WebhookSender,
};
use crate::providers::{Federation, Providers};
use crate::sessions::SignInTotals;
use crate::store::{ReadTx, Store, StoreError, WriteTx};
use crate::time::Timestamp;
use crate::tokens::current;
use crate::users::{AttributesSchemas, Totals};

/// How often a write is retried because the role of the caller has changed.
const ROLE_READS_MAX: u32 = 3;
/// When it is worth trying again after that, in seconds.
const ROLE_RETRY_AFTER_S: u32 = 1;

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
    /// Limits how often an account writes.
    pub account_throttle: Arc<dyn AccountThrottle>,
    /// Sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// Asks the product's old system, where there is one.
    pub sign_in_hook: Option<Arc<dyn SignInHook>>,
    /// Called before and after sign-up, sign-in and deletion, if there are any.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// The outside providers of the configuration.
    pub providers: Providers,
    /// Speaks to outside providers.
    pub federation: Arc<dyn Federation>,
    /// Sends requests to webhooks.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Runs the ceremonies of passkeys.
    pub webauthn: Arc<dyn WebAuthn>,
    /// The schemas of attributes.
    pub attributes_schemas: AttributesSchemas,
    /// Totals of the list of users that were counted a moment ago.
    pub user_totals: Totals,
    /// How many sign-ins there were on this node.
    pub sign_ins: SignInTotals,
    /// The rules that configuration sets.
    pub policy: Policy,
}

/// Who asks, from where, and what the use case may touch.
#[derive(Clone)]
pub struct Ctx {
    services: Arc<Services>,
    actor: Actor,
    origin: Origin,
    deferred: Option<Arc<DeferredCommit>>,
}

impl Ctx {
    /// A context for one request.
    #[must_use]
    pub fn new(services: Arc<Services>, actor: Actor, origin: Origin) -> Self {
        Self { services, actor, origin, deferred: None }
    }

    /// The same request, whose last commit waits for its answer in `deferred`.
    #[must_use]
    pub fn deferring_commit(self, deferred: Arc<DeferredCommit>) -> Self {
        Self { deferred: Some(deferred), ..self }
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

    /// The ports, to be used beyond this request.
    #[must_use]
    pub fn shared_services(&self) -> Arc<Services> {
        Arc::clone(&self.services)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        let forbids_reads = self.deferred.as_ref().is_some_and(|deferred| deferred.forbids_reads());
        debug_assert!(
            !forbids_reads,
            "the store is used while a commit is deferred: the read would wait for the commit or miss it"
        );
        self.services.store.as_ref()
    }

    /// Begins a write transaction on behalf of the caller. Dropped without [`Ctx::commit`], it leaves nothing behind.
    ///
    /// The caller's credential, status and permissions are read again in it, under a lock that every revocation takes: a
    /// revocation that was committed before is seen, and a later one waits for this transaction.
    ///
    /// # Errors
    /// [`Unauthenticated::InvalidToken`] when the credential no longer works; [`Error::Forbidden`] when the caller lost a
    /// permission since the request was admitted; [`Error::TooManyRequests`] when the account has written too often.
    pub async fn write(&self) -> Result<Box<dyn WriteTx>> {
        self.write_on(&[]).await
    }

    /// The same for a transaction that changes these accounts or roles. All its locks are taken in one step and one order:
    /// two callers who change each other wait, and not in a circle.
    ///
    /// # Errors
    /// As for [`Ctx::write`].
    pub async fn write_on(&self, targets: &[Authority]) -> Result<Box<dyn WriteTx>> {
        self.throttle_write()?;
        self.write_unlimited(targets).await
    }

    /// The same for what only ends or removes: it leaves no more than was there, and an owner whose account is flooded
    /// must get through with it.
    ///
    /// # Errors
    /// As for [`Ctx::write`], without a bound on how often.
    pub async fn write_unlimited(&self, targets: &[Authority]) -> Result<Box<dyn WriteTx>> {
        self.settle().await?;
        let Actor::Known(admitted) = &self.actor else {
            return self.write_by_proof(targets).await;
        };
        let mut role = admitted.role.clone();
        for _ in 0..ROLE_READS_MAX {
            let locks = AuthorityLock::on_behalf_of(admitted.subject, &role, targets);
            let mut tx = self.store().write_under(&locks).await?;
            let now = current(&mut *tx, self.now(), admitted).await?;
            let now = now.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
            if now.role == role {
                // What the use case decides, it decides by the permissions that the request was admitted with.
                let is_unchanged = now.permissions.contains_all(admitted.permissions);
                return if is_unchanged { Ok(tx) } else { Err(Error::Forbidden) };
            }
            role = now.role;
        }
        Err(Error::Overloaded { retry_after_s: ROLE_RETRY_AFTER_S })
    }

    /// Begins a write transaction that changes these, for a request that proves by itself what it may do: it carries a
    /// mailed token, a refresh token, or ends the session that it was made in.
    pub async fn write_by_proof(&self, targets: &[Authority]) -> Result<Box<dyn WriteTx>> {
        self.settle().await?;
        Ok(self.store().write_under(&AuthorityLock::on(targets)).await?)
    }

    /// Commits, without an answer, what the same request has finished before: one request has one transaction at a time.
    async fn settle(&self) -> Result<()> {
        match &self.deferred {
            Some(deferred) => Ok(deferred.settle().await?),
            None => Ok(()),
        }
    }

    /// Counts a write of the caller's account that leaves rows.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when the account has written too often.
    pub fn throttle_write(&self) -> Result<()> {
        let Actor::Known(principal) = &self.actor else { return Ok(()) };
        let is_privileged = principal.permissions.has_write();
        let activity = if is_privileged { AccountActivity::PrivilegedWrite } else { AccountActivity::Write };
        self.throttle(principal.subject, activity)
    }

    /// Counts what an account does that leaves rows.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when the account has done enough of it.
    pub fn throttle(&self, account: Subject, activity: AccountActivity) -> Result<()> {
        self.services.account_throttle.admit(account, activity, self.now())
    }

    /// Finishes a transaction of [`Ctx::write`]. It is on disk before the client is answered: at once, or together with
    /// the answer when the request has an idempotency key. Until then nothing may be read through [`Ctx::store`].
    pub async fn commit(&self, tx: Box<dyn WriteTx>) -> Result<()> {
        match &self.deferred {
            Some(deferred) => Ok(deferred.hold(tx).await?),
            None => Ok(tx.commit().await?),
        }
    }

    /// Does what must see the finished transaction: now, or once it is committed.
    pub async fn after_commit(&self, work: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
        match self.deferred.as_ref().filter(|deferred| deferred.is_pending()) {
            Some(deferred) => {
                deferred.after_commit(work);
                Ok(())
            }
            None => work.await,
        }
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

    /// The same for a change: a caller who may see the user, by the permission `read`, is refused as forbidden. Only to
    /// others the user does not exist.
    pub fn require_self_or_write(&self, user: UserId, write: Permission, read: Permission) -> Result<()> {
        match self.require_self_or(user, write) {
            Err(Error::NotFound(_)) if self.holds(read) => Err(Error::Forbidden),
            other => other,
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
