//! What budgets need of a store; spending is [`Store::spend_budgets`](crate::store::Store::spend_budgets).

use async_trait::async_trait;

use super::{BudgetKey, Patience};
use crate::store::StoreError;
use crate::time::Timestamp;

/// One more failure on a key, unless it is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// Whose.
    pub key: BudgetKey,
    /// What it costs.
    pub patience: Patience,
}

/// A failure that was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgiving {
    /// The whole count is gone: whoever is right at an account is its owner.
    Whole(BudgetKey),
    /// One less, and no block: whoever is right at one account may have been wrong at others.
    One(BudgetKey),
}

/// An amount, and how much of it is admitted within a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Of what.
    pub key: BudgetKey,
    /// How much is taken now; no more than the limit.
    pub amount: u32,
    /// How much is admitted in a window.
    pub limit: u32,
    /// How long, in seconds, from the first one on.
    pub period_s: u32,
}

/// Keeping budgets.
#[async_trait]
pub trait BudgetWrites {
    /// Takes the amount from a window, by one conditional statement; `false`, and nothing done, when too little is left.
    async fn spend_window(&mut self, window: &Window, now: Timestamp) -> Result<bool, StoreError>;

    /// Takes failures back. A key that is not there is forgiven already.
    async fn forgive_budgets(&mut self, forgiven: &[Forgiving]) -> Result<(), StoreError>;

    /// Removes at most so many budgets whose time is over, the longest over first, and says how many.
    async fn purge_budgets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
