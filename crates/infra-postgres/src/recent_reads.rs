//! The read of a user, which is not cached: the next request on any node must see a change.

use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

use crate::shared::users::UserRow;
use crate::sql::fetch_optional;
use crate::tx::PostgresTx;

impl PostgresTx {
    pub(crate) async fn recent_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user.sql", id)?;
        row.map(User::try_from).transpose()
    }
}
