//! The user whom a transaction is about, read together with the state of the caller's session.
//!
//! Most changes of a user begin with a lock on the user, then read the caller's session and then the row of the user. Under that
//! lock, both reads are one statement. What was read ahead is used by the next statement or not at all, so it is never older
//! than what the transaction itself has written.

use denizen_domain::access::Subject;
use denizen_domain::authority::Authority;
use denizen_domain::id::UserId;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use sqlx::query_file;
use uuid::Uuid;

use crate::error::{broken, store_error};
use crate::lend::Lent;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;

/// What a transaction has read ahead.
#[derive(Debug)]
pub(crate) enum ReadAhead {
    /// Nothing, and it will not.
    Nothing,
    /// The transaction has locked this user and no other, and has executed no statement yet.
    Wanted(UserId),
    /// The last statement has read this user and locked the row.
    Read(Box<User>),
}

impl ReadAhead {
    /// At the beginning of a transaction that has these locks.
    pub(crate) fn under(locked: &[Authority]) -> Self {
        let mut users = locked.iter().filter_map(|of| match of {
            Authority::Subject(Subject::User(id)) => Some(*id),
            Authority::Subject(Subject::ServiceAccount(_)) | Authority::Role(_) => None,
        });
        match (users.next(), users.next()) {
            (Some(user), None) => Self::Wanted(user),
            _ => Self::Nothing,
        }
    }
}

/// Reads the state of a session, and locks and reads a user.
pub(crate) async fn session_state_and_user(
    connection: &mut Lent,
    session: Uuid,
    user: UserId,
) -> Result<(Option<SessionState>, Option<User>), StoreError> {
    let query = query_file!("queries/session_state_and_user.sql", session, user.as_uuid());
    let row = query.fetch_one(connection).await.map_err(store_error)?;
    let missing = || broken("a column has no value");
    let state = match row.user_id {
        Some(user_id) => Some(SessionStateRow {
            user_id,
            role: row.role.ok_or_else(missing)?,
            permissions: row.permissions,
            status: row.status.ok_or_else(missing)?,
            generation: row.generation.ok_or_else(missing)?,
            refreshed_at: row.refreshed_at.ok_or_else(missing)?,
            idle_expires_at: row.idle_expires_at.ok_or_else(missing)?,
            expires_at: row.expires_at.ok_or_else(missing)?,
            proven_at: row.proven_at.ok_or_else(missing)?,
            second_factor_at: row.second_factor_at,
            auth_methods: row.auth_methods,
            owes_second_factor: row.owes_second_factor.ok_or_else(missing)?,
            is_ended: row.is_ended.ok_or_else(missing)?,
        }),
        None => None,
    };
    let user = match row.locked_id {
        Some(id) => Some(UserRow {
            id,
            email: row.email.ok_or_else(missing)?,
            email_verified: row.email_verified.ok_or_else(missing)?,
            name: row.name.ok_or_else(missing)?,
            role: row.locked_role.ok_or_else(missing)?,
            status: row.locked_status.ok_or_else(missing)?,
            created_at: row.created_at.ok_or_else(missing)?,
            updated_at: row.updated_at.ok_or_else(missing)?,
            last_sign_in_at: row.last_sign_in_at,
            version: row.version.ok_or_else(missing)?,
            locale: row.locale,
            attributes: row.attributes.ok_or_else(missing)?,
            app_attributes: row.app_attributes.ok_or_else(missing)?,
            delete_after: row.delete_after,
            status_before_deletion: row.status_before_deletion,
        }),
        None => None,
    };
    Ok((state.map(SessionState::try_from).transpose()?, user.map(User::try_from).transpose()?))
}
