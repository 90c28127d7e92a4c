//! The root key: what everything is sealed and proven under. It is kept in the store, itself sealed under the master
//! key, so that the master key can be changed without touching anything else.

use denizen_domain::keys::SealedRoot;
use denizen_domain::ports::{Clock, Random, Vault};
use denizen_domain::store::{Store, StoreError};
use zeroize::Zeroizing;

use crate::master_key::MasterKey;
use crate::vault::{MasterVault, SealingKey, derive};

/// The length of the key, in bytes.
const KEY_BYTES: usize = 32;
/// What the root key is sealed as.
const CONTEXT: &[u8] = b"root key";

/// The key that the keys for sealing and for codes are derived from.
pub struct RootKey(Zeroizing<[u8; KEY_BYTES]>);

impl RootKey {
    /// A key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the derivation of keys.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut root = Self::from_bytes([0; KEY_BYTES]);
        let is_whole = bytes.len() == KEY_BYTES;
        is_whole.then(|| root.0.copy_from_slice(bytes)).map(|()| root)
    }
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The store did not answer.
    #[error("reading or storing the root key")]
    Store(#[from] StoreError),
    /// The database has a root key, and this master key does not open it.
    #[error("the master key does not match the database: all nodes must use the same master key")]
    DoesNotFit,
}

/// Whether the database was set up under a master key before: it has a root key, or signing keys of a release that had
/// none.
///
/// # Errors
/// When the store does not answer.
pub async fn has_root(store: &dyn Store) -> Result<bool, StoreError> {
    let mut read = store.read().await?;
    Ok(!read.sealed_roots().await?.is_empty() || !read.signing_keys().await?.is_empty())
}

/// Opens the root key of a database, and makes it on first start. Of several nodes that make it at once, the database
/// lets one win and all use that one.
///
/// # Errors
/// When the store does not answer, or the root key is there and not under this master key.
pub async fn open_root(
    store: &dyn Store,
    master: &MasterKey,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<MasterVault, RootError> {
    let mut roots = store.read().await?.sealed_roots().await?;
    if roots.is_empty() {
        make(store, master, clock, random).await?;
        roots = store.read().await?.sealed_roots().await?;
    }
    open(&roots, master).map(|root| MasterVault::new(&root))
}

/// Keeps the root key under a second master key as well, so that nodes can change from one to the other. Doing it
/// again changes nothing.
///
/// # Errors
/// When the store does not answer, or the current master key does not open the root key.
pub async fn rekey(
    store: &dyn Store,
    current: &MasterKey,
    next: &MasterKey,
    clock: &dyn Clock,
) -> Result<(), RootError> {
    let mut tx = store.write().await?;
    let root = open(&tx.sealed_roots().await?, current)?;
    tx.put_root(&seal(&root, next, clock)).await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets the root key under every master key but this one, which must open it, and says under how many it was.
///
/// # Errors
/// When the store does not answer, or the current master key does not open the root key.
pub async fn retire_other_masters(store: &dyn Store, current: &MasterKey) -> Result<u64, RootError> {
    let mut tx = store.write().await?;
    // Proven first: to keep only what does not open would lose everything.
    open(&tx.sealed_roots().await?, current)?;
    let forgotten = tx.keep_only_root(&master_id(current)).await?;
    tx.commit().await?;
    Ok(forgotten)
}

/// Gives a database that has no root key that of another one, if this master key opens it: what the other one computed
/// under it stays valid. Returns whether it did.
///
/// # Errors
/// When the store does not answer.
pub async fn adopt_root(store: &dyn Store, master: &MasterKey, roots: &[SealedRoot]) -> Result<bool, StoreError> {
    let id = master_id(master);
    let Some(root) = roots.iter().find(|root| root.master_id == id) else { return Ok(false) };
    if open(roots, master).is_err() || has_root(store).await? {
        return Ok(false);
    }
    let mut tx = store.write().await?;
    tx.insert_first_root(root).await?;
    tx.commit().await?;
    Ok(true)
}

async fn make(store: &dyn Store, master: &MasterKey, clock: &dyn Clock, random: &dyn Random) -> Result<(), RootError> {
    let mut tx = store.write().await?;
    // The release before derived everything from the master key itself, and made a signing key on its first start.
    // Such a database keeps what it has: there, the master key's bytes are the root key.
    let root = if let Some(key) = tx.signing_keys().await?.first() {
        let root = RootKey::from_bytes(*master.expose());
        // Proven first: a wrong key that is kept would lock the right one out.
        let opened = MasterVault::new(&root).open(key.id.as_bytes(), &key.sealed_private_key).map(Zeroizing::new);
        if opened.is_none() {
            // Unless another node has made both since we looked: a root is there before the first signing key is.
            if tx.sealed_roots().await?.is_empty() {
                return Err(RootError::DoesNotFit);
            }
            tx.commit().await?;
            return Ok(());
        }
        root
    } else {
        let mut root = RootKey::from_bytes([0; KEY_BYTES]);
        random.fill(root.0.as_mut_slice());
        root
    };
    tx.insert_first_root(&seal(&root, master, clock)).await?;
    // Also if there was one: it may come from a write that shares this transaction, and is read after its commit.
    tx.commit().await?;
    Ok(())
}

fn open(roots: &[SealedRoot], master: &MasterKey) -> Result<RootKey, RootError> {
    let id = master_id(master);
    let found = roots.iter().find(|root| root.master_id == id).ok_or(RootError::DoesNotFit)?;
    let bytes = wrapping(master).open(CONTEXT, &found.sealed).map(Zeroizing::new);
    bytes.and_then(|bytes| RootKey::read(&bytes)).ok_or(RootError::DoesNotFit)
}

fn seal(root: &RootKey, master: &MasterKey, clock: &dyn Clock) -> SealedRoot {
    SealedRoot {
        master_id: master_id(master),
        sealed: wrapping(master).seal(CONTEXT, root.expose()),
        created_at: clock.now(),
    }
}

fn wrapping(master: &MasterKey) -> SealingKey {
    SealingKey::derive(master.expose(), b"denizen root wrapping v1")
}

/// The identifier of a master key, which does not reveal it: 32 hexadecimal digits.
#[must_use]
pub fn master_id(master: &MasterKey) -> String {
    let id = derive(master.expose(), b"denizen master id v1");
    id[..16].iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

#[cfg(test)]
mod tests;
