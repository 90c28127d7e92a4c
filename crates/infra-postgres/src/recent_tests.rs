use denizen_domain::access::{Permissions, Subject};
use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::auth_methods::AuthMethods;
use denizen_domain::id::{ServiceAccountId, UserId};
use denizen_domain::roles::RoleName;
use denizen_domain::sessions::SessionState;
use denizen_domain::time::Timestamp;
use denizen_domain::users::Status;
use uuid::Uuid;

use super::{ENTRIES_MAX, GOOD_FOR, Reading, Recent};
use crate::changes::Changes;
use crate::shared::cached::Cached;

const ID: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);

fn session() -> SessionState {
    SessionState {
        user_id: UserId::from_uuid(OWNER),
        role: RoleName::user(),
        permissions: Permissions::NONE,
        status: Status::Active,
        generation: 0,
        refreshed_at: Timestamp::from_micros(0),
        idle_expires_at: Timestamp::from_micros(1),
        expires_at: Timestamp::from_micros(1),
        proven_at: Timestamp::from_micros(0),
        second_factor_at: None,
        auth_methods: AuthMethods::PASSWORD,
        owes_second_factor: false,
        is_ended: false,
    }
}

fn api_key() -> ApiKeyState {
    ApiKeyState {
        owner: Subject::ServiceAccount(ServiceAccountId::from_uuid(OWNER)),
        role: RoleName::user(),
        permissions: Permissions::NONE,
        status: Status::Active,
        scopes: Permissions::ALL,
        expires_at: None,
        secret_hash: [1; 32],
        previous: None,
    }
}

fn of(id: Uuid) -> Changes {
    Changes::Of(vec![id])
}

/// A change makes stale what shows it, also what is being read meanwhile, and nothing else.
fn check<T: Cached>(found: &T) {
    let recent = Recent::new();
    let is_remembered = || recent.get::<T>(ID).is_some();
    recent.remember(ID, found, recent.begin());
    recent.forget(&of(OTHER));
    assert!(is_remembered());

    for change in [of(ID), of(OWNER), Changes::Of(vec![OTHER, OWNER]), Changes::Everything] {
        let reading = recent.begin();
        recent.remember(ID, found, reading);
        assert!(is_remembered(), "before {change:?}");
        recent.forget(&change);
        assert!(!is_remembered(), "after {change:?}");
        recent.remember(ID, found, reading);
        assert!(!is_remembered(), "read before {change:?}");
        recent.remember(ID, found, recent.begin());
        assert!(is_remembered(), "read after {change:?}");
    }
}

#[test]
fn a_change_makes_stale_what_shows_it() {
    check(&session());
    check(&api_key());
}

#[test]
fn kinds_are_kept_apart() {
    let recent = Recent::new();
    recent.remember(ID, &session(), recent.begin());
    assert_eq!(recent.get(ID), Some(session()));
    assert_eq!(recent.get::<ApiKeyState>(ID), None);
}

#[test]
fn what_is_old_is_read_again() {
    let recent = Recent::new();
    let Reading { changes, at } = recent.begin();
    for (age, is_good) in [(GOOD_FOR / 2, true), (GOOD_FOR, false)] {
        let reading = Reading { changes, at: at.checked_sub(age).unwrap() };
        recent.remember(ID, &session(), reading);
        assert_eq!(recent.get::<SessionState>(ID).is_some(), is_good, "{age:?}");
    }
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let recent = Recent::new();
    for n in 0..2 * ENTRIES_MAX {
        recent.remember(Uuid::from_u128(n as u128), &api_key(), recent.begin());
    }
    assert!(recent.api_keys.len() <= ENTRIES_MAX);
    assert!(recent.api_keys.len() > ENTRIES_MAX / 2);
    let role_bytes = 16;
    let bytes = size_of::<(Uuid, super::Entry<ApiKeyState>)>() + role_bytes;
    assert!(bytes * ENTRIES_MAX <= 8 * 1024 * 1024, "{bytes} bytes each");
}
