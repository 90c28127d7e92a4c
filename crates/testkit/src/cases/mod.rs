//! The cases of the store's conformance suite, a file for each part of the port. [`crate::suite!`] lists them.
#![allow(missing_docs, reason = "a case is called after what it shows")]
#![allow(clippy::missing_panics_doc, reason = "to panic is how a case fails")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub mod api_keys;
pub mod budgets;
pub mod challenges;
pub mod clock_set_back;
pub mod events;
pub mod factors;
pub mod idempotency;
pub mod identities;
pub mod lists;
pub mod mail;
pub mod migrations;
pub mod one_time;
pub mod openings;
pub mod passkeys;
pub mod passwords;
pub mod roles;
pub mod root_keys;
pub mod rotations;
pub mod service_accounts;
pub mod sessions;
pub mod setup;
pub mod signing_keys;
pub mod transactions;
pub mod transfer;
pub mod users;
pub mod webhooks;

use std::fmt::Debug;

use denizen_domain::id::UserId;
use denizen_domain::page::{PAGE_MAX, Page, Position, Start};
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

/// Walks a list in steps of several sizes, by offset and by cursor, and finds what is expected each time.
async fn check_walks<T: Debug + PartialEq>(
    list: impl AsyncFn(Page) -> Vec<T>,
    position: impl Fn(&T) -> Position,
    expected: &[T],
    what: &str,
) {
    for limit in [1, 7, PAGE_MAX] {
        let by_offset = |found: &[T]| Start::Offset(u32::try_from(found.len()).unwrap());
        assert_eq!(walk(&list, by_offset, limit).await, expected, "by offset, {limit}, {what}");
        let by_cursor = |found: &[T]| found.last().map_or(Start::Offset(0), |last| Start::After(position(last)));
        assert_eq!(walk(&list, by_cursor, limit).await, expected, "by cursor, {limit}, {what}");
    }
}

async fn walk<T>(list: impl AsyncFn(Page) -> Vec<T>, next: impl Fn(&[T]) -> Start, limit: u32) -> Vec<T> {
    let mut found = Vec::new();
    loop {
        let page = list(Page { limit, start: next(&found) }).await;
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

/// How many of the tasks say that they won.
async fn winners(tasks: tokio::task::JoinSet<bool>) -> usize {
    tasks.join_all().await.into_iter().filter(|&has_won| has_won).count()
}
