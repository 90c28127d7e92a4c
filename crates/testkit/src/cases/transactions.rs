//! Units of work.

use std::sync::Arc;

use denizen_domain::authority::{Authority, AuthorityLock, LockMode};
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::users::{User, UserFilter};

use super::{find, insert};
use crate::{Fixture, build};

pub async fn nothing_is_kept_without_commit(f: Fixture) {
    let kept = build::user(1);
    insert(&*f.store, std::slice::from_ref(&kept)).await;

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_user(&build::user(2)).await.unwrap());
    assert!(tx.delete_user(kept.id).await.unwrap());
    drop(tx);

    assert_eq!(find(&*f.store, kept.id).await, Some(kept));
    assert_eq!(find(&*f.store, build::user(2).id).await, None);
    // And the next write is not hindered by it.
    insert(&*f.store, &[build::user(2)]).await;
}

pub async fn a_write_reads_what_it_wrote(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_user(&user).await.unwrap());
    tx.insert_session(&session).await.unwrap();
    assert_eq!(tx.find_user(user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(tx.find_user_by_email(&user.email).await.unwrap().as_ref(), Some(&user));
    assert!(tx.session_state(session.id).await.unwrap().is_some());
    assert_eq!(tx.count_users(&UserFilter::default(), u64::MAX).await.unwrap().value(), 1);
    // Nobody else sees it yet.
    assert_eq!(find(&*f.store, user.id).await, None);
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, user.id).await, Some(user));
}

pub async fn a_snapshot_stays_as_it_was(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;

    let mut snapshot = f.store.snapshot().await.unwrap();
    assert_eq!(snapshot.count_users(&UserFilter::default(), u64::MAX).await.unwrap().value(), 1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_user(&build::user(2)).await.unwrap());
    assert!(tx.delete_user(user.id).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(snapshot.count_users(&UserFilter::default(), u64::MAX).await.unwrap().value(), 1);
    assert_eq!(snapshot.find_user(user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(snapshot.find_user(build::user(2).id).await.unwrap(), None);
    drop(snapshot);
    assert_eq!(find(&*f.store, user.id).await, None);
}

pub async fn a_closed_store_is_unavailable(f: Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    f.store.close().await;
    assert!(matches!(f.store.ping().await, Err(StoreError::Unavailable(_))));
    let mut read = f.store.read().await.unwrap();
    assert!(matches!(read.find_user(build::user(1).id).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(f.store.write().await, Err(StoreError::Unavailable(_))));
}

pub async fn a_beginning_that_is_cut_off_leaves_nothing(f: Fixture) {
    for n in 0..150_u32 {
        // Whoever asks leaves at some moment of it, as clients do.
        let patience = std::time::Duration::from_micros(u64::from(n % 50) * 20);
        drop(tokio::time::timeout(patience, f.store.snapshot()).await);
        drop(tokio::time::timeout(patience, f.store.write()).await);
        let user = build::user(n);
        insert(&*f.store, std::slice::from_ref(&user)).await;
        let mut seen = f.store.snapshot().await.unwrap();
        assert_eq!(seen.find_user(user.id).await.unwrap(), Some(user), "a snapshot of its own");
    }
}

/// One more change of the user, whose row is read without a lock.
async fn rename_under(f: &Fixture, locks: &[AuthorityLock], n: u32) {
    let mut tx = f.store.write_under(locks).await.unwrap();
    let user = tx.find_user(build::user(n).id).await.unwrap().unwrap();
    let user = User { version: user.version + 1, ..user };
    assert!(tx.update_user(&user).await.unwrap());
    tx.commit().await.unwrap();
}

pub async fn changes_under_an_exclusive_lock_follow_each_other(f: Fixture) {
    let before = build::user(1);
    insert(&*f.store, std::slice::from_ref(&before)).await;
    let f = Arc::new(f);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let f = Arc::clone(&f);
        tasks.spawn(async move { rename_under(&f, &AuthorityLock::on(&[build::user(1).id.into()]), 1).await });
    }
    tasks.join_all().await;
    assert_eq!(find(&*f.store, before.id).await.unwrap().version, before.version + 32, "none was lost");
}

pub async fn a_change_waits_for_those_who_share_its_lock(f: Fixture) {
    let before = build::user(1);
    insert(&*f.store, std::slice::from_ref(&before)).await;
    let f = Arc::new(f);
    for round in 0..8 {
        let shared = AuthorityLock { of: before.id.into(), mode: LockMode::Shared };
        let mut tx = f.store.write_under(&[shared]).await.unwrap();
        let change = {
            let f = Arc::clone(&f);
            tokio::spawn(async move { rename_under(&f, &AuthorityLock::on(&[build::user(1).id.into()]), 1).await })
        };
        // Whenever it begins, the other one comes after this.
        let user = tx.find_user(before.id).await.unwrap().unwrap();
        assert_eq!(user.version, before.version + 2 * round);
        assert!(tx.update_user(&User { version: user.version + 1, ..user }).await.unwrap());
        tx.commit().await.unwrap();
        change.await.unwrap();
        assert_eq!(find(&*f.store, before.id).await.unwrap().version, before.version + 2 * (round + 1));
    }
}

pub async fn crossed_locks_wait_and_never_in_a_circle(f: Fixture) {
    insert(&*f.store, &[build::user(1), build::user(2)]).await;
    let f = Arc::new(f);
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..48 {
        let f = Arc::clone(&f);
        tasks.spawn(async move {
            let (own, other) = if at % 2 == 0 { (1, 2) } else { (2, 1) };
            let shared = |of: Authority| AuthorityLock { of, mode: LockMode::Shared };
            let locks = [
                shared(build::user(own).id.into()),
                shared(RoleName::admin().into()),
                AuthorityLock { of: build::user(other).id.into(), mode: LockMode::Exclusive },
            ];
            rename_under(&f, &locks, other).await;
        });
    }
    tasks.join_all().await;
    for n in [1, 2] {
        let user = build::user(n);
        assert_eq!(find(&*f.store, user.id).await.unwrap().version, user.version + 24);
    }
}
