//! Challenges.

use denizen_domain::auth_methods::{AuthMethods, Authenticated};
use denizen_domain::challenges::{Challenge, ChallengeKind};
use denizen_domain::id::{ChallengeId, IdentityId, UserId};
use denizen_domain::store::Store;
use denizen_domain::users::DisplayName;
use tokio::task::JoinSet;

use super::{insert, winners};
use crate::{Fixture, build};

/// Until when the challenges of these cases can be met, in seconds.
const OPEN_S: u32 = 100;

pub async fn a_challenge_comes_back_as_it_was(f: Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    for (n, kind, user) in [
        (1, ChallengeKind::SecondFactor, Some(build::user(1).id)),
        (2, ChallengeKind::MailedCode, Some(build::user(1).id)),
        (3, ChallengeKind::MailedCode, None),
    ] {
        let label = (n == 1).then(|| DisplayName::from_stored("Ada's laptop".to_owned()));
        let identity_id = user.map(|user| IdentityId::from_uuid(user.as_uuid()));
        let authenticated = Authenticated { methods: AuthMethods::PASSWORD, identity_id };
        let challenge = Challenge { label, authenticated, ..challenge(n, kind, user) };
        insert_challenge(&*f.store, &challenge).await;
        assert_eq!(find(&*f.store, challenge.id, OPEN_S - 1).await, Some(challenge.clone()));
        assert_eq!(find(&*f.store, challenge.id, OPEN_S).await, None, "it is over");
    }
}

pub async fn tries_are_counted_down(f: Fixture) {
    let challenge = inserted(&f).await;
    for left in [2, 1, 0] {
        let tried = try_it(&*f.store, challenge.id, 0).await.unwrap();
        assert_eq!(tried, Challenge { tries_left: left, ..challenge.clone() });
    }
    assert_eq!(try_it(&*f.store, challenge.id, 0).await, None);
    assert_eq!(find(&*f.store, challenge.id, 0).await, None);
}

pub async fn a_challenge_that_is_over_cannot_be_tried(f: Fixture) {
    let challenge = inserted(&f).await;
    assert_eq!(try_it(&*f.store, challenge.id, OPEN_S).await, None);
    assert!(try_it(&*f.store, challenge.id, OPEN_S - 1).await.is_some());
}

pub async fn of_fifty_tries_no_more_are_made_than_there_are(f: Fixture) {
    let challenge = inserted(&f).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (store, id) = (f.store.clone(), challenge.id);
        tasks.spawn(async move { try_it(&*store, id, 0).await.is_some() });
    }
    assert_eq!(winners(tasks).await, 3);
}

pub async fn of_fifty_who_finish_one_does(f: Fixture) {
    let challenge = inserted(&f).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (store, id) = (f.store.clone(), challenge.id);
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let is_first = tx.remove_challenge(id).await.unwrap();
            tx.commit().await.unwrap();
            is_first
        });
    }
    assert_eq!(winners(tasks).await, 1);
}

pub async fn challenges_go_with_their_user(f: Fixture) {
    insert(&*f.store, &[build::user(1), build::user(2)]).await;
    let of = |n, user: u32| challenge(n, ChallengeKind::SecondFactor, Some(build::user(user).id));
    for challenge in [of(1, 1), of(2, 1), of(3, 2)] {
        insert_challenge(&*f.store, &challenge).await;
    }
    let mut tx = f.store.write().await.unwrap();
    tx.remove_challenges(build::user(1).id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, of(1, 1).id, 0).await, None);
    assert_eq!(find(&*f.store, of(2, 1).id, 0).await, None);
    assert!(find(&*f.store, of(3, 2).id, 0).await.is_some());
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(build::user(2).id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, of(3, 2).id, 0).await, None);
}

pub async fn a_purge_is_bounded(f: Fixture) {
    for n in 1..=5 {
        insert_challenge(&*f.store, &challenge(n, ChallengeKind::MailedCode, None)).await;
    }
    let purge = async |second: u32, limit: u32| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.purge_challenges(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(purge(OPEN_S - 1, 9).await, 0);
    assert_eq!(purge(OPEN_S, 3).await, 3);
    assert_eq!(purge(OPEN_S, 3).await, 2);
}

fn challenge(n: u32, kind: ChallengeKind, user_id: Option<UserId>) -> Challenge {
    Challenge {
        id: ChallengeId::from_uuid(uuid::Uuid::from_u128(n.into())),
        user_id,
        kind,
        authenticated: Authenticated::default(),
        label: None,
        tries_left: 3,
        created_at: build::moment(n),
        expires_at: build::moment(OPEN_S),
    }
}

async fn inserted(f: &Fixture) -> Challenge {
    insert(&*f.store, &[build::user(1)]).await;
    let challenge = challenge(1, ChallengeKind::SecondFactor, Some(build::user(1).id));
    insert_challenge(&*f.store, &challenge).await;
    challenge
}

async fn insert_challenge(store: &dyn Store, challenge: &Challenge) {
    let mut tx = store.write().await.unwrap();
    tx.insert_challenge(challenge).await.unwrap();
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, id: ChallengeId, second: u32) -> Option<Challenge> {
    store.read().await.unwrap().find_challenge(id, build::moment(second)).await.unwrap()
}

async fn try_it(store: &dyn Store, id: ChallengeId, second: u32) -> Option<Challenge> {
    let mut tx = store.write().await.unwrap();
    let tried = tx.try_challenge(id, build::moment(second)).await.unwrap();
    tx.commit().await.unwrap();
    tried
}
