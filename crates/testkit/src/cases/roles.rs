//! Roles.

use std::sync::Arc;

use denizen_domain::access::{Permission, Permissions};
use denizen_domain::page::Page;
use denizen_domain::roles::{Description, Role, RoleKey, RoleName};
use denizen_domain::store::Store;
use denizen_domain::users::User;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{check_walks, winners};
use crate::{Fixture, build};

pub async fn the_built_in_roles_are_there(f: Fixture) {
    let mut read = f.store.read().await.unwrap();
    for (name, permissions) in [(RoleName::admin(), Permissions::ALL), (RoleName::user(), Permissions::NONE)] {
        let role = read.find_role(&RoleKey::Name(name)).await.unwrap().unwrap();
        assert_eq!((role.permissions, role.version), (permissions, 1));
        assert_eq!(read.find_role(&RoleKey::Id(role.id)).await.unwrap(), Some(role));
    }
    assert_eq!(read.count_roles().await.unwrap(), 2);
}

pub async fn a_role_comes_back_as_it_was(f: Fixture) {
    let role = Role {
        description: Description::from_stored("Für die Kasse 👩‍🚀 'quoted' \"twice\"".to_owned()),
        permissions: Permissions::ALL,
        updated_at: build::moment(9),
        version: i64::MAX,
        ..build::role(1)
    };
    let bare = Role { description: Description::default(), permissions: Permissions::NONE, ..build::role(2) };
    insert(&*f.store, &[role.clone(), bare.clone()]).await;
    for expected in [role, bare] {
        assert_eq!(find(&*f.store, &expected).await, Some(expected));
    }
    assert_eq!(find(&*f.store, &build::role(3)).await, None);
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_role(&RoleKey::Id(build::role(3).id)).await.unwrap(), None);
    assert_eq!(tx.lock_role(&RoleKey::Name(build::role(3).name)).await.unwrap(), None);
    assert_eq!(tx.share_role(&build::role(3).name).await.unwrap(), None);
}

pub async fn a_name_is_taken_once(f: Fixture) {
    insert(&*f.store, &[build::role(1)]).await;
    // The refusal leaves the transaction whole.
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.insert_role(&Role { name: build::role(1).name, ..build::role(2) }).await.unwrap());
    assert!(!tx.insert_role(&Role { name: RoleName::admin(), ..build::role(2) }).await.unwrap());
    assert!(tx.insert_role(&build::role(3)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &build::role(1)).await, Some(build::role(1)));
    assert_eq!(find(&*f.store, &build::role(2)).await, None);
    assert_eq!(find(&*f.store, &build::role(3)).await, Some(build::role(3)));
}

pub async fn sixty_four_inserts_of_one_name_have_one_winner(f: Fixture) {
    let mut tasks = JoinSet::new();
    for n in 1..=64 {
        let (store, role) = (f.store.clone(), Role { name: build::role(0).name, ..build::role(n) });
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let is_new = tx.insert_role(&role).await.unwrap();
            tx.commit().await.unwrap();
            is_new
        });
    }
    assert_eq!(winners(tasks).await, 1);
    assert_eq!(f.store.read().await.unwrap().count_roles().await.unwrap(), 3);
}

pub async fn an_update_replaces(f: Fixture) {
    insert(&*f.store, &[build::role(1), build::role(2)]).await;
    let after = Role {
        description: Description::from_stored("Renewed".to_owned()),
        permissions: Permissions::of(&[Permission::RolesRead, Permission::UsersWrite]),
        updated_at: build::moment(9),
        version: 2,
        ..build::role(1)
    };
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_role(&RoleKey::Name(after.name.clone())).await.unwrap(), Some(build::role(1)));
    assert_eq!(tx.lock_role(&RoleKey::Id(after.id)).await.unwrap(), Some(build::role(1)));
    tx.update_role(&after).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &after).await, Some(after));
    assert_eq!(find(&*f.store, &build::role(2)).await, Some(build::role(2)));
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.update_role(&build::role(3)).await.is_err(), "there is no such role");
}

pub async fn a_deleted_role_is_gone(f: Fixture) {
    insert(&*f.store, &[build::role(1), build::role(2)]).await;
    let mut tx = f.store.write().await.unwrap();
    tx.delete_role(build::role(1).id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &build::role(1)).await, None);
    assert_eq!(find(&*f.store, &build::role(2)).await, Some(build::role(2)));
    // The name is free again.
    insert(&*f.store, &[Role { name: build::role(1).name, ..build::role(3) }]).await;
}

pub async fn every_walk_finds_the_same_roles(f: Fixture) {
    let roles: Vec<_> = (0..20).map(|n| Role { created_at: build::moment(n / 4), ..build::role(n) }).collect();
    insert(&*f.store, &roles).await;
    let mut read = f.store.read().await.unwrap();
    let mut expected = roles;
    for built_in in [RoleName::admin(), RoleName::user()] {
        expected.push(read.find_role(&RoleKey::Name(built_in)).await.unwrap().unwrap());
    }
    expected.sort_by_key(|role| std::cmp::Reverse((role.created_at, role.id)));
    assert_eq!(read.count_roles().await.unwrap(), expected.len() as u64);
    let list = async |page: Page| f.store.read().await.unwrap().list_roles(page).await.unwrap();
    check_walks(list, Role::position, &expected, "roles").await;
}

pub async fn whoever_has_a_role_is_found(f: Fixture) {
    let (of_user, of_account, of_nobody) = (build::role(1), build::role(2), build::role(3));
    insert(&*f.store, &[of_user.clone(), of_account.clone(), of_nobody.clone()]).await;
    let mut account = build::service_account(1);
    account.role = of_account.name.clone();
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_user(&User { role: of_user.name.clone(), ..build::user(1) }).await.unwrap());
    tx.insert_service_account(&account).await.unwrap();
    for (role, expected) in [(&of_user, true), (&of_account, true), (&of_nobody, false)] {
        assert_eq!(tx.has_role_holders(&role.name).await.unwrap(), expected, "{}", role.name);
    }
    assert!(tx.delete_user(build::user(1).id).await.unwrap());
    assert!(tx.delete_service_account(account.id).await.unwrap());
    for role in [&of_user, &of_account] {
        assert!(!tx.has_role_holders(&role.name).await.unwrap(), "{}", role.name);
    }
}

pub async fn a_locked_role_is_changed_by_one_at_a_time(f: Fixture) {
    insert(&*f.store, &[build::role(1)]).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = f.store.clone();
        let key = if n % 2 == 0 { RoleKey::Id(build::role(1).id) } else { RoleKey::Name(build::role(1).name) };
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let role = tx.lock_role(&key).await.unwrap().unwrap();
            tx.update_role(&Role { version: role.version + 1, ..role }).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(find(&*f.store, &build::role(1)).await.unwrap().version, 21, "no change was lost");
}

pub async fn many_share_a_role(f: Fixture) {
    insert(&*f.store, &[build::role(1)]).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        tasks.spawn(try_give(f.store.clone(), build::role(1), n));
    }
    assert_eq!(winners(tasks).await, 20);
}

pub async fn a_shared_role_is_not_deleted_meanwhile(f: Fixture) {
    let role = build::role(1);
    insert(&*f.store, std::slice::from_ref(&role)).await;
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.share_role(&role.name).await.unwrap().as_ref(), Some(&role));

    let (starting, started) = oneshot::channel();
    let (store, to_delete) = (f.store.clone(), role.clone());
    let deleting = tokio::spawn(async move {
        starting.send(()).unwrap();
        try_delete(store, to_delete).await
    });
    started.await.unwrap();
    assert!(tx.insert_user(&User { role: role.name.clone(), ..build::user(1) }).await.unwrap());
    tx.commit().await.unwrap();

    assert!(!deleting.await.unwrap(), "the new holder is seen");
    assert_eq!(find(&*f.store, &role).await, Some(role));
}

pub async fn a_role_is_given_or_deleted(f: Fixture) {
    for round in 0..16 {
        let role = build::role(round);
        insert(&*f.store, std::slice::from_ref(&role)).await;
        let giving = tokio::spawn(try_give(f.store.clone(), role.clone(), round));
        let deleting = tokio::spawn(try_delete(f.store.clone(), role.clone()));
        let outcomes = (giving.await.unwrap(), deleting.await.unwrap());
        assert!(matches!(outcomes, (true, false) | (false, true)), "round {round}: {outcomes:?}");
        assert_eq!(find(&*f.store, &role).await.is_some(), outcomes.0, "round {round}");
    }
}

/// What a use case does that gives somebody a role.
async fn try_give(store: Arc<dyn Store>, role: Role, n: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    if tx.share_role(&role.name).await.unwrap().is_none() {
        return false;
    }
    assert!(tx.insert_user(&User { role: role.name, ..build::user(n) }).await.unwrap());
    tx.commit().await.unwrap();
    true
}

/// What `roles::delete` does.
async fn try_delete(store: Arc<dyn Store>, role: Role) -> bool {
    let mut tx = store.write().await.unwrap();
    tx.lock_role(&RoleKey::Id(role.id)).await.unwrap().unwrap();
    if tx.has_role_holders(&role.name).await.unwrap() {
        return false;
    }
    tx.delete_role(role.id).await.unwrap();
    tx.commit().await.unwrap();
    true
}

async fn insert(store: &dyn Store, roles: &[Role]) {
    let mut tx = store.write().await.unwrap();
    for role in roles {
        assert!(tx.insert_role(role).await.unwrap(), "{} is new", role.name);
    }
    tx.commit().await.unwrap();
}

/// Finds a role by its id, and the same by its name.
async fn find(store: &dyn Store, role: &Role) -> Option<Role> {
    let mut read = store.read().await.unwrap();
    let found = read.find_role(&RoleKey::Id(role.id)).await.unwrap();
    if let Some(found) = &found {
        assert_eq!(read.find_role(&RoleKey::Name(found.name.clone())).await.unwrap().as_ref(), Some(found));
    }
    found
}
