//! Spending from budgets.

use denizen_domain::budgets::store::{BudgetWrites, Forgiving, Spending};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::sql::{execute, fetch_optional_scalar};
use crate::tx::SqliteTx;

impl SqliteTx {
    /// Counts a failure on each key, or on none if one of them is blocked: then, until when the last of them is.
    pub(crate) async fn spend_budgets(
        &mut self,
        spendings: &[Spending],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        for (at, Spending { key, patience }) in spendings.iter().enumerate() {
            let counted = execute!(
                self,
                "queries/spend_budget.sql",
                key.as_bytes().as_slice(),
                now.as_micros(),
                patience.free,
                micros(patience.delay_s),
                micros(patience.delay_max_s),
                micros(patience.forgotten_s)
            )?;
            if counted == 0 {
                return self.give_back(spendings, at, now).await;
            }
        }
        Ok(None)
    }

    /// Takes back what was counted before the blocked one, and says until when the last of all of them is blocked.
    async fn give_back(
        &mut self,
        spendings: &[Spending],
        blocked: usize,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        // No other write runs meanwhile, so those before it are as they were but for this one.
        let before: Vec<_> = spendings[..blocked].iter().map(|spending| Forgiving::One(spending.key)).collect();
        self.forgive_budgets(&before).await?;
        for spending in &spendings[..blocked] {
            // A count of nothing is no row: a client that is blocked must not leave one for each address that it tries.
            execute!(self, "queries/delete_unspent_budget.sql", spending.key.as_bytes().as_slice())?;
        }
        let mut blocked_until: Option<i64> = None;
        for Spending { key, patience } in spendings {
            let key = key.as_bytes().as_slice();
            execute!(
                self,
                "queries/shorten_block.sql",
                key,
                now.as_micros(),
                patience.free,
                micros(patience.delay_s),
                micros(patience.delay_max_s),
                micros(patience.forgotten_s)
            )?;
            let until = fetch_optional_scalar!(self, i64, "queries/find_block.sql", key)?;
            blocked_until = blocked_until.max(until);
        }
        Ok(blocked_until.map(Timestamp::from_micros))
    }
}

fn micros(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000
}
