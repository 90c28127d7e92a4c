//! Take over users from another system.

use std::collections::HashSet;

use super::{Attributes, DisplayName, EmailAddress, Locale, Status, User, created};
use crate::access::Permission;
use crate::credentials::PasswordHash;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::events::catalogue::Source;
use crate::events::record;
use crate::id::UserId;
use crate::roles::{RoleName, require_grantable};
use crate::store::WriteTx;
use crate::time::Timestamp;

/// A user as another system knew them.
#[derive(Debug)]
pub struct ImportUser {
    /// The email address.
    pub email: EmailAddress,
    /// Display name.
    pub name: DisplayName,
    /// Their password hash; without one they cannot sign in by password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the other system had verified the address.
    pub email_verified: bool,
    /// Their role.
    pub role: RoleName,
    /// Their status.
    pub status: Status,
    /// Preferred language.
    pub locale: Option<Locale>,
    /// Preferences of the user.
    pub attributes: Attributes,
    /// Attributes that the user cannot change.
    pub app_attributes: Attributes,
    /// When the account was first made; now, when nothing is said.
    pub created_at: Option<Timestamp>,
}

/// Whether an import is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// Keep the users.
    Commit,
    /// Only say what would happen.
    DryRun,
}

/// What became of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Created under this id.
    Created(UserId),
    /// Another user has the address.
    EmailTaken,
    /// There is no such role.
    UnknownRole,
    /// The role may do more than the caller.
    RoleNotHeld,
}

impl ImportOutcome {
    /// What is wrong with the row, when it was refused.
    #[must_use]
    pub fn fault(self) -> Option<FieldError> {
        match self {
            Self::Created(_) => None,
            Self::EmailTaken => Some(FieldError::new("email", "taken", "must not be another user's address")),
            Self::UnknownRole => Some(FieldError::new("role", "unknown_role", "must be the name of a role")),
            Self::RoleNotHeld => {
                Some(FieldError::new("role", "not_allowed", "must not have more permissions than the importing user"))
            }
        }
    }
}

/// Imports a batch in one transaction. A taken address is told for its row and stops nothing.
pub async fn import(ctx: &Ctx, batch: Vec<ImportUser>, mode: ImportMode) -> Result<Vec<ImportOutcome>> {
    ctx.require(Permission::UsersWrite)?;

    let now = ctx.now();
    let mut outcomes = vec![ImportOutcome::EmailTaken; batch.len()];
    // Ids in the order of the batch, rows in the order of their addresses: two imports of the same users wait for each other and
    // do not deadlock.
    let ids: Vec<_> = batch.iter().map(|_| UserId::from_uuid(ctx.new_id())).collect();
    let rows = ids.into_iter().zip(batch).enumerate();
    let mut rows: Vec<_> = rows.map(|(at, (id, row))| NewRow::of(at, id, row, now)).collect();
    rows.sort_by(|a, b| a.user.email.as_str().cmp(b.user.email.as_str()));

    let mut tx = ctx.write().await?;
    let mut roles = Roles::default();
    let mut permitted = Vec::with_capacity(rows.len());
    for row in &rows {
        match roles.refusal(ctx, &mut *tx, &row.user.role).await? {
            Some(refused) => outcomes[row.at] = refused,
            None => permitted.push(&row.user),
        }
    }
    let inserted: HashSet<UserId> = tx.insert_users(&permitted).await?.into_iter().collect();
    rows.retain(|row| inserted.contains(&row.user.id));
    let passwords: Vec<_> = rows.iter().filter_map(|row| Some((row.user.id, row.password_hash.as_ref()?))).collect();
    tx.insert_passwords(&passwords, now).await?;
    for NewRow { at, user, .. } in &rows {
        record(ctx, &mut *tx, user.id, created(user, Source::Import));
        outcomes[*at] = ImportOutcome::Created(user.id);
    }
    if mode == ImportMode::Commit {
        ctx.commit(tx).await?;
    }
    Ok(outcomes)
}

/// A user of a batch.
struct NewRow {
    /// Their number in the batch.
    at: usize,
    user: User,
    password_hash: Option<PasswordHash>,
}

impl NewRow {
    fn of(at: usize, id: UserId, row: ImportUser, now: Timestamp) -> Self {
        let user = User {
            id,
            email: row.email,
            email_verified: row.email_verified,
            name: row.name,
            role: row.role,
            status: row.status,
            locale: row.locale,
            attributes: row.attributes,
            app_attributes: row.app_attributes,
            created_at: row.created_at.unwrap_or(now),
            updated_at: now,
            last_sign_in_at: None,
            version: 1,
        };
        Self { at, user, password_hash: row.password_hash }
    }
}

/// The roles of a batch, each looked at once.
#[derive(Default)]
struct Roles(Vec<(RoleName, Option<ImportOutcome>)>);

impl Roles {
    /// Why nobody can be given this role by the caller.
    async fn refusal(&mut self, ctx: &Ctx, tx: &mut dyn WriteTx, role: &RoleName) -> Result<Option<ImportOutcome>> {
        if let Some((_, known)) = self.0.iter().find(|(name, _)| name == role) {
            return Ok(*known);
        }
        let refusal = match require_grantable(ctx, tx, role).await {
            Ok(()) => None,
            Err(Error::NotHeld) => Some(ImportOutcome::RoleNotHeld),
            Err(Error::Invalid(_)) => Some(ImportOutcome::UnknownRole),
            Err(error) => return Err(error),
        };
        self.0.push((role.clone(), refusal));
        Ok(refusal)
    }
}
