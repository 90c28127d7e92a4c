//! The reads on the path of every request: by what was found a moment ago, else by the database.

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::id::UserId;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::read_ahead::{ReadAhead, session_state_and_user};
use crate::shared::api_keys::ApiKeyStateRow;
use crate::shared::concurrency::Concurrency;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;
use crate::sql::fetch_optional;
use crate::tx::PostgresTx;

impl PostgresTx {
    /// A user, who is not remembered: a change is to be seen by the next request on any node.
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        if let Some(user) = self.user_read_ahead(UserId::from_uuid(id)) {
            return Ok(Some(user));
        }
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        row.map(User::try_from).transpose()
    }

    pub(crate) async fn recent_session_state(&mut self, id: Uuid) -> Result<Option<SessionState>, StoreError> {
        if let Some(&mut ReadAhead::Wanted(user)) = self.ahead() {
            let (state, found) = session_state_and_user(self.connection().await?, id, user).await?;
            if let (Some(ahead), Some(found)) = (self.ahead(), found) {
                *ahead = ReadAhead::Read(Box::new(found));
            }
            return Ok(state);
        }
        let memory = self.memory();
        if let Some(found) = memory.as_ref().and_then(|memory| memory.get(id)) {
            return Ok(Some(found));
        }
        let reading = memory.as_ref().map(|memory| memory.begin());
        let row = fetch_optional!(self, SessionStateRow, "queries/session_state.sql", id)?;
        let state = row.map(SessionState::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(state)) = (memory, reading, &state) {
            memory.remember(id, state, reading);
        }
        Ok(state)
    }

    pub(crate) async fn recent_api_key_state(&mut self, id: Uuid) -> Result<Option<ApiKeyState>, StoreError> {
        let memory = self.memory();
        if let Some(found) = memory.as_ref().and_then(|memory| memory.get(id)) {
            return Ok(Some(found));
        }
        let reading = memory.as_ref().map(|memory| memory.begin());
        let row = fetch_optional!(self, ApiKeyStateRow, "../store-shared/queries/api_key_state.sql", id)?;
        let state = row.map(ApiKeyState::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(state)) = (memory, reading, &state) {
            memory.remember(id, state, reading);
        }
        Ok(state)
    }
}
