//! Spending from budgets: one statement that stands alone.

use denizen_domain::budgets::store::{BudgetWrites, Forgiving, Spending};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query_file, query_scalar};

use crate::error::store_error;
use crate::lend::Lender;
use crate::tx::PostgresTx;

/// How long whoever lost a race is told to wait when the winner's block is over already, in seconds.
const RACE_LOST_S: u32 = 1;

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
    let mut tx = PostgresTx::single_statements(lender.lend().await?);
    let row = query.fetch_one(tx.connection().await?).await.map_err(store_error)?;
    if row.is_too_long == Some(true) {
        // The clock was set back since.
        let at = now.as_micros();
        let query = query_file!("queries/shorten_blocks.sql", &keys, &free, &delays, &longest, &quiet, at);
        query.execute(tx.connection().await?).await.map_err(store_error)?;
        return Ok(Some(end_of_blocks(&mut tx, &keys, now).await?));
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
    tx.forgive_budgets(&back).await?;
    Ok(Some(end_of_blocks(&mut tx, &keys, now).await?))
}

/// Until when the last of them is blocked.
async fn end_of_blocks(tx: &mut PostgresTx, keys: &[Vec<u8>], now: Timestamp) -> Result<Timestamp, StoreError> {
    let query = query_scalar!("SELECT max(blocked_until) FROM budgets WHERE key = ANY($1)", keys);
    let blocked_until = query.fetch_one(tx.connection().await?).await.map_err(store_error)?;
    let at_least = now.plus_seconds(RACE_LOST_S);
    Ok(blocked_until.map_or(at_least, |until| Timestamp::from_micros(until).max(at_least)))
}
