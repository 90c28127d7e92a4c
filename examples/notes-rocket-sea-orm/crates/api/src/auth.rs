//! The caller of a request.

use std::time::Duration;

use denizen_client::{Policy, Requirement, User};
use domain::OwnerId;

/// The maximum age of the authentication for what cannot be undone.
const RECENT: Duration = Duration::from_mins(5);

/// The policy for deleting all notes: a user who authenticated in the last five minutes.
pub(crate) struct DeleteAll;

impl Requirement for DeleteAll {
    fn policy() -> Policy {
        Policy::user().max_age(RECENT)
    }
}

/// Whose notes a user can access.
pub(crate) fn owner(user: &User) -> OwnerId {
    OwnerId(user.id())
}
