//! Second factors.

use async_trait::async_trait;
use denizen_domain::factors::store::{FactorReads, FactorWrites};
use denizen_domain::factors::{RecoveryCodeHash, Standing, TotpFactor};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::shared::values::{ROWS_AT_ONCE_MAX, hex, ids_json, rows_json};
use crate::sql::{execute, execute_bulk, fetch_all, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl FactorReads for Tx {
    async fn second_factor_standing(&mut self, user: UserId) -> Result<Standing, StoreError> {
        let row = fetch_optional!(self, StandingRow, "queries/second_factor_standing.sql", user.as_uuid())?;
        Ok(row.map(Standing::from).unwrap_or_default())
    }

    async fn find_totp(&mut self, user: UserId) -> Result<Option<TotpFactor>, StoreError> {
        let row = fetch_optional!(self, TotpRow, "../store-shared/queries/find_totp.sql", user.as_uuid())?;
        Ok(row.map(|row| TotpFactor {
            user_id: user,
            sealed_secret: row.sealed_secret,
            created_at: Timestamp::from_micros(row.created_at),
            confirmed_at: row.confirmed_at.map(Timestamp::from_micros),
            last_step: row.last_step,
        }))
    }

    async fn count_recovery_codes(&mut self, user: UserId) -> Result<u64, StoreError> {
        let count = fetch_scalar!(self, i64, "../store-shared/queries/count_recovery_codes.sql", user.as_uuid())?;
        Ok(count.cast_unsigned())
    }

    async fn totps_of(&mut self, users: &[UserId]) -> Result<Vec<TotpFactor>, StoreError> {
        let mut factors = Vec::new();
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            let rows = fetch_all!(self, UserTotpRow, "queries/totps_of.sql", ids)?;
            factors.extend(rows.into_iter().map(|row| TotpFactor {
                user_id: UserId::from_uuid(row.user_id),
                sealed_secret: row.sealed_secret,
                created_at: Timestamp::from_micros(row.created_at),
                confirmed_at: row.confirmed_at.map(Timestamp::from_micros),
                last_step: row.last_step,
            }));
        }
        Ok(factors)
    }

    async fn recovery_codes_of(&mut self, users: &[UserId]) -> Result<Vec<(UserId, RecoveryCodeHash)>, StoreError> {
        let mut codes = Vec::new();
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            for row in fetch_all!(self, RecoveryCodeRow, "queries/recovery_codes_of.sql", ids)? {
                let code = row.code_hash.try_into().map_err(|_| broken("a recovery code has not 32 bytes"))?;
                codes.push((UserId::from_uuid(row.user_id), code));
            }
        }
        Ok(codes)
    }
}

#[async_trait]
impl FactorWrites for Tx {
    async fn put_totp(&mut self, factor: &TotpFactor) -> Result<bool, StoreError> {
        let (user, at) = (factor.user_id.as_uuid(), factor.created_at.as_micros());
        Ok(execute!(self, "../store-shared/queries/put_totp.sql", user, factor.sealed_secret, at)? == 1)
    }

    async fn confirm_totp(
        &mut self,
        user: UserId,
        made: Timestamp,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, made, at) = (user.as_uuid(), made.as_micros(), at.as_micros());
        let is_confirmed = execute!(self, "../store-shared/queries/confirm_totp.sql", id, made, step, at)? == 1;
        if is_confirmed {
            self.changed(id);
        }
        Ok(is_confirmed)
    }

    async fn use_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/use_totp_step.sql", user.as_uuid(), step)? == 1)
    }

    async fn remove_totp(&mut self, user: UserId) -> Result<bool, StoreError> {
        let id = user.as_uuid();
        let is_removed = execute!(self, "../store-shared/queries/remove_totp.sql", id)? == 1;
        if is_removed {
            self.changed(id);
        }
        Ok(is_removed)
    }

    async fn remove_pending_totp(&mut self, user: UserId) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/remove_pending_totp.sql", user.as_uuid()).map(drop)
    }

    async fn insert_totps(&mut self, factors: &[TotpFactor]) -> Result<(), StoreError> {
        for factors in factors.chunks(ROWS_AT_ONCE_MAX) {
            let rows = factors.iter().map(|factor| {
                (
                    factor.user_id.as_uuid().simple().to_string(),
                    hex(&factor.sealed_secret),
                    factor.created_at.as_micros(),
                    factor.confirmed_at.map(Timestamp::as_micros),
                    factor.last_step,
                )
            });
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
            execute_bulk!(self, "queries/insert_totps.sql", rows)?;
            for factor in factors {
                self.changed(factor.user_id.as_uuid());
            }
        }
        Ok(())
    }

    async fn insert_recovery_codes(&mut self, codes: &[(UserId, RecoveryCodeHash)]) -> Result<(), StoreError> {
        for codes in codes.chunks(ROWS_AT_ONCE_MAX) {
            let rows = codes.iter().map(|(user, code)| (user.as_uuid().simple().to_string(), hex(code)));
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
            execute_bulk!(self, "queries/insert_recovery_codes.sql", rows)?;
        }
        Ok(())
    }

    async fn set_recovery_codes(&mut self, user: UserId, codes: &[RecoveryCodeHash]) -> Result<(), StoreError> {
        let user = user.as_uuid();
        execute!(self, "../store-shared/queries/remove_recovery_codes.sql", user)?;
        for code in codes {
            execute!(self, "../store-shared/queries/insert_recovery_code.sql", user, code.as_slice())?;
        }
        Ok(())
    }

    async fn use_recovery_code(&mut self, user: UserId, code: &RecoveryCodeHash) -> Result<bool, StoreError> {
        let (user, code) = (user.as_uuid(), code.as_slice());
        Ok(execute!(self, "../store-shared/queries/use_recovery_code.sql", user, code)? == 1)
    }
}

row! {
    /// A row of `totp_factors`.
    struct TotpRow {
        sealed_secret: Vec<u8>,
        created_at: i64,
        confirmed_at: Option<i64>,
        last_step: i64,
    }
}

row! {
    /// A row of `queries/second_factor_standing.sql`.
    pub(crate) struct StandingRow {
        has_totp: bool,
        has_passkey: bool,
        has_security_key: bool,
        is_required: bool,
        is_passkey_required: bool,
    }
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        Self {
            has_totp: row.has_totp,
            has_passkey: row.has_passkey,
            has_security_key: row.has_security_key,
            is_required: row.is_required,
            is_passkey_required: row.is_passkey_required,
        }
    }
}

row! {
    /// A row of `queries/totps_of.sql`.
    struct UserTotpRow {
        user_id: Uuid,
        sealed_secret: Vec<u8>,
        created_at: i64,
        confirmed_at: Option<i64>,
        last_step: i64,
    }
}

row! {
    /// A row of `queries/recovery_codes_of.sql`.
    struct RecoveryCodeRow {
        user_id: Uuid,
        code_hash: Vec<u8>,
    }
}
