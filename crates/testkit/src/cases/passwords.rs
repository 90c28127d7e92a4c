//! Password hashes.

use denizen_domain::credentials::PasswordHash;

use super::insert;
use crate::{Fixture, build};

pub async fn a_password_is_set_and_replaced(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, &[user.clone(), build::user(2)]).await;
    let long = "x".repeat(2_000);
    for encoded in ["$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", &long] {
        let mut tx = f.store.write().await.unwrap();
        tx.set_password(user.id, &PasswordHash::from_encoded(encoded.to_owned()), build::EPOCH).await.unwrap();
        tx.commit().await.unwrap();
        let found = f.store.read().await.unwrap().find_password(user.id).await.unwrap().unwrap();
        assert_eq!(found.expose(), encoded);
    }
    let mut read = f.store.read().await.unwrap();
    assert!(read.find_password(build::user(2).id).await.unwrap().is_none(), "has none");
    assert!(read.find_password(build::user(3).id).await.unwrap().is_none(), "does not exist");
    drop(read);

    let mut tx = f.store.write().await.unwrap();
    let orphan = tx.set_password(build::user(3).id, &PasswordHash::from_encoded(long), build::EPOCH).await;
    assert!(orphan.is_err(), "a password needs its user");
}

pub async fn many_passwords_are_added_at_once(f: Fixture) {
    let users: Vec<_> = (1..=600).map(build::user).collect();
    insert(&*f.store, &users).await;
    let hashes: Vec<_> = users
        .iter()
        .map(|user| (user.id, PasswordHash::from_encoded(format!("{{\"of\":\"{} ü\\\"}}", user.email))))
        .collect();
    let hashes: Vec<_> = hashes.iter().map(|(id, hash)| (*id, hash)).collect();
    let mut tx = f.store.write().await.unwrap();
    tx.insert_passwords(&[], build::EPOCH).await.unwrap();
    tx.insert_passwords(&hashes, build::EPOCH).await.unwrap();
    tx.commit().await.unwrap();
    for (id, hash) in hashes {
        let found = f.store.read().await.unwrap().find_password(id).await.unwrap().unwrap();
        assert_eq!(found.expose(), hash.expose());
    }
}
