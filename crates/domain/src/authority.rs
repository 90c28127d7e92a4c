//! What the authority of a caller rests on, and how it is locked.
//!
//! A write on behalf of a caller shares the lock of the caller's account and that of the caller's role. A change that takes
//! authority away (ending a session, disabling, deleting, changing a role) locks the account or the role exclusively. So
//! the two never overlap: a write either commits before the revocation begins, or reads what the revocation has committed.

use crate::access::Subject;
use crate::id::{ServiceAccountId, UserId};
use crate::roles::RoleName;

/// Something whose change gives or takes authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// An account: its status, its role, its sessions, its factors and its API keys.
    Subject(Subject),
    /// A role: its permissions and its policy on second factors.
    Role(RoleName),
}

/// How an [`Authority`] is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// By any number of transactions that rely on it.
    Shared,
    /// By one transaction that changes it.
    Exclusive,
}

/// A lock that a write transaction begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityLock {
    /// What is locked.
    pub of: Authority,
    /// How.
    pub mode: LockMode,
}

impl AuthorityLock {
    /// The locks of a transaction that changes these.
    #[must_use]
    pub fn on(targets: &[Authority]) -> Vec<Self> {
        targets.iter().map(|of| Self { of: of.clone(), mode: LockMode::Exclusive }).collect()
    }

    /// The locks of a transaction that changes these and relies on the caller's account and role.
    #[must_use]
    pub fn on_behalf_of(subject: Subject, role: &RoleName, targets: &[Authority]) -> Vec<Self> {
        let mut locks = Self::on(targets);
        for of in [Authority::Subject(subject), Authority::Role(role.clone())] {
            if !targets.contains(&of) {
                locks.push(Self { of, mode: LockMode::Shared });
            }
        }
        locks
    }
}

impl From<UserId> for Authority {
    fn from(id: UserId) -> Self {
        Self::Subject(Subject::User(id))
    }
}

impl From<ServiceAccountId> for Authority {
    fn from(id: ServiceAccountId) -> Self {
        Self::Subject(Subject::ServiceAccount(id))
    }
}

impl From<Subject> for Authority {
    fn from(subject: Subject) -> Self {
        Self::Subject(subject)
    }
}

impl From<RoleName> for Authority {
    fn from(name: RoleName) -> Self {
        Self::Role(name)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Authority, AuthorityLock, LockMode};
    use crate::access::Subject;
    use crate::id::UserId;
    use crate::roles::RoleName;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n))
    }

    fn check(targets: &[Authority], expected: &[(Authority, LockMode)]) {
        let locks = AuthorityLock::on_behalf_of(Subject::User(user(1)), &RoleName::admin(), targets);
        let found: Vec<_> = locks.into_iter().map(|lock| (lock.of, lock.mode)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_target_is_locked_exclusively_and_the_caller_is_shared() {
        let (caller, other) = (Authority::from(user(1)), Authority::from(user(2)));
        let role = Authority::from(RoleName::admin());
        check(&[], &[(caller.clone(), LockMode::Shared), (role.clone(), LockMode::Shared)]);
        check(
            std::slice::from_ref(&other),
            &[
                (other.clone(), LockMode::Exclusive),
                (caller.clone(), LockMode::Shared),
                (role.clone(), LockMode::Shared),
            ],
        );
    }

    #[test]
    fn a_caller_who_changes_themselves_is_locked_once() {
        let (caller, role) = (Authority::from(user(1)), Authority::from(RoleName::admin()));
        check(
            std::slice::from_ref(&caller),
            &[(caller.clone(), LockMode::Exclusive), (role.clone(), LockMode::Shared)],
        );
        check(std::slice::from_ref(&role), &[(role.clone(), LockMode::Exclusive), (caller, LockMode::Shared)]);
    }
}
