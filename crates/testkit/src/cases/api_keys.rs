//! API keys.

use denizen_domain::access::{Permission, Permissions, Subject};
use denizen_domain::api_keys::store::KeyRotation;
use denizen_domain::api_keys::{ApiKey, ApiKeyState, KeyFilter};
use denizen_domain::id::ApiKeyId;
use denizen_domain::page::{Count, Page};
use denizen_domain::roles::{Role, RoleName};
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::store::Store;
use denizen_domain::users::{DisplayName, Status, User};
use tokio::task::JoinSet;

use super::{check_walks, winners};
use crate::{Fixture, build};

/// The digest of the secret that every key of these cases begins with.
const HASH: [u8; 32] = [0xF0; 32];

pub async fn a_key_comes_back_as_it_was(f: Fixture) {
    let (user, account) = owners(&*f.store).await;
    let key = ApiKey {
        name: DisplayName::from_stored("Ünal 王小明 'quoted'".to_owned()),
        scopes: Permissions::ALL,
        expires_at: Some(build::moment(1_000)),
        rotated_at: Some(build::moment(8)),
        last_used_at: Some(build::moment(9)),
        version: i64::MAX,
        ..build::api_key(user, 1)
    };
    let bare = ApiKey { scopes: Permissions::NONE, ..build::api_key(account, 2) };
    insert(&*f.store, &[key.clone(), bare.clone()]).await;
    for expected in [key, bare] {
        assert_eq!(find(&*f.store, expected.id).await, Some(expected));
    }
    assert_eq!(find(&*f.store, build::api_key(user, 3).id).await, None);
    assert_eq!(state(&*f.store, build::api_key(user, 3).id).await, None);
}

pub async fn a_key_needs_its_owner(f: Fixture) {
    for owner in [Subject::User(build::user(1).id), Subject::ServiceAccount(build::service_account(1).id)] {
        let mut tx = f.store.write().await.unwrap();
        assert!(tx.insert_api_key(&build::api_key(owner, 1), &HASH).await.is_err(), "{owner:?}");
    }
}

pub async fn the_state_follows_the_user(f: Fixture) {
    let (owner, _) = owners(&*f.store).await;
    let key = ApiKey { expires_at: Some(build::moment(99)), ..build::api_key(owner, 1) };
    insert(&*f.store, std::slice::from_ref(&key)).await;
    let fresh = ApiKeyState {
        owner,
        role: RoleName::user(),
        permissions: Permissions::NONE,
        status: Status::Active,
        scopes: key.scopes,
        expires_at: key.expires_at,
        secret_hash: HASH,
        previous: None,
    };
    assert_eq!(state(&*f.store, key.id).await, Some(fresh.clone()));

    let change = async |user: User| {
        let mut tx = f.store.write().await.unwrap();
        assert!(tx.update_user(&user).await.unwrap());
        tx.commit().await.unwrap();
    };
    change(User { status: Status::Disabled, ..build::admin(1) }).await;
    let expected = ApiKeyState {
        role: RoleName::admin(),
        permissions: Permissions::ALL,
        status: Status::Disabled,
        ..fresh.clone()
    };
    assert_eq!(state(&*f.store, key.id).await, Some(expected));

    // A role that is nowhere allows nothing.
    let role = build::role(1);
    change(User { role: role.name.clone(), ..build::user(1) }).await;
    let expected = ApiKeyState { role: role.name.clone(), ..fresh.clone() };
    assert_eq!(state(&*f.store, key.id).await, Some(expected.clone()));
    check_role_followed(&*f.store, key.id, role, expected).await;
}

pub async fn the_state_follows_the_service_account(f: Fixture) {
    let (_, owner) = owners(&*f.store).await;
    let key = build::api_key(owner, 1);
    insert(&*f.store, std::slice::from_ref(&key)).await;
    let fresh = ApiKeyState {
        owner,
        role: RoleName::user(),
        permissions: Permissions::NONE,
        status: Status::Active,
        scopes: key.scopes,
        expires_at: None,
        secret_hash: HASH,
        previous: None,
    };
    assert_eq!(state(&*f.store, key.id).await, Some(fresh.clone()));

    let role = build::role(1);
    let mut tx = f.store.write().await.unwrap();
    let changed = ServiceAccount { role: role.name.clone(), status: Status::Disabled, ..build::service_account(1) };
    tx.update_service_account(&changed).await.unwrap();
    tx.commit().await.unwrap();
    let expected = ApiKeyState { role: role.name.clone(), status: Status::Disabled, ..fresh };
    assert_eq!(state(&*f.store, key.id).await, Some(expected.clone()));
    check_role_followed(&*f.store, key.id, role, expected).await;
}

pub async fn a_secret_is_replaced_once(f: Fixture) {
    let (owner, _) = owners(&*f.store).await;
    let key = build::api_key(owner, 1);
    insert(&*f.store, std::slice::from_ref(&key)).await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let (store, rotation) = (f.store.clone(), rotation(key.id, 1, n));
        tasks.spawn(async move { rotate(&*store, &rotation).await });
    }
    assert_eq!(winners(tasks).await, 1);
    let state = state(&*f.store, key.id).await.unwrap();
    let winner = rotation(key.id, 1, state.secret_hash[0]);
    assert_eq!(state.secret_hash, winner.secret_hash);
    assert_eq!(state.previous, Some((HASH, winner.previous_until)));
    let expected = ApiKey { rotated_at: Some(winner.at), version: 2, ..key };
    assert_eq!(find(&*f.store, expected.id).await, Some(expected));
}

pub async fn the_secret_before_is_kept(f: Fixture) {
    let (owner, _) = owners(&*f.store).await;
    let [key, other] = [build::api_key(owner, 1), build::api_key(owner, 2)];
    insert(&*f.store, &[key.clone(), other.clone()]).await;
    assert!(!rotate(&*f.store, &rotation(key.id, 2, 1)).await, "it has another version");
    assert!(!rotate(&*f.store, &rotation(build::api_key(owner, 3).id, 1, 1)).await, "there is no such key");
    assert!(rotate(&*f.store, &rotation(key.id, 1, 1)).await);
    assert!(rotate(&*f.store, &rotation(key.id, 2, 2)).await);
    let (first, second) = (rotation(key.id, 1, 1), rotation(key.id, 2, 2));
    let rotated = state(&*f.store, key.id).await.unwrap();
    assert_eq!(rotated.secret_hash, second.secret_hash);
    assert_eq!(rotated.previous, Some((first.secret_hash, second.previous_until)), "of one before, not of two");
    let untouched = state(&*f.store, other.id).await.unwrap();
    assert_eq!((untouched.secret_hash, untouched.previous), (HASH, None));
}

pub async fn a_deleted_user_takes_its_keys_along(f: Fixture) {
    let (user, account) = owners(&*f.store).await;
    let [key, others] = [build::api_key(user, 1), build::api_key(account, 2)];
    insert(&*f.store, &[key.clone(), others.clone()]).await;
    assert!(state(&*f.store, key.id).await.is_some());
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(build::user(1).id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, key.id).await, None);
    assert_eq!(state(&*f.store, key.id).await, None);
    assert_eq!(find(&*f.store, others.id).await, Some(others));
}

pub async fn a_key_is_removed_once(f: Fixture) {
    let (user, _) = owners(&*f.store).await;
    let [key, other] = [build::api_key(user, 1), build::api_key(user, 2)];
    insert(&*f.store, &[key.clone(), other.clone()]).await;
    assert!(state(&*f.store, key.id).await.is_some());
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_api_key(key.id).await.unwrap());
    assert!(!tx.delete_api_key(key.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(state(&*f.store, key.id).await, None);
    assert_eq!(find(&*f.store, other.id).await, Some(other));
}

pub async fn a_users_keys_go_together(f: Fixture) {
    let (user, account) = owners(&*f.store).await;
    let [one, two, others] = [build::api_key(user, 1), build::api_key(user, 2), build::api_key(account, 3)];
    insert(&*f.store, &[one.clone(), two.clone(), others.clone()]).await;
    assert!(state(&*f.store, one.id).await.is_some());
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.delete_user_api_keys(build::user(1).id).await.unwrap().len(), 2);
    assert_eq!(tx.delete_user_api_keys(build::user(1).id).await.unwrap().len(), 0);
    tx.commit().await.unwrap();
    assert_eq!((state(&*f.store, one.id).await, state(&*f.store, two.id).await), (None, None));
    assert_eq!(find(&*f.store, others.id).await, Some(others));
}

pub async fn every_walk_finds_the_same_keys(f: Fixture) {
    let (user, account) = owners(&*f.store).await;
    let mut keys: Vec<_> = (0..30)
        .map(|n| {
            let owner = if n % 3 == 0 { account } else { user };
            ApiKey { created_at: build::moment(n / 4), ..build::api_key(owner, n) }
        })
        .collect();
    insert(&*f.store, &keys).await;
    keys.sort_by_key(|key| std::cmp::Reverse((key.created_at, key.id)));
    let nobody = Subject::User(build::user(9).id);
    let owners = [user, account, nobody].map(KeyFilter::Owner);
    for filter in [KeyFilter::All].into_iter().chain(owners) {
        let passes = |key: &&ApiKey| filter == KeyFilter::All || filter == KeyFilter::Owner(key.owner);
        let expected: Vec<_> = keys.iter().filter(passes).cloned().collect();
        for max in [0, 1, expected.len() as u64, u64::MAX] {
            let count = f.store.read().await.unwrap().count_api_keys(filter, max).await.unwrap();
            assert_eq!(count, Count::up_to(max, expected.len() as u64), "{max}, {filter:?}");
        }
        let list = async |page: Page| f.store.read().await.unwrap().list_api_keys(filter, page).await.unwrap();
        check_walks(list, ApiKey::position, &expected, &format!("{filter:?}")).await;
    }
}

pub async fn a_use_moves_only_forward(f: Fixture) {
    let (owner, _) = owners(&*f.store).await;
    let [key, other] = [build::api_key(owner, 1), build::api_key(owner, 2)];
    insert(&*f.store, &[key.clone(), other.clone()]).await;
    let unknown = (0..1_200).map(|n| (build::api_key(owner, n + 100).id, build::moment(n)));
    // A key may be used in two ways between two notes: the later counts.
    let known = [(key.id, 30), (key.id, 50), (key.id, 40)].map(|(id, second)| (id, build::moment(second)));
    for noted in [unknown.chain(known).collect(), vec![(key.id, build::moment(49))], vec![]] {
        let mut tx = f.store.write().await.unwrap();
        tx.touch_api_keys(&noted).await.unwrap();
        tx.commit().await.unwrap();
    }
    let expected = ApiKey { last_used_at: Some(build::moment(50)), ..key };
    assert_eq!(find(&*f.store, expected.id).await, Some(expected));
    assert_eq!(find(&*f.store, other.id).await, Some(other));
}

/// A role comes to be, changes and goes: the state of a key whose owner has it follows.
async fn check_role_followed(store: &dyn Store, id: ApiKeyId, role: Role, expected: ApiKeyState) {
    let mut tx = store.write().await.unwrap();
    assert!(tx.insert_role(&role).await.unwrap());
    tx.commit().await.unwrap();
    let allowed = ApiKeyState { permissions: role.permissions, ..expected.clone() };
    assert_eq!(state(store, id).await, Some(allowed));

    let permissions = Permissions::of(&[Permission::SessionsRead, Permission::UsersWrite]);
    let mut tx = store.write().await.unwrap();
    tx.update_role(&Role { permissions, ..role.clone() }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state(store, id).await, Some(ApiKeyState { permissions, ..expected.clone() }));

    let mut tx = store.write().await.unwrap();
    tx.delete_role(role.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state(store, id).await, Some(expected));
}

/// The `n`th try to replace the secret.
fn rotation(id: ApiKeyId, from_version: i64, n: u8) -> KeyRotation {
    let (previous_until, at) = (build::moment(1_000 + u32::from(n)), build::moment(n.into()));
    KeyRotation { id, from_version, secret_hash: [n; 32], previous_until, at }
}

async fn rotate(store: &dyn Store, rotation: &KeyRotation) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_rotated = tx.rotate_api_key(rotation).await.unwrap();
    tx.commit().await.unwrap();
    is_rotated
}

/// A user and a service account.
async fn owners(store: &dyn Store) -> (Subject, Subject) {
    let (user, account) = (build::user(1), build::service_account(1));
    let mut tx = store.write().await.unwrap();
    assert!(tx.insert_user(&user).await.unwrap());
    tx.insert_service_account(&account).await.unwrap();
    tx.commit().await.unwrap();
    (Subject::User(user.id), Subject::ServiceAccount(account.id))
}

async fn insert(store: &dyn Store, keys: &[ApiKey]) {
    let mut tx = store.write().await.unwrap();
    for key in keys {
        tx.insert_api_key(key, &HASH).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, id: ApiKeyId) -> Option<ApiKey> {
    store.read().await.unwrap().find_api_key(id).await.unwrap()
}

async fn state(store: &dyn Store, id: ApiKeyId) -> Option<ApiKeyState> {
    let in_place = store.read().await.unwrap().api_key_state(id).await.unwrap();
    let in_snapshot = store.snapshot().await.unwrap().api_key_state(id).await.unwrap();
    assert_eq!(in_place, in_snapshot);
    in_place
}
