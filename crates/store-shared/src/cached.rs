//! The kinds of values that both stores cache.

use denizen_domain::access::Subject;
use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use uuid::Uuid;

use crate::recent::{Entries, Recent};

/// A kind of value that is cached.
pub(crate) trait Cached: Clone {
    /// Where it is.
    fn entries(recent: &Recent) -> &Entries<Self>;

    /// The account that it shows besides.
    fn owner(&self) -> Uuid;
}

impl Cached for SessionState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.sessions
    }

    fn owner(&self) -> Uuid {
        self.user_id.as_uuid()
    }
}

impl Cached for ApiKeyState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.api_keys
    }

    fn owner(&self) -> Uuid {
        match self.owner {
            Subject::User(id) => id.as_uuid(),
            Subject::ServiceAccount(id) => id.as_uuid(),
        }
    }
}
