//! Budgets.

use async_trait::async_trait;
use denizen_domain::budgets::store::{BudgetWrites, Forgiving, Window};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::sql::{execute, execute_bulk};
use crate::tx::Tx;

#[async_trait]
impl BudgetWrites for Tx {
    async fn spend_window(&mut self, window: &Window, now: Timestamp) -> Result<bool, StoreError> {
        let key = window.key.as_bytes().as_slice();
        let (at, ends_at) = (now.as_micros(), now.plus_seconds(window.period_s).as_micros());
        let (amount, limit) = (i64::from(window.amount), i64::from(window.limit));
        Ok(execute!(self, "queries/spend_window.sql", key, at, limit, ends_at, amount)? == 1)
    }

    async fn forgive_budgets(&mut self, forgiven: &[Forgiving]) -> Result<(), StoreError> {
        // In the order in which they were counted: two that do so cannot wait for each other.
        for forgiving in forgiven {
            match forgiving {
                Forgiving::Whole(key) => {
                    execute!(self, "../store-shared/queries/forgive_whole_budget.sql", key.as_bytes().as_slice())?
                }
                Forgiving::One(key) => execute!(self, "queries/forgive_one_budget.sql", key.as_bytes().as_slice())?,
            };
        }
        Ok(())
    }

    async fn purge_budgets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_budgets.sql", now.as_micros(), i64::from(limit))
    }
}
