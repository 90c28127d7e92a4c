//! Credentials of many users, added and read by few statements.

use denizen_domain::access::Subject;
use denizen_domain::api_keys::ApiKey;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::factors::TotpFactor;
use denizen_domain::id::{IdentityId, PasskeyId, UserId};
use denizen_domain::identities::Identity;
use denizen_domain::passkeys::{CredentialId, CredentialKind, Passkey, RegisteredCredential};
use denizen_domain::providers::ProviderName;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use super::insert;
use crate::{Fixture, build};

/// More than one statement takes.
const USERS: u32 = 300;

fn ids() -> Vec<UserId> {
    (1..=USERS).map(|n| build::user(n).id).collect()
}

async fn users(f: &Fixture) {
    insert(&*f.store, &(1..=USERS).map(build::user).collect::<Vec<_>>()).await;
}

fn passkey(user: u32, n: u32) -> Passkey {
    Passkey {
        id: PasskeyId::from_uuid(Uuid::from_u128(u128::from(n))),
        kind: CredentialKind::SecurityKey,
        user_id: build::user(user).id,
        user_handle: [7; 16],
        name: DisplayName::from_stored("Schlüssel 'quoted' \u{1F511}".to_owned()),
        credential: RegisteredCredential {
            id: CredentialId::from_stored(n.to_be_bytes().to_vec()),
            document: "{\"key\":\"\\\\\"}".to_owned(),
            aaguid: Uuid::from_u128(u128::MAX),
            transports: vec!["usb".to_owned(), "nfc".to_owned()],
            backup_eligible: true,
            backed_up: false,
            counter: u32::MAX,
        },
        created_at: build::moment(n),
        last_used_at: n.is_multiple_of(2).then(|| build::moment(n)),
        rp_id: n.is_multiple_of(3).then(|| "example.com".to_owned()),
    }
}

fn identity(user: u32, n: u32) -> Identity {
    Identity {
        id: IdentityId::from_uuid(Uuid::from_u128(u128::from(n))),
        user_id: build::user(user).id,
        provider: ProviderName::from_stored("acme".to_owned()),
        issuer: "https://acme.example.com".to_owned(),
        subject: format!("subject {n} \u{e4}\"\\"),
        email: n.is_multiple_of(2).then(|| "a@example.com".to_owned()),
        created_at: build::moment(n),
        last_used_at: build::moment(n + 1),
    }
}

pub async fn factors_of_many_users_are_added_and_read(f: Fixture) {
    users(&f).await;
    let factor = |n| TotpFactor {
        user_id: build::user(n).id,
        sealed_secret: vec![0, 255, u8::try_from(n % 251).unwrap()],
        created_at: build::moment(n),
        confirmed_at: Some(build::moment(n + 1)),
        last_step: i64::from(n),
    };
    let mut factors: Vec<_> = (1..=USERS).map(factor).collect();
    let codes: Vec<_> =
        (1..=USERS).flat_map(|n| [(build::user(n).id, [1; 32]), (build::user(n).id, [2; 32])]).collect();
    let mut tx = f.store.write().await.unwrap();
    tx.insert_totps(&factors).await.unwrap();
    tx.insert_recovery_codes(&codes).await.unwrap();
    tx.insert_recovery_codes(&codes[..3]).await.unwrap();
    tx.commit().await.unwrap();

    let mut read = f.store.snapshot().await.unwrap();
    let mut found = read.totps_of(&ids()).await.unwrap();
    found.sort_by_key(|factor| factor.user_id);
    factors.sort_by_key(|factor| factor.user_id);
    assert_eq!(found, factors);
    let mut found = read.recovery_codes_of(&ids()).await.unwrap();
    found.sort_unstable();
    assert_eq!(found, codes);
    assert_eq!(read.totps_of(&[build::user(900).id]).await.unwrap(), []);
    assert_eq!(read.recovery_codes_of(&[]).await.unwrap(), []);
}

pub async fn passwords_of_many_users_are_read(f: Fixture) {
    users(&f).await;
    let hash = PasswordHash::from_encoded("$a'\"\\".to_owned());
    let passwords: Vec<_> = (1..USERS).map(|n| (build::user(n).id, &hash)).collect();
    let mut tx = f.store.write().await.unwrap();
    tx.insert_passwords(&passwords, build::moment(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut found = f.store.read().await.unwrap().passwords_of(&ids()).await.unwrap();
    found.sort_by_key(|(user, _)| *user);
    assert!(found.iter().all(|(_, found)| found.expose() == hash.expose()));
    let owners: Vec<_> = found.into_iter().map(|(user, _)| user).collect();
    assert_eq!(owners, ids()[..ids().len() - 1], "the last one has none");
}

pub async fn passkeys_and_identities_of_many_users_are_added_and_read(f: Fixture) {
    users(&f).await;
    let passkeys: Vec<_> = (1..=USERS).map(|n| passkey(n, n)).collect();
    let again = Passkey { id: PasskeyId::from_uuid(Uuid::from_u128(99_999)), ..passkey(5, 1) };
    let identities: Vec<_> = (1..=USERS).map(|n| identity(n, n)).collect();
    let taken = Identity { id: IdentityId::from_uuid(Uuid::from_u128(99_999)), ..identity(5, 1) };
    let mut tx = f.store.write().await.unwrap();
    let mut inserted = tx.insert_passkeys(&passkeys.iter().chain([&again]).collect::<Vec<_>>()).await.unwrap();
    inserted.sort_unstable();
    assert_eq!(inserted, passkeys.iter().map(|passkey| passkey.id).collect::<Vec<_>>());
    let mut inserted = tx.insert_identities(&identities.iter().chain([&taken]).collect::<Vec<_>>()).await.unwrap();
    inserted.sort_unstable();
    assert_eq!(inserted, identities.iter().map(|identity| identity.id).collect::<Vec<_>>());
    tx.commit().await.unwrap();

    let mut read = f.store.snapshot().await.unwrap();
    let mut found = read.passkeys_of(&ids()).await.unwrap();
    found.sort_by_key(|passkey| passkey.id);
    assert_eq!(found, passkeys);
    let mut found = read.identities_of(&ids()).await.unwrap();
    found.sort_by_key(|identity| identity.id);
    assert_eq!(found, identities);
}

pub async fn api_keys_of_many_users_are_added_and_read(f: Fixture) {
    users(&f).await;
    let key = |n: u32| ApiKey {
        expires_at: Some(build::moment(n + 9)),
        ..build::api_key(Subject::User(build::user(n).id), n)
    };
    let mut keys: Vec<_> = (1..=USERS).map(|n| (key(n), [u8::try_from(n % 256).unwrap(); 32])).collect();
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.insert_api_keys(&keys).await.unwrap().len(), keys.len());
    assert_eq!(tx.insert_api_keys(&keys[..2]).await.unwrap(), []);
    tx.commit().await.unwrap();
    let mut found = f.store.read().await.unwrap().api_keys_of(&ids()).await.unwrap();
    found.sort_by_key(|(key, _)| key.id);
    keys.sort_by_key(|(key, _)| key.id);
    assert_eq!(found, keys);
}
