//! What passkeys need of a store.

use async_trait::async_trait;

use super::{CredentialId, CredentialKind, Passkey};
use crate::id::{PasskeyId, UserId};
use crate::passkeys::port::VerifiedUse;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::users::DisplayName;

/// Reading passkeys.
#[async_trait]
pub trait PasskeyReads {
    /// The passkey with this credential id.
    async fn find_passkey(&mut self, credential: &CredentialId) -> Result<Option<Passkey>, StoreError>;

    /// The passkeys of a user, the oldest first.
    async fn list_passkeys(&mut self, user: UserId) -> Result<Vec<Passkey>, StoreError>;

    /// The passkeys of users, the oldest first, by few statements.
    async fn passkeys_of(&mut self, users: &[UserId]) -> Result<Vec<Passkey>, StoreError>;

    /// The number of credentials of this kind of a user.
    async fn count_passkeys(&mut self, user: UserId, kind: CredentialKind) -> Result<u64, StoreError>;

    /// The ids of all relying parties that passkeys are known to belong to. Read at every start: the cost must not depend
    /// on the number of passkeys.
    async fn list_rp_ids(&mut self) -> Result<Vec<String>, StoreError>;

    /// The number of passkeys that are known to belong to this relying party.
    async fn count_passkeys_of_rp(&mut self, rp_id: &str) -> Result<u64, StoreError>;
}

/// Writing passkeys.
#[async_trait]
pub trait PasskeyWrites {
    /// Adds a passkey; `false`, and nothing done, if its credential is registered already.
    async fn insert_passkey(&mut self, passkey: &Passkey) -> Result<bool, StoreError>;

    /// Adds the passkeys whose credential is not registered, and returns their ids in any order.
    async fn insert_passkeys(&mut self, passkeys: &[&Passkey]) -> Result<Vec<PasskeyId>, StoreError>;

    /// Records a use of a passkey with this relying party; `false`, and nothing done, if the passkey no longer exists, or
    /// if its counter does not increase: a later use was recorded before.
    async fn use_passkey(
        &mut self,
        id: PasskeyId,
        used: VerifiedUse,
        rp_id: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Renames a passkey of the user; `false` if the user has no such passkey.
    async fn rename_passkey(&mut self, user: UserId, id: PasskeyId, name: &DisplayName) -> Result<bool, StoreError>;

    /// Removes a passkey of the user; `false` if the user has no such passkey.
    async fn remove_passkey(&mut self, user: UserId, id: PasskeyId) -> Result<bool, StoreError>;
}
