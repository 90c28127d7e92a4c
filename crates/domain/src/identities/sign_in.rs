//! Sign in with an identity at a provider.

use super::asked::{Arrival, Asked};
use super::code::{Proof, ProvenIdentity, invalid};
use super::{Identity, profile, tokens};
use crate::access::Subject;
use crate::auth_methods::{AuthMethod, AuthMethods, Authenticated};
use crate::budgets;
use crate::credentials::first_proof::EarlierPassword;
use crate::credentials::verify_email;
use crate::ctx::{Ctx, SignupMode};
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::catalogue::{Source, Way};
use crate::events::{Happened, record_by};
use crate::hooks::{self, After};
use crate::id::{IdentityId, UserId};
use crate::mail::{self, MailSubject};
use crate::one_time::Purpose;
use crate::ports::AccountActivity;
use crate::providers::{self, LinkPolicy, OutsideIdentity};
use crate::roles::RoleName;
use crate::sessions::{Outcome, Pending, SignInMethod, finished, sign_in_proven};
use crate::store::WriteTx;
use crate::users::{Attributes, DisplayName, EmailAddress, Status, User, activate, created, require_allowed_domain};

/// Opens a session for the user that the identity is linked to; or a challenge, if a second factor is required. An identity
/// that is not linked yet makes a user, or is linked to one, as the settings of the provider and `signup.mode` allow.
///
/// # Errors
/// [`Conflict::LinkRequired`] when the address belongs to a user that the identity may not be linked to;
/// [`Error::EmailUnverified`] when a new user would have no verified address; [`Error::SignupClosed`]; and those of
/// [`Proof`].
pub async fn sign_in(ctx: &Ctx, proof: Proof, label: Option<DisplayName>) -> Result<Outcome> {
    let result = by_identity(ctx, proof, label).await;
    finished(ctx, SignInMethod::Provider, result).await
}

async fn by_identity(ctx: &Ctx, proof: Proof, label: Option<DisplayName>) -> Result<Outcome> {
    let proven = proof.verify(ctx).await?;
    let asked = Asked::ask(ctx, &proven).await?;
    let mut tx = ctx.write().await?;
    if !proven.flow.finish(&mut *tx).await? {
        return Err(invalid());
    }
    let (user, identity_id, arrival) = match tx.find_identity(&proven.identity.issuer, &proven.identity.subject).await?
    {
        Some(known) => (returning(ctx, &mut *tx, &known, &proven).await?, known.id, Arrival::Returning),
        None => newcomer(ctx, &mut *tx, &proven).await?,
    };
    // The identity or the address may have changed since the hooks were asked.
    if !asked.covers(&user, arrival) {
        return Err(invalid());
    }
    // It may have been disabled since the proof was verified.
    if !providers::is_usable(ctx, &mut *tx, &proven.provider.name).await? {
        return Err(Error::NotFound(Resource::Provider));
    }
    ctx.throttle(Subject::User(user.id), AccountActivity::SignIn)?;
    // At a first link, the second factor at the provider is not yet known to be that of the user.
    let is_proven = proven.identity.has_proven_second_factor && arrival != Arrival::Linked;
    let methods: &[_] =
        if is_proven { &[AuthMethod::Federated, AuthMethod::MultiFactor] } else { &[AuthMethod::Federated] };
    let authenticated = Authenticated { methods: AuthMethods::of(methods), identity_id: Some(identity_id) };
    let created = (arrival == Arrival::Created).then(|| Box::new(user.clone()));
    if ctx.policy().refuses_unverified(&user) {
        drop(tx);
        return Err(verify_email::refuse(ctx, &user).await?);
    }
    let pending: Pending = sign_in_proven(ctx, &mut *tx, user, label, Way::Provider, authenticated).await?;
    ctx.commit(tx).await?;
    if let Some(created) = created {
        hooks::after(ctx, || After::SignUp(created)).await?;
    }
    pending.issue(ctx)
}

/// The user of an identity that is linked already.
async fn returning(ctx: &Ctx, tx: &mut dyn WriteTx, known: &Identity, proven: &ProvenIdentity) -> Result<User> {
    let user = tx.lock_user(known.user_id).await?.filter(|user| user.status == Status::Active).ok_or_else(invalid)?;
    let updated = Identity {
        provider: proven.provider.name.clone(),
        email: proven.identity.email.as_ref().map(ToString::to_string),
        last_used_at: ctx.now(),
        ..known.clone()
    };
    // Unlinked meanwhile: the lock decides.
    if !tx.update_identity(&updated).await? {
        return Err(invalid());
    }
    tokens::keep(ctx, tx, updated.id, proven).await?;
    if proven.provider.settings.update_profile {
        return profile::update(ctx, tx, user, proven).await;
    }
    Ok(user)
}

/// The user for an identity that is not linked: an existing one of the same address, or a new one; and the identity.
async fn newcomer(ctx: &Ctx, tx: &mut dyn WriteTx, proven: &ProvenIdentity) -> Result<(User, IdentityId, Arrival)> {
    let identity = &proven.identity;
    // Before any lookup: a sign-in with an unverified address must not reveal whether it has an account.
    let email = identity.email.as_ref().filter(|_| identity.email_verified).ok_or(Error::EmailUnverified)?;
    if let Some(user) = tx.find_user_by_email(email).await? {
        let may_link = proven.provider.settings.link == LinkPolicy::Verified;
        let user = tx.lock_user(user.id).await?.filter(|user| user.email == *email);
        let user = user.filter(|_| may_link).ok_or(Error::Conflict(Conflict::LinkRequired))?;
        if user.status == Status::Invited && tx.has_one_time_token(user.id, Purpose::Invitation, ctx.now()).await? {
            let (user, identity) = join(ctx, tx, user, proven).await?;
            return Ok((user, identity.id, Arrival::Joined));
        }
        if !user.email_verified || user.status != Status::Active {
            return Err(Error::Conflict(Conflict::LinkRequired));
        }
        // A link changes how the account is entered: users with a second factor prove it first.
        if tx.second_factor_standing(user.id).await?.is_enrolled() {
            return Err(Error::Conflict(Conflict::LinkRequired));
        }
        let identity = add(ctx, tx, user.id, proven).await?;
        mail::tell(ctx, tx, &user, MailSubject::IdentityLinked).await?;
        return Ok((user, identity.id, Arrival::Linked));
    }
    if !proven.provider.settings.signup || ctx.policy().signup == SignupMode::Closed {
        return Err(Error::SignupClosed);
    }
    require_allowed_domain(ctx, email)?;
    let user = new_user(ctx, tx, identity, email).await?;
    if !tx.insert_user(&user).await? {
        return Err(Error::Conflict(Conflict::LinkRequired));
    }
    record_by(ctx, tx, user.id, created(&user, Source::Provider));
    budgets::admit_attributes(ctx, tx, &user.attributes).await?;
    let user = tx.lock_user(user.id).await?.ok_or_else(invalid)?;
    let identity = add(ctx, tx, user.id, proven).await?;
    Ok((user, identity.id, Arrival::Created))
}

/// Accepts the invitation of a [locked](crate::users::store::UserWrites::lock_user) user, which has not expired, with an
/// identity of the invited address. The mailed link no longer works.
async fn join(ctx: &Ctx, tx: &mut dyn WriteTx, before: User, proven: &ProvenIdentity) -> Result<(User, Identity)> {
    // An invitation without a name has the address in its place.
    let is_named = before.name.as_str() != before.email.to_string();
    let name = proven.identity.name.clone().filter(|_| !is_named).unwrap_or_else(|| before.name.clone());
    let user = activate(ctx, tx, before, name, EarlierPassword::Removed).await?;
    let identity = add(ctx, tx, user.id, proven).await?;
    Ok((user, identity))
}

async fn new_user(ctx: &Ctx, tx: &mut dyn WriteTx, identity: &OutsideIdentity, email: &EmailAddress) -> Result<User> {
    let now = ctx.now();
    let role = profile::known_role(tx, identity).await?.unwrap_or_else(RoleName::user);
    let fallback = || DisplayName::from_stored(email.to_string());
    let attributes = Attributes::parse(identity.attributes.clone()).ok();
    Ok(User {
        id: UserId::from_uuid(ctx.new_id()),
        email: email.clone(),
        email_verified: true,
        name: identity.name.clone().unwrap_or_else(fallback),
        role,
        status: Status::Active,
        locale: identity.locale.clone().or_else(|| ctx.origin().language.clone()),
        attributes: attributes
            .filter(|attributes| ctx.services().attributes_schemas.accepts(attributes))
            .unwrap_or_default(),
        app_attributes: Attributes::default(),
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    })
}

/// Links an identity to a [locked](crate::users::store::UserWrites::lock_user) user, and records it.
///
/// # Errors
/// [`Conflict::IdentityTaken`] when it is linked to another user, and [`Conflict::TooManyIdentities`].
pub(super) async fn add(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, proven: &ProvenIdentity) -> Result<Identity> {
    if tx.list_identities(user).await?.len() >= super::IDENTITIES_MAX {
        return Err(Error::Conflict(Conflict::TooManyIdentities));
    }
    let identity = Identity {
        id: IdentityId::from_uuid(ctx.new_id()),
        user_id: user,
        provider: proven.provider.name.clone(),
        issuer: proven.identity.issuer.clone(),
        subject: proven.identity.subject.clone(),
        email: proven.identity.email.as_ref().map(ToString::to_string),
        created_at: ctx.now(),
        last_used_at: ctx.now(),
    };
    if !tx.insert_identity(&identity).await? {
        return Err(Error::Conflict(Conflict::IdentityTaken));
    }
    tokens::keep(ctx, tx, identity.id, proven).await?;
    let provider = identity.provider.to_string();
    record_by(ctx, tx, user, Happened::IdentityLinked { identity_id: identity.id, provider });
    Ok(identity)
}
