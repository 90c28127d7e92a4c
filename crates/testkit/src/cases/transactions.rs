//! Units of work.

use denizen_domain::store::StoreError;
use denizen_domain::users::UserFilter;

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
    assert_eq!(tx.count_users(&UserFilter::default()).await.unwrap(), 1);
    // Nobody else sees it yet.
    assert_eq!(find(&*f.store, user.id).await, None);
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, user.id).await, Some(user));
}

pub async fn a_snapshot_stays_as_it_was(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;

    let mut snapshot = f.store.snapshot().await.unwrap();
    assert_eq!(snapshot.count_users(&UserFilter::default()).await.unwrap(), 1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_user(&build::user(2)).await.unwrap());
    assert!(tx.delete_user(user.id).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(snapshot.count_users(&UserFilter::default()).await.unwrap(), 1);
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
