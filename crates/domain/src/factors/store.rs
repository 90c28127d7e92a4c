//! What second factors need of a store.

use async_trait::async_trait;

use super::{RecoveryCodeHash, Standing, TotpFactor};
use crate::id::UserId;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading second factors.
#[async_trait]
pub trait FactorReads {
    /// What a sign-in of the user owes; nothing when there is no such user. On the path of every sign-in.
    async fn second_factor_standing(&mut self, user: UserId) -> Result<Standing, StoreError>;

    /// The user's TOTP factor, confirmed or not.
    async fn find_totp(&mut self, user: UserId) -> Result<Option<TotpFactor>, StoreError>;

    /// How many recovery codes the user has left.
    async fn count_recovery_codes(&mut self, user: UserId) -> Result<u64, StoreError>;

    /// The TOTP factors of users, confirmed or not, in any order, by few statements.
    async fn totps_of(&mut self, users: &[UserId]) -> Result<Vec<TotpFactor>, StoreError>;

    /// The recovery codes of users, in any order, by few statements.
    async fn recovery_codes_of(&mut self, users: &[UserId]) -> Result<Vec<(UserId, RecoveryCodeHash)>, StoreError>;
}

/// Keeping second factors.
#[async_trait]
pub trait FactorWrites {
    /// Keeps a factor that is yet to be confirmed, in place of one that is not either; `false`, and nothing done, when
    /// there is a confirmed one.
    async fn put_totp(&mut self, factor: &TotpFactor) -> Result<bool, StoreError>;

    /// Confirms the factor by the code of a time step; `false`, and nothing done, when it is confirmed already or was
    /// replaced since it was `made`.
    async fn confirm_totp(
        &mut self,
        user: UserId,
        made: Timestamp,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes the code of a time step, by one statement: `false`, and nothing done, when it or a later one was taken.
    async fn use_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError>;

    /// Removes the factor; `false` when there is none.
    async fn remove_totp(&mut self, user: UserId) -> Result<bool, StoreError>;

    /// Removes the factor if it is yet to be confirmed.
    async fn remove_pending_totp(&mut self, user: UserId) -> Result<(), StoreError>;

    /// Adds the factors of users who have none, by few statements.
    async fn insert_totps(&mut self, factors: &[TotpFactor]) -> Result<(), StoreError>;

    /// Adds recovery codes, by few statements. A code that its user has already is added once.
    async fn insert_recovery_codes(&mut self, codes: &[(UserId, RecoveryCodeHash)]) -> Result<(), StoreError>;

    /// Replaces the user's recovery codes, all of them.
    async fn set_recovery_codes(&mut self, user: UserId, codes: &[RecoveryCodeHash]) -> Result<(), StoreError>;

    /// Takes a recovery code; `false` when there is no such one: of many at once, one gets `true`.
    async fn use_recovery_code(&mut self, user: UserId, code: &RecoveryCodeHash) -> Result<bool, StoreError>;
}
