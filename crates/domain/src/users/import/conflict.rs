//! Lines whose user exists.

use std::collections::HashSet;

use super::{ImportIds, ImportOptions, ImportOutcome, ImportedLine, OnConflict, Row, replace};
use crate::ctx::Ctx;
use crate::error::{FieldError, Result};
use crate::id::UserId;
use crate::providers::Issuers;
use crate::store::WriteTx;

/// Applies [`OnConflict`] to lines whose user exists. Returns whether the import stops.
pub(super) async fn resolve(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    rows: Vec<Row>,
    options: ImportOptions,
    results: &mut [ImportedLine],
) -> Result<bool> {
    if rows.is_empty() {
        return Ok(false);
    }
    match options.on_conflict {
        OnConflict::Skip => {
            for row in rows {
                results[row.at].outcome = ImportOutcome::Skipped;
            }
            Ok(false)
        }
        OnConflict::Refuse => {
            let taken = taken_ids(tx, &rows, options.ids).await?;
            for row in rows {
                results[row.at].outcome = ImportOutcome::Refused(vec![fault(tx, &row, &taken).await?]);
            }
            Ok(false)
        }
        OnConflict::Fail => {
            let taken = taken_ids(tx, &rows, options.ids).await?;
            if let Some(first) = rows.iter().min_by_key(|row| row.at) {
                results[first.at].outcome = ImportOutcome::Stopped(fault(tx, first, &taken).await?);
            }
            Ok(true)
        }
        OnConflict::Update => {
            let has_identities = rows.iter().any(|row| row.line.credentials.identities.is_some());
            let issuers = if has_identities { Issuers::read(ctx, tx).await? } else { Issuers::default() };
            for row in rows {
                let result = &mut results[row.at];
                result.outcome = match find(tx, &row, options.ids).await? {
                    Target::User(id) => replace::replace(ctx, tx, &issuers, (&row, id, options.ids), result).await?,
                    Target::Ambiguous(fault) => ImportOutcome::Refused(vec![fault]),
                };
            }
            Ok(false)
        }
    }
}

/// The user that a line changes.
enum Target {
    User(UserId),
    /// The line matches several users, or its user was deleted in the meantime.
    Ambiguous(FieldError),
}

/// The ids of the lines that belong to existing users.
async fn taken_ids(tx: &mut dyn WriteTx, rows: &[Row], ids: ImportIds) -> Result<HashSet<UserId>> {
    if ids == ImportIds::New {
        return Ok(HashSet::new());
    }
    let ids: Vec<_> = rows.iter().filter_map(|row| row.line.id).collect();
    Ok(tx.find_users(&ids).await?.into_iter().map(|user| user.id).collect())
}

/// The field of the line that belongs to another user.
async fn fault(tx: &mut dyn WriteTx, row: &Row, taken: &HashSet<UserId>) -> Result<FieldError> {
    if row.line.id.is_some_and(|id| taken.contains(&id)) {
        return Ok(FieldError::new("id", "taken", "must not be another user's id"));
    }
    for (at, identity) in row.line.credentials.identities.iter().flatten().enumerate() {
        if tx.find_identity(&identity.issuer, &identity.subject).await?.is_some() {
            let message = "must not be linked to another user";
            return Ok(FieldError::new(format!("identities[{at}]"), "taken", message));
        }
    }
    Ok(email_taken())
}

async fn find(tx: &mut dyn WriteTx, row: &Row, ids: ImportIds) -> Result<Target> {
    let by_id = match row.line.id.filter(|_| ids == ImportIds::Keep) {
        Some(id) => tx.find_user(id).await?.map(|user| user.id),
        None => None,
    };
    let by_email = tx.find_user_by_email(&row.line.email).await?.map(|user| user.id);
    let mut found = by_id.or(by_email);
    if by_email.is_some() && by_email != found {
        return Ok(Target::Ambiguous(email_taken()));
    }
    for (at, identity) in row.line.credentials.identities.iter().flatten().enumerate() {
        let Some(linked) = tx.find_identity(&identity.issuer, &identity.subject).await? else { continue };
        if *found.get_or_insert(linked.user_id) != linked.user_id {
            let message = "must not be linked to another user";
            return Ok(Target::Ambiguous(FieldError::new(format!("identities[{at}]"), "taken", message)));
        }
    }
    Ok(found.map_or_else(|| Target::Ambiguous(email_taken()), Target::User))
}

pub(super) fn email_taken() -> FieldError {
    FieldError::new("email", "taken", "must not be another user's address")
}
