//! Service accounts.

use denizen_domain::access::Subject;
use denizen_domain::page::{Count, Page};
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::store::Store;
use denizen_domain::users::{DisplayName, Status};
use tokio::task::JoinSet;

use super::check_walks;
use crate::{Fixture, build};

pub async fn a_service_account_comes_back_as_it_was(f: Fixture) {
    let account = ServiceAccount {
        name: DisplayName::from_stored("Ünal 王小明 'quoted'".to_owned()),
        description: Description::default(),
        role: RoleName::admin(),
        status: Status::Disabled,
        updated_at: build::moment(9),
        version: i64::MAX,
        ..build::service_account(1)
    };
    // Names need not be unique.
    let namesake = ServiceAccount { name: account.name.clone(), ..build::service_account(2) };
    insert(&*f.store, &[account.clone(), namesake.clone()]).await;
    for expected in [account, namesake] {
        assert_eq!(find(&*f.store, &expected).await, Some(expected));
    }

    let absent = build::service_account(3);
    assert_eq!(find(&*f.store, &absent).await, None);
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_service_account(absent.id).await.unwrap(), None);
    assert!(!tx.delete_service_account(absent.id).await.unwrap());
}

pub async fn an_update_replaces(f: Fixture) {
    let before = build::service_account(1);
    insert(&*f.store, &[before.clone(), build::service_account(2)]).await;
    let after = ServiceAccount {
        name: DisplayName::from_stored("Renamed".to_owned()),
        description: Description::from_stored("Renewed".to_owned()),
        role: RoleName::admin(),
        status: Status::Disabled,
        updated_at: build::moment(9),
        version: 2,
        ..before.clone()
    };
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_service_account(before.id).await.unwrap(), Some(before));
    tx.update_service_account(&after).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &after).await, Some(after));
    assert_eq!(find(&*f.store, &build::service_account(2)).await, Some(build::service_account(2)));
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.update_service_account(&build::service_account(3)).await.is_err(), "there is no such account");
}

pub async fn a_locked_service_account_is_changed_by_one_at_a_time(f: Fixture) {
    let account = build::service_account(1);
    insert(&*f.store, std::slice::from_ref(&account)).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (f.store.clone(), account.id);
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let account = tx.lock_service_account(id).await.unwrap().unwrap();
            tx.update_service_account(&ServiceAccount { version: account.version + 1, ..account }).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(find(&*f.store, &account).await.unwrap().version, 21, "no change was lost");
}

pub async fn a_delete_takes_its_keys_along(f: Fixture) {
    let (account, other) = (build::service_account(1), build::service_account(2));
    insert(&*f.store, &[account.clone(), other.clone()]).await;
    let key = build::api_key(Subject::ServiceAccount(account.id), 1);
    let others = build::api_key(Subject::ServiceAccount(other.id), 2);
    let mut tx = f.store.write().await.unwrap();
    tx.insert_api_key(&key, &[1; 32]).await.unwrap();
    tx.insert_api_key(&others, &[2; 32]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(f.store.read().await.unwrap().api_key_state(key.id).await.unwrap().is_some());

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_service_account(account.id).await.unwrap());
    assert!(!tx.delete_service_account(account.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &account).await, None);
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.find_api_key(key.id).await.unwrap(), None);
    assert_eq!(read.api_key_state(key.id).await.unwrap(), None);
    assert_eq!(read.find_api_key(others.id).await.unwrap(), Some(others));
}

pub async fn every_walk_finds_the_same_service_accounts(f: Fixture) {
    let count = async |max| f.store.read().await.unwrap().count_service_accounts(max).await.unwrap();
    assert_eq!(count(10).await, Count::Exactly(0));
    let mut accounts: Vec<_> =
        (0..20).map(|n| ServiceAccount { created_at: build::moment(n / 4), ..build::service_account(n) }).collect();
    insert(&*f.store, &accounts).await;
    accounts.sort_by_key(|account| std::cmp::Reverse((account.created_at, account.id)));
    assert_eq!(count(20).await, Count::Exactly(20));
    assert_eq!(count(19).await, Count::AtLeast(19));
    let list = async |page: Page| f.store.read().await.unwrap().list_service_accounts(page).await.unwrap();
    check_walks(list, ServiceAccount::position, &accounts, "service accounts").await;
}

async fn insert(store: &dyn Store, accounts: &[ServiceAccount]) {
    let mut tx = store.write().await.unwrap();
    for account in accounts {
        tx.insert_service_account(account).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, account: &ServiceAccount) -> Option<ServiceAccount> {
    store.read().await.unwrap().find_service_account(account.id).await.unwrap()
}
