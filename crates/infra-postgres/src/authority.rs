//! The locks on accounts and roles that writes share and revocations take: advisory ones, by a number for each.
//!
//! Not row locks: those would write to the row of a caller for each of their requests, and many who share one can keep
//! a transaction that wants it alone waiting. An advisory lock is granted in the order in which it was asked for.

use denizen_domain::access::Subject;
use denizen_domain::authority::{Authority, AuthorityLock, LockMode};
use denizen_domain::store::StoreError;

use crate::sql::execute;
use crate::tx::PostgresTx;

/// How a write transaction begins. READ COMMITTED is stated because a server can default to another level: a statement after
/// a lock must see what was committed while waiting for it.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The beginning of a write transaction that holds some locks.
pub(crate) struct Beginning {
    /// The statements that follow [`BEGIN`] in the same round trip. Each lock has one of its own, so that locks are granted in
    /// this order, and the statement after them sees what the holders before have committed.
    pub(crate) locks: Vec<String>,
    /// What is locked exclusively.
    pub(crate) locked: Vec<Authority>,
}

impl Beginning {
    /// Takes the locks in the order of their numbers, for every caller: no two wait in a circle.
    pub(crate) fn under(locks: &[AuthorityLock]) -> Self {
        let statement = |(key, mode)| {
            let function = match mode {
                LockMode::Shared => "pg_advisory_xact_lock_shared",
                LockMode::Exclusive => "pg_advisory_xact_lock",
            };
            // Quoted, or the lowest number would not be a bigint. Nothing but a number is put into the text.
            format!("SELECT {function}('{key}')")
        };
        let statements = in_order(locks).into_iter().map(statement).collect();
        let is_exclusive = |lock: &&AuthorityLock| lock.mode == LockMode::Exclusive;
        let locked = locks.iter().filter(is_exclusive).map(|lock| lock.of.clone()).collect();
        Self { locks: statements, locked }
    }
}

impl PostgresTx {
    /// Locks an account or a role exclusively, unless this transaction began with it. For a use case that finds out within the
    /// transaction what it changes; before any other lock.
    pub(crate) async fn lock_exclusively(&mut self, of: Authority) -> Result<(), StoreError> {
        if self.locked().contains(&of) {
            return Ok(());
        }
        execute!(self, "queries/take_advisory_lock.sql", key(&of))?;
        self.note_locked(of);
        Ok(())
    }
}

/// The numbers in order, each once.
fn in_order(locks: &[AuthorityLock]) -> Vec<(i64, LockMode)> {
    let mut locks: Vec<_> = locks.iter().map(|lock| (key(&lock.of), lock.mode)).collect();
    // Of two on the same thing the exclusive one comes first, and remains.
    locks.sort_unstable_by_key(|&(key, mode)| (key, mode == LockMode::Shared));
    locks.dedup_by_key(|(key, _)| *key);
    locks
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

    use super::{Beginning, fnv1a, in_order, key};

    #[test]
    fn a_role_has_the_same_number_everywhere() {
        // The test vector of the specification.
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn locks_are_in_one_order_and_the_exclusive_one_remains() {
        let (user, role) = (Authority::from(UserId::from_uuid(Uuid::from_u128(7))), Authority::from(RoleName::admin()));
        let lock = |of: &Authority, mode| AuthorityLock { of: of.clone(), mode };
        let locks = [lock(&user, LockMode::Shared), lock(&role, LockMode::Shared), lock(&user, LockMode::Exclusive)];
        let mut expected = [(key(&user), LockMode::Exclusive), (key(&role), LockMode::Shared)];
        expected.sort_unstable_by_key(|&(key, _)| key);
        assert_eq!(in_order(&locks), expected);
    }

    #[test]
    fn an_exclusive_lock_is_a_statement_of_its_own() {
        assert!(Beginning::under(&[]).locks.is_empty());
        let of = Authority::from(RoleName::admin());
        let beginning = Beginning::under(&[AuthorityLock { of: of.clone(), mode: LockMode::Exclusive }]);
        let number = key(&of);
        assert_eq!(beginning.locks, [format!("SELECT pg_advisory_xact_lock('{number}')")]);
        assert_eq!(beginning.locked, [of]);
    }
}
