//! Budgets in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::budgets::store::{BudgetWrites, Forgiving, Spending, Window};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file, query_scalar};

use crate::error::store_error;
use crate::lend::{Lender, Lent};
use crate::tx::PostgresTx;

/// How long whoever lost a race is told to wait when the winner's block is over already, in seconds.
const RACE_LOST_S: u32 = 1;

#[async_trait]
impl BudgetWrites for PostgresTx {
    async fn spend_window(&mut self, window: &Window, now: Timestamp) -> Result<bool, StoreError> {
        let key = window.key.as_bytes().as_slice();
        let (at, ends_at) = (now.as_micros(), now.plus_seconds(window.period_s).as_micros());
        let (amount, limit) = (i64::from(window.amount), i64::from(window.limit));
        let query = query_file!("queries/spend_window.sql", key, at, limit, ends_at, amount);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn forgive_budgets(&mut self, forgiven: &[Forgiving]) -> Result<(), StoreError> {
        forgive(self.connection().await?, forgiven).await
    }

    async fn purge_budgets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let query = query_file!("queries/purge_budgets.sql", now.as_micros(), i64::from(limit));
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

/// Takes failures back, in the order in which they were counted: two that do so cannot wait for each other.
pub(crate) async fn forgive(connection: &mut Lent, forgiven: &[Forgiving]) -> Result<(), StoreError> {
    for forgiving in forgiven {
        let done = match forgiving {
            Forgiving::Whole(key) => {
                let key = key.as_bytes().as_slice();
                query!("DELETE FROM budgets WHERE key = $1", key).execute(&mut *connection).await
            }
            Forgiving::One(key) => {
                let key = key.as_bytes().as_slice();
                // What is counted last is what blocks: less one, nothing does.
                let query =
                    query!("UPDATE budgets SET spent = greatest(spent - 1, 0), blocked_until = 0 WHERE key = $1", key);
                query.execute(&mut *connection).await
            }
        };
        done.map_err(store_error)?;
    }
    Ok(())
}

/// Counts all in one statement, or none.
pub(crate) async fn spend(
    lender: &Lender,
    spendings: &[Spending],
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let micros = |seconds: u32| i64::from(seconds) * 1_000_000;
    let each = |of: fn(&Spending) -> u32| spendings.iter().map(of);
    let keys: Vec<Vec<u8>> = spendings.iter().map(|spending| spending.key.as_bytes().to_vec()).collect();
    let free: Vec<i64> = each(|spending| spending.patience.free).map(i64::from).collect();
    let delays: Vec<i64> = each(|spending| spending.patience.delay_s).map(micros).collect();
    let longest: Vec<i64> = each(|spending| spending.patience.delay_max_s).map(micros).collect();
    let quiet: Vec<i64> = each(|spending| spending.patience.forgotten_s).map(micros).collect();
    let query = query_file!("queries/spend_budgets.sql", &keys, &free, &delays, &longest, &quiet, now.as_micros());
    let mut connection = lender.lend().await?;
    let row = query.fetch_one(&mut connection).await.map_err(store_error)?;
    if row.is_too_long == Some(true) {
        // The clock was set back since.
        let at = now.as_micros();
        let query = query_file!("queries/shorten_blocks.sql", &keys, &free, &delays, &longest, &quiet, at);
        query.execute(&mut connection).await.map_err(store_error)?;
        return Ok(Some(end_of_blocks(&mut connection, &keys, now).await?));
    }
    if let Some(blocked_until) = row.blocked_until {
        return Ok(Some(Timestamp::from_micros(blocked_until)));
    }
    if row.spent.len() == spendings.len() {
        return Ok(None);
    }

    // Another try blocked one of them at this very moment: the rest is given back.
    let was_spent = |spending: &&Spending| row.spent.iter().any(|key| key == spending.key.as_bytes());
    let back: Vec<_> = spendings.iter().filter(was_spent).map(|spending| Forgiving::One(spending.key)).collect();
    forgive(&mut connection, &back).await?;
    Ok(Some(end_of_blocks(&mut connection, &keys, now).await?))
}

/// Until when the last of them is blocked.
async fn end_of_blocks(connection: &mut Lent, keys: &[Vec<u8>], now: Timestamp) -> Result<Timestamp, StoreError> {
    let query = query_scalar!("SELECT max(blocked_until) FROM budgets WHERE key = ANY($1)", keys);
    let blocked_until = query.fetch_one(&mut *connection).await.map_err(store_error)?;
    let at_least = now.plus_seconds(RACE_LOST_S);
    Ok(blocked_until.map_or(at_least, |until| Timestamp::from_micros(until).max(at_least)))
}
