//! The life of a root key, on SQLite.

use std::sync::Arc;

use super::*;
use crate::clock::{SystemChance, SystemClock};
use crate::stores::{StoreLimits, StoreOptions};
use denizen_domain::keys::{Algorithm, StoredKey};
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use secrecy::SecretString;
use tempfile::TempDir;

const LIMITS: StoreLimits =
    StoreLimits { max_connections: 2, min_connections: 0, acquire_timeout_s: 5, statement_timeout_s: 5 };

struct Database {
    store: Arc<dyn Store>,
    _folder: TempDir,
}

async fn database() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("denizen.db").display());
    let options = StoreOptions::parse(&url, LIMITS).unwrap();
    options.migrate().await.unwrap();
    Database { store: options.open().unwrap(), _folder: folder }
}

impl Database {
    async fn start(&self, master: &MasterKey) -> Result<MasterVault, RootError> {
        open_root(self.store.as_ref(), master, &SystemClock, &SystemChance).await
    }

    async fn roots(&self) -> Vec<SealedRoot> {
        self.store.read().await.unwrap().sealed_roots().await.unwrap()
    }
}

fn master(seed: u8) -> MasterKey {
    let hex = (seed..seed + 32).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    MasterKey::parse(&SecretString::from(hex)).unwrap()
}

/// What the release before derived from a master key.
fn vault_of(master: &MasterKey) -> MasterVault {
    MasterVault::new(&RootKey::from_bytes(*master.expose()))
}

fn code(vault: &MasterVault) -> [u8; 32] {
    vault.mac("test", b"message")
}

#[tokio::test]
async fn the_first_start_draws_a_root_and_every_other_finds_it() {
    let database = database().await;
    let first = database.start(&master(0)).await.unwrap();
    let sealed = first.seal(b"context", b"secret");
    let second = database.start(&master(0)).await.unwrap();
    assert_eq!(second.open(b"context", &sealed).as_deref(), Some(b"secret".as_slice()));
    assert_eq!(code(&first), code(&second));
    assert_ne!(code(&first), code(&vault_of(&master(0))), "the root is not the master key");
    assert_eq!(database.roots().await.len(), 1);
}

#[tokio::test]
async fn of_many_first_starts_at_once_all_find_the_same_root() {
    let database = Arc::new(database().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let database = Arc::clone(&database);
        tasks.spawn(async move { code(&database.start(&master(0)).await.unwrap()) });
    }
    let codes = tasks.join_all().await;
    assert!(codes.iter().all(|code| *code == codes[0]));
    assert_eq!(database.roots().await.len(), 1);
}

#[tokio::test]
async fn a_database_of_the_release_before_keeps_its_secrets() {
    let database = database().await;
    let before = vault_of(&master(0));
    let mut tx = database.store.write().await.unwrap();
    let key = StoredKey {
        id: "kid".into(),
        sequence: 1,
        algorithm: Algorithm::Es256,
        public_key: vec![4],
        sealed_private_key: before.seal(b"kid", b"private"),
        created_at: Timestamp::from_micros(0),
        activates_at: Timestamp::from_micros(0),
        withdrawn_at: None,
    };
    assert!(tx.insert_signing_key(&key).await.unwrap());
    tx.commit().await.unwrap();

    assert!(matches!(database.start(&master(1)).await, Err(RootError::DoesNotFit)));
    assert_eq!(database.roots().await, [], "a wrong key locks nobody out");
    let after = database.start(&master(0)).await.unwrap();
    assert_eq!(after.open(b"kid", &key.sealed_private_key).as_deref(), Some(b"private".as_slice()));
    assert_eq!(code(&after), code(&before));
}

#[tokio::test]
async fn another_master_key_is_refused_and_changes_nothing() {
    let database = database().await;
    database.start(&master(0)).await.unwrap();
    let before = database.roots().await;
    let (store, wrong) = (database.store.as_ref(), master(1));
    let refused = database.start(&wrong).await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the master key does not match the database: all nodes must use the same master key"
    );
    assert!(matches!(rekey(store, &wrong, &master(2), &SystemClock).await, Err(RootError::DoesNotFit)));
    assert!(matches!(retire_other_masters(store, &wrong).await, Err(RootError::DoesNotFit)));
    assert_eq!(database.roots().await, before);
}

#[tokio::test]
async fn a_master_key_is_changed_and_the_old_one_retired() {
    let database = database().await;
    let store = database.store.as_ref();
    let expected = code(&database.start(&master(0)).await.unwrap());

    // Both open it while nodes change over, and a second time is as good as the first.
    for _ in 0..2 {
        rekey(store, &master(0), &master(1), &SystemClock).await.unwrap();
        for seed in [0, 1] {
            assert_eq!(code(&database.start(&master(seed)).await.unwrap()), expected);
        }
        assert_eq!(database.roots().await.len(), 2);
    }

    assert_eq!(retire_other_masters(store, &master(1)).await.unwrap(), 1);
    assert_eq!(retire_other_masters(store, &master(1)).await.unwrap(), 0);
    assert_eq!(code(&database.start(&master(1)).await.unwrap()), expected);
    assert!(matches!(database.start(&master(0)).await, Err(RootError::DoesNotFit)));
}

#[tokio::test]
async fn an_altered_root_does_not_open() {
    let database = database().await;
    database.start(&master(0)).await.unwrap();
    let mut root = database.roots().await.remove(0);
    root.sealed[20] ^= 1;
    let mut tx = database.store.write().await.unwrap();
    tx.put_root(&root).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(database.start(&master(0)).await, Err(RootError::DoesNotFit)));
}

#[test]
fn a_name_of_a_master_key_is_32_digits_and_its_own() {
    let id = master_id(&master(0));
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(id, master_id(&master(0)));
    assert_ne!(id, master_id(&master(1)));
}
