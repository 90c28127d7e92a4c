//! Import users from another system, or from another Denizen server.

use std::collections::HashSet;

use super::{Attributes, Deletion, DisplayName, EmailAddress, Locale, Status, User, created};
use crate::access::Permission;
use crate::credentials::PasswordHash;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::events::catalogue::Source;
use crate::events::{Happened, record};
use crate::id::UserId;
use crate::roles::{RoleName, require_grantable};
use crate::store::WriteTx;
use crate::time::Timestamp;

mod attach;
mod carried;
mod conflict;
mod replace;

pub use carried::{
    ImportApiKey, ImportCredentials, ImportIdentity, ImportPasskey, ImportTotp, NotCarried, RECOVERY_CODES_MAX,
};

/// A user to import. If a field is absent, a new user gets the default, and the field of an existing user is unchanged.
#[derive(Debug)]
pub struct ImportUser {
    /// The id in the other system.
    pub id: Option<UserId>,
    /// The email address.
    pub email: EmailAddress,
    /// Display name.
    pub name: DisplayName,
    /// Their password hash; without one they cannot sign in by password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the other system had verified the address.
    pub email_verified: Option<bool>,
    /// Their role.
    pub role: Option<RoleName>,
    /// Their status.
    pub status: Option<Status>,
    /// Preferred language.
    pub locale: Option<Locale>,
    /// Preferences of the user.
    pub attributes: Option<Attributes>,
    /// Attributes that the user cannot change.
    pub app_attributes: Option<Attributes>,
    /// When the account was created.
    pub created_at: Option<Timestamp>,
    /// When the account was last changed.
    pub updated_at: Option<Timestamp>,
    /// When the user last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the user is deleted. Ignored unless the user is disabled.
    pub delete_after: Option<Timestamp>,
    /// Second factors, passkeys, identities and API keys.
    pub credentials: ImportCredentials,
}

impl ImportUser {
    /// The scheduled deletion of a new user. The previous status is not in the line: a restored user stays disabled.
    fn deletion(&self) -> Option<Deletion> {
        let after = self.delete_after.filter(|_| self.status == Some(Status::Disabled))?;
        Some(Deletion { after, status_before: Status::Disabled })
    }
}

/// Whether an import is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// Writes the users.
    #[default]
    Commit,
    /// Reports only what would be written.
    DryRun,
}

/// What happens to a line whose id, address or identity is that of an existing user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// The line is refused, and the import continues.
    #[default]
    Refuse,
    /// The existing user is unchanged.
    Skip,
    /// The line replaces the profile and the given credentials of the existing user.
    Update,
    /// The import stops. Nothing of the batch is written.
    Fail,
}

impl OnConflict {
    /// Every value.
    pub const ALL: &[Self] = &[Self::Refuse, Self::Skip, Self::Update, Self::Fail];
    /// The message about another name.
    pub const EXPECTED: &str = "must be refuse, skip, update or fail";

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Skip => "skip",
            Self::Update => "update",
            Self::Fail => "fail",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == raw)
    }
}

/// How ids of the file are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportIds {
    /// Every user gets a new id.
    #[default]
    New,
    /// A user gets the id of the line, if it has one.
    Keep,
}

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Whether it is a dry run.
    pub mode: ImportMode,
    /// What to do with existing users.
    pub on_conflict: OnConflict,
    /// Whether ids are kept.
    pub ids: ImportIds,
}

/// The result of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The user was created under this id.
    Created(UserId),
    /// The existing user of this id was changed.
    Updated(UserId),
    /// The existing user is unchanged.
    Skipped,
    /// The line was refused, for these fields.
    Refused(Vec<FieldError>),
    /// The import stopped at this line: its user exists.
    Stopped(FieldError),
    /// The import stopped at another line of the batch.
    NotReached,
}

/// An imported line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedLine {
    /// The result.
    pub outcome: ImportOutcome,
    /// The credentials of the line that were not imported.
    pub not_carried: NotCarried,
}

/// A line of the batch.
struct Row {
    /// Its number in the batch.
    at: usize,
    /// The id of a new user.
    id: UserId,
    line: ImportUser,
}

/// Imports a batch in one transaction, and returns the result of each line. Each line is imported as a whole or not at
/// all.
pub async fn import(ctx: &Ctx, batch: Vec<ImportUser>, options: ImportOptions) -> Result<Vec<ImportedLine>> {
    ctx.require(Permission::UsersWrite)?;
    if options.ids == ImportIds::Keep {
        // A new user with the id of a deleted user could read that user's events.
        ctx.require(Permission::EventsRead)?;
    }

    let now = ctx.now();
    let mut results: Vec<_> = batch.iter().map(ImportedLine::not_reached).collect();
    // Rows in the order of their addresses: two imports of the same users wait for each other and do not deadlock.
    let mut rows: Vec<_> =
        batch.into_iter().enumerate().map(|(at, line)| Row::of(ctx, at, line, options.ids)).collect();
    rows.sort_by(|a, b| a.line.email.as_str().cmp(b.line.email.as_str()));

    let mut tx = ctx.write().await?;
    let mut roles = Roles::default();
    let mut permitted = Vec::with_capacity(rows.len());
    for row in rows {
        let faults = roles.faults(ctx, &mut *tx, &row.line).await?;
        if faults.is_empty() {
            permitted.push(row);
        } else {
            results[row.at].outcome = ImportOutcome::Refused(faults);
        }
    }
    let users: Vec<_> = permitted.iter().map(|row| row.user(now)).collect();
    let inserted: HashSet<UserId> = tx.insert_users(&users.iter().collect::<Vec<_>>()).await?.into_iter().collect();
    let (new, mut existing): (Vec<_>, Vec<_>) = permitted.into_iter().partition(|row| inserted.contains(&row.id));
    let conflicting = attach::attach(ctx, &mut *tx, &new, options.ids, &mut results).await?;
    for (row, user) in new.into_iter().zip(users.iter().filter(|user| inserted.contains(&user.id))) {
        if conflicting.contains(&row.id) {
            // An identity of the line is linked to another user: undo the whole line.
            tx.delete_user(row.id).await?;
            existing.push(row);
        } else {
            record(ctx, &mut *tx, row.id, created(user, Source::Import));
            if let Some(Deletion { after, .. }) = user.deletion {
                record(ctx, &mut *tx, row.id, Happened::UserDeletionScheduled { delete_after: after });
            }
            results[row.at].outcome = ImportOutcome::Created(row.id);
        }
    }
    let is_stopped = conflict::resolve(ctx, &mut *tx, existing, options, &mut results).await?;
    if is_stopped {
        let stop = |result: &mut ImportedLine| {
            if !matches!(result.outcome, ImportOutcome::Stopped(_) | ImportOutcome::Refused(_)) {
                result.outcome = ImportOutcome::NotReached;
            }
        };
        results.iter_mut().for_each(stop);
    } else if options.mode == ImportMode::Commit {
        ctx.commit(tx).await?;
    }
    Ok(results)
}

impl ImportedLine {
    fn not_reached(line: &ImportUser) -> Self {
        Self { outcome: ImportOutcome::NotReached, not_carried: line.credentials.not_carried }
    }
}

impl Row {
    fn of(ctx: &Ctx, at: usize, line: ImportUser, ids: ImportIds) -> Self {
        let kept = line.id.filter(|_| ids == ImportIds::Keep);
        Self { at, id: kept.unwrap_or_else(|| UserId::from_uuid(ctx.new_id())), line }
    }

    /// The new user.
    fn user(&self, now: Timestamp) -> User {
        let line = &self.line;
        User {
            id: self.id,
            email: line.email.clone(),
            email_verified: line.email_verified.unwrap_or(false),
            name: line.name.clone(),
            role: line.role.clone().unwrap_or_else(RoleName::user),
            status: line.status.unwrap_or(Status::Active),
            locale: line.locale.clone(),
            attributes: line.attributes.clone().unwrap_or_default(),
            app_attributes: line.app_attributes.clone().unwrap_or_default(),
            created_at: line.created_at.unwrap_or(now),
            updated_at: line.updated_at.unwrap_or(now),
            last_sign_in_at: line.last_sign_in_at,
            version: 1,
            deletion: line.deletion(),
        }
    }
}

/// The roles of a batch, each checked once.
#[derive(Default)]
struct Roles(Vec<(RoleName, Option<FieldError>)>);

impl Roles {
    /// The roles and API keys of a line that the caller is not permitted to assign.
    async fn faults(&mut self, ctx: &Ctx, tx: &mut dyn WriteTx, line: &ImportUser) -> Result<Vec<FieldError>> {
        let mut faults = Vec::new();
        if let Some(role) = &line.role {
            faults.extend(self.refusal(ctx, tx, role).await?);
        }
        if line.credentials.api_keys.is_some() && !ctx.holds(Permission::ApiKeysWrite) {
            faults.push(FieldError::new("api_keys", "not_allowed", "requires the permission api_keys:write"));
        }
        for (at, key) in line.credentials.api_keys.iter().flatten().enumerate() {
            if ctx.require_held(key.scopes).is_err() {
                let message = "must not have more permissions than the importing user";
                faults.push(FieldError::new(format!("api_keys[{at}].scopes"), "not_allowed", message));
            }
        }
        Ok(faults)
    }

    /// Why the caller cannot assign this role; `None` if it can.
    async fn refusal(&mut self, ctx: &Ctx, tx: &mut dyn WriteTx, role: &RoleName) -> Result<Option<FieldError>> {
        if let Some((_, known)) = self.0.iter().find(|(name, _)| name == role) {
            return Ok(known.clone());
        }
        let refusal = match require_grantable(ctx, tx, role).await {
            Ok(()) => None,
            Err(Error::NotHeld) => {
                Some(FieldError::new("role", "not_allowed", "must not have more permissions than the importing user"))
            }
            Err(Error::Invalid(_)) => Some(FieldError::new("role", "unknown_role", "must be the name of a role")),
            Err(error) => return Err(error),
        };
        self.0.push((role.clone(), refusal.clone()));
        Ok(refusal)
    }
}
