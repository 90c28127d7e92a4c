//! Take over users from another system.

use super::{Attributes, DisplayName, EmailAddress, Status, User};
use crate::access::Permission;
use crate::credentials::PasswordHash;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::UserId;
use crate::roles::RoleName;
use crate::time::Timestamp;

/// A user as another system knew them.
#[derive(Debug)]
pub struct ImportUser {
    /// The address.
    pub email: EmailAddress,
    /// What to call them.
    pub name: DisplayName,
    /// Their password hash; without one they cannot sign in by password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the other system had verified the address.
    pub email_verified: bool,
    /// Their role.
    pub role: RoleName,
    /// Their status.
    pub status: Status,
    /// What the product keeps with the user.
    pub attributes: Attributes,
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
}

/// Imports a batch in one transaction. A taken address is told for its row and stops nothing.
pub async fn import(ctx: &Ctx, batch: Vec<ImportUser>, mode: ImportMode) -> Result<Vec<ImportOutcome>> {
    ctx.require(Permission::UsersWrite)?;

    let now = ctx.now();
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut tx = ctx.store().write().await?;
    for row in batch {
        let user = User {
            id: ctx.new_user_id(),
            email: row.email,
            email_verified: row.email_verified,
            name: row.name,
            role: row.role,
            status: row.status,
            attributes: row.attributes,
            created_at: row.created_at.unwrap_or(now),
            updated_at: now,
            last_sign_in_at: None,
            version: 1,
        };
        if !tx.insert_user(&user).await? {
            outcomes.push(ImportOutcome::EmailTaken);
            continue;
        }
        if let Some(hash) = &row.password_hash {
            tx.set_password(user.id, hash, now).await?;
        }
        outcomes.push(ImportOutcome::Created(user.id));
    }
    if mode == ImportMode::Commit {
        tx.commit().await?;
    }
    Ok(outcomes)
}
