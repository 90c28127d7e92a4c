//! Second factors, and what sessions owe.

use denizen_domain::auth_methods::{AuthMethod, AuthMethods};
use denizen_domain::factors::{Standing, TotpFactor};
use denizen_domain::id::UserId;
use denizen_domain::roles::{Role, RoleKey, SecondFactorPolicy};
use denizen_domain::sessions::store::{Proof, Rotation};
use denizen_domain::sessions::{Session, SessionState};
use denizen_domain::store::Store;
use denizen_domain::users::{Locale, User};
use tokio::task::JoinSet;

use super::{find, insert, winners};
use crate::{Fixture, build};

pub async fn a_factor_counts_once_it_is_confirmed(f: Fixture) {
    let user = inserted(&f).await;
    let factor = put(&f, 1).await;
    assert_eq!(totp(&*f.store, user).await, Some(factor.clone()));
    assert_eq!(standing(&*f.store, user).await, Standing::default());
    assert!(!confirm(&*f.store, user, 2).await, "it was replaced since");
    assert!(confirm(&*f.store, user, 1).await);
    assert!(!confirm(&*f.store, user, 1).await, "it is confirmed already");
    let confirmed = TotpFactor { confirmed_at: Some(build::moment(60)), last_step: 7, ..factor };
    assert_eq!(totp(&*f.store, user).await, Some(confirmed));
    assert_eq!(standing(&*f.store, user).await, Standing { has_totp: true, ..Standing::default() });
}

pub async fn only_an_unconfirmed_factor_is_replaced(f: Fixture) {
    let user = inserted(&f).await;
    put(&f, 1).await;
    let second = put(&f, 2).await;
    assert_eq!(totp(&*f.store, user).await, Some(second));
    assert!(confirm(&*f.store, user, 2).await);
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.put_totp(&factor(3)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(totp(&*f.store, user).await.unwrap().sealed_secret, [2; 40]);
}

pub async fn a_step_is_used_once_and_none_before_it(f: Fixture) {
    let user = inserted(&f).await;
    put(&f, 1).await;
    assert!(!use_step(&*f.store, user, 9).await, "it is not confirmed");
    assert!(confirm(&*f.store, user, 1).await);
    assert!(!use_step(&*f.store, user, 7).await, "it confirmed");
    assert!(use_step(&*f.store, user, 9).await);
    assert!(!use_step(&*f.store, user, 9).await);
    assert!(!use_step(&*f.store, user, 8).await);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = f.store.clone();
        tasks.spawn(async move { use_step(&*store, user, 10).await });
    }
    assert_eq!(winners(tasks).await, 1);
}

pub async fn a_recovery_code_is_used_once(f: Fixture) {
    let user = inserted(&f).await;
    set_codes(&*f.store, user, &[[1; 32], [2; 32], [3; 32]]).await;
    assert_eq!(codes_left(&*f.store, user).await, 3);
    assert!(!use_code(&*f.store, user, [4; 32]).await);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = f.store.clone();
        tasks.spawn(async move { use_code(&*store, user, [2; 32]).await });
    }
    assert_eq!(winners(tasks).await, 1);
    assert_eq!(codes_left(&*f.store, user).await, 2);
    set_codes(&*f.store, user, &[[9; 32]]).await;
    assert!(!use_code(&*f.store, user, [1; 32]).await, "they were replaced");
    assert_eq!(codes_left(&*f.store, user).await, 1);
}

pub async fn factors_go_with_their_user(f: Fixture) {
    let user = inserted(&f).await;
    put(&f, 1).await;
    set_codes(&*f.store, user, &[[1; 32]]).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.remove_totp(user).await.unwrap());
    assert!(!tx.remove_totp(user).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(totp(&*f.store, user).await, None);
    put(&f, 2).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(user).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(totp(&*f.store, user).await, None);
    assert_eq!(codes_left(&*f.store, user).await, 0);
    assert_eq!(standing(&*f.store, user).await, Standing::default());
}

/// A passkey, as sessions record it.
const KEY: AuthMethods = AuthMethods::of(&[AuthMethod::SoftwareKey, AuthMethod::MultiFactor]);

pub async fn a_session_owes_what_its_user_has_or_their_role_demands(f: Fixture) {
    let user = build::user(1);
    let role = build::role(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let session = build::session(&user, 1);
    let proven = Session { second_factor_at: Some(build::moment(1)), ..build::session(&user, 2) };
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.insert_session(&proven).await.unwrap();
    assert!(tx.insert_role(&role).await.unwrap());
    assert!(tx.update_user(&User { role: role.name.clone(), version: 2, ..user.clone() }).await.unwrap());
    tx.commit().await.unwrap();
    let owes = async || {
        let states = [state(&*f.store, &session).await, state(&*f.store, &proven).await];
        states.map(|state| state.owes_second_factor)
    };
    assert_eq!(owes().await, [false, false]);

    let mut tx = f.store.write().await.unwrap();
    let required = Role { second_factor: SecondFactorPolicy::Required, version: 2, ..role.clone() };
    tx.update_role(&required).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(owes().await, [true, false]);
    assert_eq!(standing(&*f.store, user.id).await, Standing { is_required: true, ..Standing::default() });
    let passkey = Role { second_factor: SecondFactorPolicy::Passkey, version: 3, ..role.clone() };
    let mut tx = f.store.write().await.unwrap();
    tx.update_role(&passkey).await.unwrap();
    assert_eq!(tx.find_role(&RoleKey::Id(role.id)).await.unwrap(), Some(passkey));
    tx.commit().await.unwrap();
    assert_eq!(owes().await, [true, true], "no session has proven a passkey");
    let expected = Standing { is_required: true, is_passkey_required: true, ..Standing::default() };
    assert_eq!(standing(&*f.store, user.id).await, expected);
    let mut tx = f.store.write().await.unwrap();
    tx.record_proof(proven.id, Proof { methods: KEY, at: build::moment(1) }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(owes().await, [true, false]);
    let rotation =
        Rotation { id: session.id, from_generation: 0, at: build::moment(2), idle_expires_at: build::moment(20) };
    let rotated = f.store.rotate_session(&rotation).await.unwrap();
    assert!(rotated.found.unwrap().0.owes_second_factor, "a refresh does not prove one");
    let mut tx = f.store.write().await.unwrap();
    tx.update_role(&Role { version: 4, ..role }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(owes().await, [false, false]);

    put(&f, 1).await;
    assert_eq!(owes().await, [false, false], "a factor that is not confirmed counts for nothing");
    assert!(confirm(&*f.store, user.id, 1).await);
    assert_eq!(owes().await, [true, false]);
    let mut tx = f.store.write().await.unwrap();
    tx.record_proof(session.id, Proof { methods: AuthMethods::SECOND_FACTOR_CODE, at: build::moment(90) })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(owes().await, [false, false]);
}

pub async fn the_last_proof_of_each_kind_is_kept(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let session = build::session(&user, 1);
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    let (password, code) = (AuthMethods::PASSWORD, AuthMethods::SECOND_FACTOR_CODE);
    let mut expected = (build::moment(1), None, password);
    for (methods, at) in [(password, 20), (code, 30), (password, 40)] {
        let at = build::moment(at);
        let mut tx = f.store.write().await.unwrap();
        tx.record_proof(session.id, Proof { methods, at }).await.unwrap();
        tx.commit().await.unwrap();
        let second_factor_at = if methods == code { Some(at) } else { expected.1 };
        expected = (at, second_factor_at, expected.2.and(methods));
        let state = state(&*f.store, &session).await;
        assert_eq!((state.proven_at, state.second_factor_at, state.auth_methods), expected);
    }
}

pub async fn a_language_is_kept_and_forgotten(f: Fixture) {
    let user = User { locale: Some(Locale::from_stored("zh-Hans".to_owned())), ..build::user(1) };
    insert(&*f.store, std::slice::from_ref(&user)).await;
    assert_eq!(find(&*f.store, user.id).await.as_ref(), Some(&user));
    let user = User { locale: None, version: 2, ..user };
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.update_user(&user).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, user.id).await, Some(user));
}

fn factor(n: u8) -> TotpFactor {
    TotpFactor {
        user_id: build::user(1).id,
        sealed_secret: vec![n; 40],
        created_at: build::moment(n.into()),
        confirmed_at: None,
        last_step: 0,
    }
}

async fn inserted(f: &Fixture) -> UserId {
    insert(&*f.store, &[build::user(1)]).await;
    build::user(1).id
}

async fn put(f: &Fixture, n: u8) -> TotpFactor {
    let factor = factor(n);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.put_totp(&factor).await.unwrap());
    tx.commit().await.unwrap();
    factor
}

async fn confirm(store: &dyn Store, user: UserId, made: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_confirmed = tx.confirm_totp(user, build::moment(made), 7, build::moment(60)).await.unwrap();
    tx.commit().await.unwrap();
    is_confirmed
}

async fn use_step(store: &dyn Store, user: UserId, step: i64) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_used = tx.use_totp_step(user, step).await.unwrap();
    tx.commit().await.unwrap();
    is_used
}

async fn set_codes(store: &dyn Store, user: UserId, codes: &[[u8; 32]]) {
    let mut tx = store.write().await.unwrap();
    tx.set_recovery_codes(user, codes).await.unwrap();
    tx.commit().await.unwrap();
}

async fn use_code(store: &dyn Store, user: UserId, code: [u8; 32]) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_used = tx.use_recovery_code(user, &code).await.unwrap();
    tx.commit().await.unwrap();
    is_used
}

async fn codes_left(store: &dyn Store, user: UserId) -> u64 {
    store.read().await.unwrap().count_recovery_codes(user).await.unwrap()
}

async fn totp(store: &dyn Store, user: UserId) -> Option<TotpFactor> {
    store.read().await.unwrap().find_totp(user).await.unwrap()
}

pub(super) async fn standing(store: &dyn Store, user: UserId) -> Standing {
    let in_place = store.read().await.unwrap().second_factor_standing(user).await.unwrap();
    let in_snapshot = store.snapshot().await.unwrap().second_factor_standing(user).await.unwrap();
    assert_eq!(in_place, in_snapshot);
    in_place
}

pub(super) async fn state(store: &dyn Store, session: &Session) -> SessionState {
    let in_place = store.read().await.unwrap().session_state(session.id).await.unwrap().unwrap();
    let in_snapshot = store.snapshot().await.unwrap().session_state(session.id).await.unwrap().unwrap();
    assert_eq!(in_place, in_snapshot);
    in_place
}
