//! The cases of the store's conformance suite, a file for each part of the port. [`crate::suite!`] lists them.
#![allow(missing_docs, reason = "a case is called after what it shows")]
#![allow(clippy::missing_panics_doc, reason = "to panic is how a case fails")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub mod idempotency;
pub mod lists;
pub mod migrations;
pub mod passwords;
pub mod sessions;
pub mod signing_keys;
pub mod transactions;
pub mod users;

use denizen_domain::id::UserId;
use denizen_domain::store::Store;
use denizen_domain::users::User;

/// Adds users in one transaction.
async fn insert(store: &dyn Store, users: &[User]) {
    let mut tx = store.write().await.unwrap();
    for user in users {
        assert!(tx.insert_user(user).await.unwrap(), "{} is new", user.email);
    }
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, id: UserId) -> Option<User> {
    store.read().await.unwrap().find_user(id).await.unwrap()
}
