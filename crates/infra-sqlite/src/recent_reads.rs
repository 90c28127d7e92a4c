//! The reads on the path of every request: by what was found a moment ago, else by the database.

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::recent::{Recent, Remembered};
use crate::shared::api_keys::ApiKeyStateRow;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;
use crate::sql::fetch_optional;
use crate::tx::SqliteTx;

impl SqliteTx {
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        if let Some(found) = self.remembered(id) {
            return Ok(Some(found));
        }
        let reading = self.memory().map(Recent::begin);
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        let bytes = row.as_ref().map_or(0, |row| row.attributes.len());
        let found = row.map(User::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(user)) = (self.memory(), reading, &found) {
            memory.remember(id, user, bytes, reading);
        }
        Ok(found)
    }

    pub(crate) async fn recent_session_state(&mut self, id: Uuid) -> Result<Option<SessionState>, StoreError> {
        if let Some(found) = self.remembered(id) {
            return Ok(Some(found));
        }
        let reading = self.memory().map(Recent::begin);
        let row = fetch_optional!(self, SessionStateRow, "queries/session_state.sql", id)?;
        let found = row.map(SessionState::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(state)) = (self.memory(), reading, &found) {
            memory.remember(id, state, 0, reading);
        }
        Ok(found)
    }

    pub(crate) async fn recent_api_key_state(&mut self, id: Uuid) -> Result<Option<ApiKeyState>, StoreError> {
        if let Some(found) = self.remembered(id) {
            return Ok(Some(found));
        }
        let reading = self.memory().map(Recent::begin);
        let row = fetch_optional!(self, ApiKeyStateRow, "../store-shared/queries/api_key_state.sql", id)?;
        let found = row.map(ApiKeyState::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(state)) = (self.memory(), reading, &found) {
            memory.remember(id, state, 0, reading);
        }
        Ok(found)
    }

    fn remembered<T: Remembered>(&self, id: Uuid) -> Option<T> {
        self.memory().and_then(|memory| memory.get(id))
    }
}
