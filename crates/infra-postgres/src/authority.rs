//! The locks on accounts and roles that writes share and revocations take: advisory ones, by a number for each.
//!
//! Not row locks: those would write to the row of a caller for each of their requests, and many who share one can keep
//! a transaction that wants it alone waiting. An advisory lock is granted in the order in which it was asked for.

use denizen_domain::access::Subject;
use denizen_domain::authority::{Authority, AuthorityLock, LockMode};
use denizen_domain::store::StoreError;
use sqlx::query;

use crate::error::store_error;
use crate::sql::execute;
use crate::tx::PostgresTx;

impl PostgresTx {
    /// Takes locks in one statement and in the order of their numbers, for every caller: no two wait in a circle.
    pub(crate) async fn lock_authorities(&mut self, locks: &[AuthorityLock]) -> Result<(), StoreError> {
        if locks.is_empty() {
            return Ok(());
        }
        let (keys, are_exclusive) = in_order(locks);
        // A statement of its own: the next one sees what the holder before committed.
        let lock = query!(
            "SELECT CASE WHEN is_exclusive THEN pg_advisory_xact_lock(key) ELSE pg_advisory_xact_lock_shared(key) END
            FROM unnest($1::bigint[], $2::boolean[]) AS locks (key, is_exclusive)",
            &keys,
            &are_exclusive
        );
        lock.execute(self.connection().await?).await.map_err(store_error)?;
        for (key, is_exclusive) in keys.into_iter().zip(are_exclusive) {
            if is_exclusive {
                self.note_locked(key);
            }
        }
        Ok(())
    }

    /// Locks an account or a role exclusively, unless this transaction began with it. For a use case that finds out within the
    /// transaction what it changes; before any other lock.
    pub(crate) async fn lock_exclusively(&mut self, of: &Authority) -> Result<(), StoreError> {
        let key = key(of);
        if self.has_locked(key) {
            return Ok(());
        }
        execute!(self, "queries/take_advisory_lock.sql", key)?;
        self.note_locked(key);
        Ok(())
    }
}

/// The numbers in order, each once, and whether it is locked exclusively.
fn in_order(locks: &[AuthorityLock]) -> (Vec<i64>, Vec<bool>) {
    let mut locks: Vec<_> = locks.iter().map(|lock| (key(&lock.of), lock.mode == LockMode::Shared)).collect();
    // Of two on the same thing the exclusive one comes first, and remains.
    locks.sort_unstable();
    locks.dedup_by_key(|(key, _)| *key);
    locks.into_iter().map(|(key, is_shared)| (key, !is_shared)).unzip()
}

/// The number of a lock. Two things with the same number would wait for each other, and nothing else.
fn key(of: &Authority) -> i64 {
    match of {
        Authority::Subject(Subject::User(id)) => fold(id.as_uuid().as_u64_pair()),
        Authority::Subject(Subject::ServiceAccount(id)) => fold(id.as_uuid().as_u64_pair()),
        Authority::Role(name) => fnv1a(name.as_str().as_bytes()).cast_signed(),
    }
}

/// The low half of an id of version 7 is random.
fn fold((high, low): (u64, u64)) -> i64 {
    (high.rotate_left(32) ^ low).cast_signed()
}

/// FNV-1a: the same on every node and in every release (draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use denizen_domain::authority::{Authority, AuthorityLock, LockMode};
    use denizen_domain::id::UserId;
    use denizen_domain::roles::RoleName;
    use uuid::Uuid;

    use super::{fnv1a, in_order, key};

    #[test]
    fn a_role_has_the_same_number_everywhere() {
        // The test vector of the specification.
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn locks_are_in_one_order_and_the_exclusive_one_remains() {
        let (user, role) = (Authority::from(UserId::from_uuid(Uuid::from_u128(7))), Authority::from(RoleName::admin()));
        let lock = |of: &Authority, mode| AuthorityLock { of: of.clone(), mode };
        let (keys, are_exclusive) =
            in_order(&[lock(&user, LockMode::Shared), lock(&role, LockMode::Shared), lock(&user, LockMode::Exclusive)]);
        let mut expected = [(key(&user), true), (key(&role), false)];
        expected.sort_unstable();
        assert_eq!(keys.into_iter().zip(are_exclusive).collect::<Vec<_>>(), expected);
    }
}
