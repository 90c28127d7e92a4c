//! The read of a user: only one process serves the database, so users are cached as well.

use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::recent::Recent;
use crate::shared::users::UserRow;
use crate::sql::fetch_optional;
use crate::tx::SqliteTx;

impl SqliteTx {
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        let recent = self.memory();
        if let Some(found) = recent.as_ref().and_then(|recent| recent.get(id)) {
            return Ok(Some(found));
        }
        let reading = recent.as_deref().map(Recent::begin);
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        let bytes = row.as_ref().map_or(0, |row| row.attributes.len() + row.app_attributes.len());
        let found = row.map(User::try_from).transpose()?;
        if let (Some(recent), Some(reading), Some(user)) = (recent, reading, &found) {
            recent.remember_sized(id, user, bytes, reading);
        }
        Ok(found)
    }
}
