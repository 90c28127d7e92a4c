//! The read of a user, which is not cached, and what is read together with another row.

use denizen_domain::id::UserId;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::read_ahead::{ReadAhead, session_state_and_user};
use crate::shared::concurrency::Concurrency;
use crate::shared::users::UserRow;
use crate::sql::fetch_optional;
use crate::tx::PostgresTx;

impl PostgresTx {
    /// A user, who is not cached: the next request on any node must see a change.
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        if let Some(user) = self.user_read_ahead(UserId::from_uuid(id)) {
            return Ok(Some(user));
        }
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        row.map(User::try_from).transpose()
    }

    /// The state of a session, read together with the user whom the transaction has locked, if it has locked one and read nothing
    /// yet.
    pub(crate) async fn session_state_and_locked_user(
        &mut self,
        session: Uuid,
    ) -> Result<Option<Option<SessionState>>, StoreError> {
        let Some(&mut ReadAhead::Wanted(user)) = self.ahead() else { return Ok(None) };
        let (state, found) = session_state_and_user(self.connection().await?, session, user).await?;
        if let (Some(ahead), Some(found)) = (self.ahead(), found) {
            *ahead = ReadAhead::Read(Box::new(found));
        }
        Ok(Some(state))
    }
}
