//! Passkeys, and flows that finish once.

use denizen_domain::auth_methods::AuthMethods;
use denizen_domain::factors::Standing;
use denizen_domain::id::{PasskeyId, UserId};
use denizen_domain::passkeys::port::VerifiedUse;
use denizen_domain::passkeys::{CredentialId, CredentialKind, Passkey, RegisteredCredential};
use denizen_domain::sessions::store::Proof;
use denizen_domain::store::Store;
use denizen_domain::users::DisplayName;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::factors::{standing, state};
use super::{insert, winners};
use crate::{Fixture, build};

pub async fn a_passkey_comes_back_as_it_was(f: Fixture) {
    insert(&*f.store, &[build::user(1), build::user(2)]).await;
    let (first, second) = (passkey(1, 1), passkey(1, 2));
    assert!(add(&*f.store, &second).await && add(&*f.store, &first).await);
    assert!(add(&*f.store, &passkey(2, 3)).await);
    assert_eq!(list(&*f.store, first.user_id).await, [first.clone(), second.clone()], "the oldest comes first");
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.find_passkey(&second.credential.id).await.unwrap(), Some(second));
    assert_eq!(read.find_passkey(&CredentialId::from_stored(vec![9])).await.unwrap(), None);
    assert_eq!(read.count_passkeys(first.user_id, CredentialKind::Passkey).await.unwrap(), 2);
    assert_eq!(read.count_passkeys(first.user_id, CredentialKind::SecurityKey).await.unwrap(), 0);
}

pub async fn a_credential_is_registered_once(f: Fixture) {
    insert(&*f.store, &[build::user(1), build::user(2)]).await;
    assert!(add(&*f.store, &passkey(1, 1)).await);
    let credential = passkey(1, 1).credential;
    assert!(!add(&*f.store, &Passkey { credential, ..passkey(2, 2) }).await);
    assert_eq!(list(&*f.store, build::user(2).id).await, []);
}

pub async fn a_counter_only_increases(f: Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    assert!(add(&*f.store, &passkey(1, 1)).await);
    let id = passkey(1, 1).id;
    for (counter, expected) in [(0, true), (0, true), (5, true), (5, false), (4, false), (0, false), (6, true)] {
        assert_eq!(use_passkey(&*f.store, id, counter).await, expected, "{counter}");
    }
    let found = list(&*f.store, build::user(1).id).await.remove(0);
    assert_eq!((found.credential.counter, found.credential.backed_up), (6, true));
    assert_eq!(found.last_used_at, Some(build::moment(50)));
    assert!(!use_passkey(&*f.store, passkey(1, 2).id, 1).await, "a passkey that does not exist is not used");
}

pub async fn relying_parties_of_passkeys_are_counted(f: Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    let ids = async || f.store.read().await.unwrap().list_rp_ids().await.unwrap();
    assert_eq!(ids().await, [""; 0]);
    let unknown = Passkey { rp_id: None, ..passkey(1, 1) };
    assert!(add(&*f.store, &unknown).await);
    assert_eq!(ids().await, [""; 0], "the relying party of a passkey of an earlier release is unknown");
    for (n, rp_id) in [(2, "example.com"), (3, "example.com"), (4, "b.example"), (5, "z.example")] {
        assert!(add(&*f.store, &Passkey { rp_id: Some(rp_id.to_owned()), ..passkey(1, n) }).await);
    }
    assert_eq!(ids().await, ["b.example", "example.com", "z.example"]);
    let count = async |rp_id| f.store.read().await.unwrap().count_passkeys_of_rp(rp_id).await.unwrap();
    assert_eq!([count("b.example").await, count("example.com").await, count("other").await], [1, 2, 0]);
    assert!(use_passkey(&*f.store, unknown.id, 0).await && use_passkey(&*f.store, passkey(1, 4).id, 0).await);
    assert_eq!([count("b.example").await, count("example.com").await], [1, 3], "a use records it once");
}

pub async fn passkeys_are_changed_by_their_user(f: Fixture) {
    insert(&*f.store, &[build::user(1), build::user(2)]).await;
    let passkey = passkey(1, 1);
    assert!(add(&*f.store, &passkey).await);
    let name = DisplayName::from_stored("Phone".to_owned());
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.rename_passkey(build::user(2).id, passkey.id, &name).await.unwrap());
    assert!(!tx.remove_passkey(build::user(2).id, passkey.id).await.unwrap());
    assert!(tx.rename_passkey(passkey.user_id, passkey.id, &name).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(list(&*f.store, passkey.user_id).await, [Passkey { name, ..passkey.clone() }]);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.remove_passkey(passkey.user_id, passkey.id).await.unwrap());
    assert!(!tx.remove_passkey(passkey.user_id, passkey.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(list(&*f.store, passkey.user_id).await, []);
}

pub async fn a_passkey_counts_as_second_factor(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let session = build::session(&user, 1);
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!state(&*f.store, &session).await.owes_second_factor);

    assert!(add(&*f.store, &passkey(1, 1)).await);
    let expected = Standing { has_passkey: true, ..Standing::default() };
    assert_eq!(standing(&*f.store, user.id).await, expected);
    assert!(expected.is_enrolled() && expected.owes());
    assert!(state(&*f.store, &session).await.owes_second_factor);
    let mut tx = f.store.write().await.unwrap();
    tx.record_proof(session.id, Proof { methods: AuthMethods::SECOND_FACTOR_CODE, at: build::moment(30) })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(!state(&*f.store, &session).await.owes_second_factor);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.remove_passkey(user.id, passkey(1, 1).id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(standing(&*f.store, user.id).await, Standing::default());
}

pub async fn a_security_key_counts_as_second_factor(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let session = build::session(&user, 1);
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    let key = Passkey { kind: CredentialKind::SecurityKey, ..passkey(1, 1) };
    assert!(add(&*f.store, &key).await);
    assert_eq!(list(&*f.store, user.id).await, [key]);
    let expected = Standing { has_security_key: true, ..Standing::default() };
    assert_eq!(standing(&*f.store, user.id).await, expected);
    assert!(expected.is_enrolled() && expected.owes());
    assert!(state(&*f.store, &session).await.owes_second_factor);
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.count_passkeys(user.id, CredentialKind::Passkey).await.unwrap(), 0);
    assert_eq!(read.count_passkeys(user.id, CredentialKind::SecurityKey).await.unwrap(), 1);
}

pub async fn a_rotation_sees_a_new_passkey(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let session = build::session(&user, 1);
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    assert!(add(&*f.store, &passkey(1, 1)).await);
    let rotation = denizen_domain::sessions::store::Rotation {
        id: session.id,
        from_generation: 0,
        at: build::moment(10),
        idle_expires_at: build::moment(20),
    };
    let rotated = f.store.rotate_session(&rotation).await.unwrap();
    let (state, _) = rotated.found.unwrap();
    assert!(rotated.is_rotated && state.owes_second_factor);
}

pub async fn passkeys_go_with_their_user(f: Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    assert!(add(&*f.store, &passkey(1, 1)).await);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(build::user(1).id).await.unwrap());
    tx.commit().await.unwrap();
    let found = f.store.read().await.unwrap().find_passkey(&passkey(1, 1).credential.id).await.unwrap();
    assert_eq!(found, None);
}

pub async fn of_fifty_who_finish_a_flow_one_does(f: Fixture) {
    let flow = Uuid::from_u128(7);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = std::sync::Arc::clone(&f.store);
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let is_first = tx.use_flow(flow, build::moment(60)).await.unwrap();
            tx.commit().await.unwrap();
            is_first
        });
    }
    assert_eq!(winners(tasks).await, 1);
}

pub async fn flows_are_purged_when_they_expire(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    for n in 0..5 {
        assert!(tx.use_flow(Uuid::from_u128(n.into()), build::moment(n)).await.unwrap());
    }
    tx.commit().await.unwrap();
    let purge = async |at, limit| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.purge_flows(build::moment(at), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!([purge(3, 2).await, purge(3, 10).await, purge(3, 10).await], [2, 2, 0]);
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.use_flow(Uuid::from_u128(4), build::moment(4)).await.unwrap(), "one that has not expired stays");
}

/// The `n`th passkey, of the user of this number.
fn passkey(user: u32, n: u32) -> Passkey {
    Passkey {
        id: PasskeyId::from_uuid(Uuid::from_u128(n.into())),
        kind: CredentialKind::Passkey,
        user_id: build::user(user).id,
        user_handle: [u8::try_from(user).unwrap_or_default(); 16],
        name: DisplayName::from_stored(format!("Passkey {n}")),
        credential: RegisteredCredential {
            id: CredentialId::from_stored(vec![n.to_be_bytes()[3]; 1023]),
            document: "{\"key\":\"\u{1F511}\"}".to_owned(),
            aaguid: Uuid::from_u128(99),
            transports: vec!["internal".to_owned(), "hybrid".to_owned()],
            backup_eligible: true,
            backed_up: false,
            counter: 0,
        },
        created_at: build::moment(n),
        last_used_at: None,
        rp_id: Some("example.com".to_owned()),
    }
}

async fn add(store: &dyn Store, passkey: &Passkey) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_added = tx.insert_passkey(passkey).await.unwrap();
    tx.commit().await.unwrap();
    is_added
}

async fn use_passkey(store: &dyn Store, id: PasskeyId, counter: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let used = VerifiedUse { counter, backed_up: true };
    let is_used = tx.use_passkey(id, used, "example.com", build::moment(50)).await.unwrap();
    tx.commit().await.unwrap();
    is_used
}

async fn list(store: &dyn Store, user: UserId) -> Vec<Passkey> {
    store.read().await.unwrap().list_passkeys(user).await.unwrap()
}
