//! The reads on the path of every request: by what was found a moment ago, else in place, else through the pool.

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::in_place::InPlaceRow;
use crate::recent::{Recent, Remembered};
use crate::shared::api_keys::ApiKeyStateRow;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;
use crate::sql::{Key, fetch_optional};
use crate::tx::SqliteTx;

const FIND_USER: &str = include_str!("../../store-shared/queries/find_user.sql");
const SESSION_STATE: &str = include_str!("../queries/session_state.sql");
const API_KEY_STATE: &str = include_str!("../../store-shared/queries/api_key_state.sql");

/// A read that was answered without the pool.
struct Answered<T>(Option<T>);

impl SqliteTx {
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        if let Some(Answered(found)) = self.recent::<UserRow, User>(FIND_USER, id, |row| row.attributes.len())? {
            return Ok(found);
        }
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        row.map(User::try_from).transpose()
    }

    pub(crate) async fn recent_session_state(&mut self, id: Uuid) -> Result<Option<SessionState>, StoreError> {
        if let Some(Answered(found)) = self.recent::<SessionStateRow, SessionState>(SESSION_STATE, id, |_| 0)? {
            return Ok(found);
        }
        let row = fetch_optional!(self, SessionStateRow, "queries/session_state.sql", id)?;
        row.map(SessionState::try_from).transpose()
    }

    pub(crate) async fn recent_api_key_state(&mut self, id: Uuid) -> Result<Option<ApiKeyState>, StoreError> {
        if let Some(Answered(found)) = self.recent::<ApiKeyStateRow, ApiKeyState>(API_KEY_STATE, id, |_| 0)? {
            return Ok(found);
        }
        let row = fetch_optional!(self, ApiKeyStateRow, "../store-shared/queries/api_key_state.sql", id)?;
        row.map(ApiKeyState::try_from).transpose()
    }

    /// Looks under an id without a hop to another thread, if that is possible; `bytes` is the size of what varies in a row.
    fn recent<R, T>(
        &self,
        sql: &'static str,
        id: Uuid,
        bytes: fn(&R) -> usize,
    ) -> Result<Option<Answered<T>>, StoreError>
    where
        R: InPlaceRow,
        T: Remembered + TryFrom<R, Error = StoreError>,
    {
        let memory = self.memory();
        if let Some(found) = memory.and_then(|memory| memory.get(id)) {
            return Ok(Some(Answered(Some(found))));
        }
        let reading = memory.map(Recent::begin);
        let Ok(row) = self.find_in_place(sql, &id.to_bind(), R::read_in_place) else { return Ok(None) };
        let bytes = row.as_ref().map_or(0, bytes);
        let found = row.map(T::try_from).transpose()?;
        if let (Some(memory), Some(reading), Some(found)) = (memory, reading, &found) {
            memory.remember(id, found, bytes, reading);
        }
        Ok(Some(Answered(found)))
    }
}
