//! Identities at outside providers, and the tokens that are stored with them.

use denizen_domain::auth_methods::{AuthMethods, Authenticated};
use denizen_domain::id::IdentityId;
use denizen_domain::identities::Identity;
use denizen_domain::identities::store::{StoredTokens, TokenLease};
use denizen_domain::providers::ProviderName;
use denizen_domain::sessions::{EndReason, Session};
use denizen_domain::store::Store;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{insert, winners};
use crate::{Fixture, build};

pub async fn tokens_come_back_as_they_were_and_are_replaced(f: Fixture) {
    add(&*f.store, 1).await;
    assert!(find(&*f.store, 1).await.is_none());
    put(&*f.store, &tokens(1, "acme", 1)).await;
    assert!(find(&*f.store, 1).await == Some(tokens(1, "acme", 1)));
    put(&*f.store, &tokens(1, "other", 2)).await;
    assert!(find(&*f.store, 1).await == Some(tokens(1, "other", 2)));
}

pub async fn tokens_go_with_their_identity(f: Fixture) {
    add(&*f.store, 1).await;
    put(&*f.store, &tokens(1, "acme", 1)).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.remove_identity(build::user(1).id, id(1)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(find(&*f.store, 1).await.is_none());
}

pub async fn of_fifty_who_lease_tokens_one_does(f: Fixture) {
    add(&*f.store, 1).await;
    put(&*f.store, &tokens(1, "acme", 1)).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = std::sync::Arc::clone(&f.store);
        tasks.spawn(async move { lease(&*store, 1, 10).await });
    }
    assert_eq!(winners(tasks).await, 1);
    // A request that does not finish delays others until its lease expires.
    assert_eq!([lease(&*f.store, 1, 29).await, lease(&*f.store, 1, 30).await], [false, true]);
    let mut tx = f.store.write().await.unwrap();
    tx.release_identity_tokens(id(1), revision(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(lease(&*f.store, 1, 31).await);
    assert!(!lease(&*f.store, 2, 99).await, "another revision is not leased");
}

pub async fn tokens_are_renewed_and_removed_by_revision(f: Fixture) {
    add(&*f.store, 1).await;
    put(&*f.store, &tokens(1, "acme", 1)).await;
    assert!(lease(&*f.store, 1, 10).await);
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.renew_identity_tokens(revision(9), &tokens(1, "acme", 2)).await.unwrap());
    assert!(tx.renew_identity_tokens(revision(1), &tokens(1, "acme", 2)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(find(&*f.store, 1).await == Some(tokens(1, "acme", 2)));
    assert!(lease(&*f.store, 2, 10).await, "the lease ended");
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.remove_identity_tokens(id(1), revision(1)).await.unwrap());
    assert!(tx.remove_identity_tokens(id(1), revision(2)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(find(&*f.store, 1).await.is_none());
}

pub async fn tokens_of_a_provider_are_purged_in_batches(f: Fixture) {
    for n in 1..=4 {
        add(&*f.store, n).await;
        put(&*f.store, &tokens(n, if n == 4 { "other" } else { "acme" }, 1)).await;
    }
    let mut tx = f.store.write().await.unwrap();
    let (acme, other) = (ProviderName::from_stored("acme".to_owned()), ProviderName::from_stored("other".to_owned()));
    assert_eq!(tx.next_token_provider("").await.unwrap(), Some(acme.clone()));
    assert_eq!(tx.next_token_provider("acme").await.unwrap(), Some(other.clone()));
    assert_eq!(tx.next_token_provider("other").await.unwrap(), None);
    let mut removed = Vec::new();
    for _ in 0..3 {
        removed.push(tx.purge_identity_tokens(&acme, 2).await.unwrap());
    }
    assert_eq!(removed, [2, 1, 0]);
    tx.commit().await.unwrap();
    assert!(find(&*f.store, 4).await.is_some());
}

pub async fn a_draft_is_taken_once_and_purged_when_it_expires(f: Fixture) {
    let flow = |n: u128| Uuid::from_u128(n);
    let mut tx = f.store.write().await.unwrap();
    tx.put_token_draft(flow(1), b"one", build::moment(1)).await.unwrap();
    tx.put_token_draft(flow(1), b"two", build::moment(2)).await.unwrap();
    tx.put_token_draft(flow(2), b"old", build::moment(1)).await.unwrap();
    assert_eq!(tx.purge_token_drafts(build::moment(1), 10).await.unwrap(), 1);
    assert_eq!(tx.take_token_draft(flow(2)).await.unwrap(), None);
    assert_eq!(tx.take_token_draft(flow(1)).await.unwrap().as_deref(), Some(b"two".as_slice()));
    assert_eq!(tx.take_token_draft(flow(1)).await.unwrap(), None);
    tx.commit().await.unwrap();
}

pub async fn sessions_of_a_provider_are_those_that_can_be_ended(f: Fixture) {
    let now = build::moment(10);
    add(&*f.store, 1).await;
    add(&*f.store, 2).await;
    let of = |user: u32, n: u32, expires_at| {
        let authenticated = Authenticated { methods: AuthMethods::default(), identity_id: Some(id(user)) };
        Session { authenticated, expires_at, ..build::session(&build::user(user), n) }
    };
    let later = build::moment(1_000);
    let [one, ended, expired, two] = [of(1, 1, later), of(1, 2, later), of(1, 3, now), of(2, 4, later)];
    let mut tx = f.store.write().await.unwrap();
    for session in [&one, &ended, &expired, &two, &build::session(&build::user(1), 5)] {
        tx.insert_session(session).await.unwrap();
    }
    tx.end_session(ended.id, EndReason::SignedOut, build::moment(5)).await.unwrap();
    tx.commit().await.unwrap();
    let list = async |provider: &str, from: u32, limit: u32| {
        let provider = ProviderName::from_stored(provider.to_owned());
        let mut read = f.store.read().await.unwrap();
        let found = read.list_provider_sessions(&provider, id(from), now, limit).await.unwrap();
        found.into_iter().map(|session| (session.id, session.user_id, session.identity_id)).collect::<Vec<_>>()
    };
    let [first, second] = [(one.id, one.user_id, id(1)), (two.id, two.user_id, id(2))];
    assert_eq!(list("acme", 0, 10).await, [first, second]);
    assert_eq!(list("acme", 0, 1).await, [first]);
    assert_eq!(list("acme", 2, 10).await, [second]);
    assert_eq!(list("other", 0, 10).await, []);
}

fn id(n: u32) -> IdentityId {
    IdentityId::from_uuid(Uuid::from_u128(n.into()))
}

fn revision(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn tokens(n: u32, provider: &str, version: u128) -> StoredTokens {
    StoredTokens {
        identity_id: id(n),
        provider: ProviderName::from_stored(provider.to_owned()),
        sealed: version.to_be_bytes().to_vec(),
        revision: revision(version),
    }
}

/// The `n`th user with an identity.
async fn add(store: &dyn Store, n: u32) {
    insert(store, &[build::user(n)]).await;
    let identity = Identity {
        id: id(n),
        user_id: build::user(n).id,
        provider: ProviderName::from_stored("acme".to_owned()),
        issuer: "https://id.example.com".to_owned(),
        subject: n.to_string(),
        email: None,
        created_at: build::moment(n),
        last_used_at: build::moment(n),
    };
    let mut tx = store.write().await.unwrap();
    assert!(tx.insert_identity(&identity).await.unwrap());
    tx.commit().await.unwrap();
}

async fn put(store: &dyn Store, tokens: &StoredTokens) {
    let mut tx = store.write().await.unwrap();
    tx.put_identity_tokens(tokens).await.unwrap();
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, n: u32) -> Option<StoredTokens> {
    store.read().await.unwrap().find_identity_tokens(id(n)).await.unwrap()
}

/// Leases the tokens of the first identity at this second, for twenty.
async fn lease(store: &dyn Store, version: u128, at: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let (now, until) = (build::moment(at), build::moment(at + 20));
    let lease = TokenLease { identity_id: id(1), revision: revision(version), now, until };
    let is_leased = tx.lease_identity_tokens(&lease).await.unwrap();
    tx.commit().await.unwrap();
    is_leased
}
