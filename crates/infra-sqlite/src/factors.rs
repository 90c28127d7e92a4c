//! Second factors in SQLite.

use async_trait::async_trait;
use denizen_domain::factors::store::{FactorReads, FactorWrites};
use denizen_domain::factors::{RecoveryCodeHash, Standing, TotpFactor};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_as, query_file, query_file_as, query_scalar};

use crate::error::store_error;
use crate::tx::SqliteTx;

#[async_trait]
impl FactorReads for SqliteTx {
    async fn second_factor_standing(&mut self, user: UserId) -> Result<Standing, StoreError> {
        let user = user.as_uuid();
        let sql = include_str!("../queries/second_factor_standing.sql");
        if let Ok(found) = self.find_in_place(sql, &user.as_bytes().as_slice(), StandingRow::read_in_place) {
            return Ok(found.map(Standing::from).unwrap_or_default());
        }
        let query = query_file_as!(StandingRow, "queries/second_factor_standing.sql", user);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(Standing::from).unwrap_or_default())
    }

    async fn find_totp(&mut self, user: UserId) -> Result<Option<TotpFactor>, StoreError> {
        let id = user.as_uuid();
        let query = query_as!(
            TotpRow,
            "SELECT sealed_secret, created_at, confirmed_at, last_step FROM totp_factors WHERE user_id = $1",
            id
        );
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(|row| TotpFactor {
            user_id: user,
            sealed_secret: row.sealed_secret,
            created_at: Timestamp::from_micros(row.created_at),
            confirmed_at: row.confirmed_at.map(Timestamp::from_micros),
            last_step: row.last_step,
        }))
    }

    async fn count_recovery_codes(&mut self, user: UserId) -> Result<u64, StoreError> {
        let user = user.as_uuid();
        let query = query_scalar!(r#"SELECT count(*) AS "count!: i64" FROM recovery_codes WHERE user_id = $1"#, user);
        let count = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl FactorWrites for SqliteTx {
    async fn put_totp(&mut self, factor: &TotpFactor) -> Result<bool, StoreError> {
        let (user, created_at) = (factor.user_id.as_uuid(), factor.created_at.as_micros());
        let query = query_file!("queries/put_totp.sql", user, factor.sealed_secret, created_at);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn confirm_totp(
        &mut self,
        user: UserId,
        made: Timestamp,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, made, at) = (user.as_uuid(), made.as_micros(), at.as_micros());
        let query = query!(
            "UPDATE totp_factors SET confirmed_at = $4, last_step = $3
            WHERE user_id = $1 AND created_at = $2 AND confirmed_at IS NULL",
            id,
            made,
            step,
            at
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn use_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError> {
        let user = user.as_uuid();
        let query = query!(
            "UPDATE totp_factors SET last_step = $2
            WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL",
            user,
            step
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_totp(&mut self, user: UserId) -> Result<bool, StoreError> {
        let id = user.as_uuid();
        let query = query!("DELETE FROM totp_factors WHERE user_id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_pending_totp(&mut self, user: UserId) -> Result<(), StoreError> {
        let user = user.as_uuid();
        let query = query!("DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL", user);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn set_recovery_codes(&mut self, user: UserId, codes: &[RecoveryCodeHash]) -> Result<(), StoreError> {
        let user = user.as_uuid();
        let query = query!("DELETE FROM recovery_codes WHERE user_id = $1", user);
        query.execute(self.connection().await?).await.map_err(store_error)?;
        for code in codes {
            let code = code.as_slice();
            let query = query!("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)", user, code);
            query.execute(self.connection().await?).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn use_recovery_code(&mut self, user: UserId, code: &RecoveryCodeHash) -> Result<bool, StoreError> {
        let (user, code) = (user.as_uuid(), code.as_slice());
        let query = query!("DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2", user, code);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}

/// A row of `totp_factors`.
struct TotpRow {
    sealed_secret: Vec<u8>,
    created_at: i64,
    confirmed_at: Option<i64>,
    last_step: i64,
}

/// A row of `queries/second_factor_standing.sql`.
pub(crate) struct StandingRow {
    is_enrolled: bool,
    is_required: bool,
}

impl StandingRow {
    pub(crate) fn read_in_place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { is_enrolled: row.get(0)?, is_required: row.get(1)? })
    }
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        Self { is_enrolled: row.is_enrolled, is_required: row.is_required }
    }
}
