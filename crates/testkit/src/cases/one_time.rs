//! One-time tokens.

use denizen_domain::id::{OneTimeTokenId, SessionId};
use denizen_domain::one_time::{OneTimeToken, Purpose};
use denizen_domain::store::Store;
use denizen_domain::users::{EmailAddress, User};
use tokio::task::JoinSet;

use super::{insert, winners};
use crate::{Fixture, build};

/// Until when the tokens of these cases are good, in seconds.
const GOOD_S: u32 = 100;

pub async fn a_token_is_taken_once_and_for_its_purpose(f: Fixture) {
    let token = kept(&f, Purpose::PasswordReset, 1).await;
    for purpose in Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::PasswordReset) {
        assert_eq!(take(&*f.store, token.id, *purpose, 0).await, None, "{purpose:?}");
    }
    assert_eq!(find(&*f.store, &token, GOOD_S - 1).await.as_ref(), Some(&token), "to look takes nothing");
    assert_eq!(take(&*f.store, token.id, token.purpose, GOOD_S - 1).await.as_ref(), Some(&token));
    assert_eq!(take(&*f.store, token.id, token.purpose, 0).await, None);
    assert_eq!(find(&*f.store, &token, 0).await, None);
}

pub async fn a_token_ends_to_the_microsecond(f: Fixture) {
    let token = kept(&f, Purpose::Invitation, 1).await;
    assert_eq!(take(&*f.store, token.id, token.purpose, GOOD_S).await, None);
    assert_eq!(find(&*f.store, &token, GOOD_S).await, None);
    for (purpose, at, expected) in [
        (Purpose::Invitation, GOOD_S, false),
        (Purpose::Invitation, GOOD_S - 1, true),
        (Purpose::EmailVerification, GOOD_S - 1, false),
    ] {
        let mut read = f.store.read().await.unwrap();
        assert_eq!(read.has_one_time_token(token.user_id, purpose, build::moment(at)).await.unwrap(), expected);
    }
    assert_eq!(take(&*f.store, token.id, token.purpose, GOOD_S - 1).await, Some(token));
}

pub async fn a_new_token_takes_the_place_of_the_one_before(f: Fixture) {
    let first = kept(&f, Purpose::PasswordReset, 1).await;
    let other = keep(&f, &user(), Purpose::EmailVerification, 2).await;
    let second = keep(&f, &user(), Purpose::PasswordReset, 3).await;
    assert_eq!(take(&*f.store, first.id, first.purpose, 0).await, None);
    assert_eq!(take(&*f.store, second.id, second.purpose, 0).await, Some(second));
    assert_eq!(take(&*f.store, other.id, other.purpose, 0).await, Some(other), "another purpose is another token");
}

pub async fn of_fifty_who_take_one_gets_it(f: Fixture) {
    let token = kept(&f, Purpose::SignIn, 1).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (store, id) = (f.store.clone(), token.id);
        tasks.spawn(async move { take(&*store, id, Purpose::SignIn, 0).await.is_some() });
    }
    assert_eq!(winners(tasks).await, 1);
}

pub async fn what_is_rolled_back_is_not_taken(f: Fixture) {
    let token = kept(&f, Purpose::EmailChange, 1).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.take_one_time_token(token.id, token.purpose, build::moment(0)).await.unwrap().is_some());
    drop(tx);
    assert_eq!(take(&*f.store, token.id, token.purpose, 0).await, Some(token));
}

pub async fn tokens_go_with_their_user_and_by_their_purpose(f: Fixture) {
    let reset = kept(&f, Purpose::PasswordReset, 1).await;
    let verification = keep(&f, &user(), Purpose::EmailVerification, 2).await;
    let mut tx = f.store.write().await.unwrap();
    tx.remove_one_time_tokens(reset.user_id, Purpose::OPENING).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &reset, 0).await, None);
    assert!(find(&*f.store, &verification, 0).await.is_some());
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(reset.user_id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, &verification, 0).await, None);
}

pub async fn an_address_change_goes_with_the_session_that_asked_for_it(f: Fixture) {
    let session = |n: u128| SessionId::from_uuid(uuid::Uuid::from_u128(n));
    let mut token = kept(&f, Purpose::EmailChange, 1).await;
    let reset = keep(&f, &user(), Purpose::PasswordReset, 2).await;
    let remove = async |by: SessionId| {
        let mut tx = f.store.write().await.unwrap();
        tx.remove_email_change_by(user().id, by).await.unwrap();
        tx.commit().await.unwrap();
    };
    token.session_id = Some(session(7));
    put(&*f.store, &token).await;
    remove(session(8)).await;
    assert_eq!(find(&*f.store, &token, 0).await.as_ref(), Some(&token), "another session is not the one that asked");
    remove(session(7)).await;
    assert_eq!(find(&*f.store, &token, 0).await, None);
    token.session_id = None;
    put(&*f.store, &token).await;
    remove(session(7)).await;
    assert_eq!(find(&*f.store, &token, 0).await, None, "an unknown session may be the one");
    assert!(find(&*f.store, &reset, 0).await.is_some());
}

pub async fn a_purge_is_bounded(f: Fixture) {
    for n in 1..=5 {
        insert(&*f.store, &[build::user(n)]).await;
        keep(&f, &build::user(n), Purpose::PasswordReset, n).await;
    }
    let purge = async |second: u32, limit: u32| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.purge_one_time_tokens(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(purge(GOOD_S - 1, 9).await, 0);
    assert_eq!(purge(GOOD_S, 3).await, 3);
    assert_eq!(purge(GOOD_S, 3).await, 2);
}

fn user() -> User {
    build::user(1)
}

/// A token of a user who is inserted with it.
async fn kept(f: &Fixture, purpose: Purpose, n: u32) -> OneTimeToken {
    insert(&*f.store, &[user()]).await;
    keep(f, &user(), purpose, n).await
}

async fn keep(f: &Fixture, user: &User, purpose: Purpose, n: u32) -> OneTimeToken {
    let token = OneTimeToken {
        id: OneTimeTokenId::from_uuid(uuid::Uuid::from_u128(n.into())),
        user_id: user.id,
        purpose,
        email: EmailAddress::from_stored(format!("user{n}@example.net")),
        session_id: None,
        created_at: build::moment(n),
        expires_at: build::moment(GOOD_S),
    };
    put(&*f.store, &token).await;
    token
}

async fn put(store: &dyn Store, token: &OneTimeToken) {
    let mut tx = store.write().await.unwrap();
    tx.put_one_time_token(token).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(store: &dyn Store, id: OneTimeTokenId, purpose: Purpose, second: u32) -> Option<OneTimeToken> {
    let mut tx = store.write().await.unwrap();
    let taken = tx.take_one_time_token(id, purpose, build::moment(second)).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn find(store: &dyn Store, token: &OneTimeToken, second: u32) -> Option<OneTimeToken> {
    let mut read = store.read().await.unwrap();
    read.find_one_time_token(token.id, token.purpose, build::moment(second)).await.unwrap()
}
