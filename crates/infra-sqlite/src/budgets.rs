//! Spending from budgets and forgiving alone, as [group](crate::group) writes: every sign-in does both. Their text goes by
//! rusqlite only; the suite of the store and the test of the plans run it.

use denizen_domain::budgets::store::{Forgiving, Spending};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::group::{GroupWriter, execute};

const SPEND: &str = include_str!("../queries/spend_budget.sql");
const SHORTEN_BLOCK: &str = include_str!("../queries/shorten_block.sql");
const FIND_BLOCK: &str = include_str!("../queries/find_block.sql");
const FORGIVE_WHOLE: &str = include_str!("../../store-shared/queries/forgive_whole_budget.sql");
/// A count of nothing is no row: a client that is blocked must not leave one for each address that it tries.
const REMOVE_UNSPENT: &str = "DELETE FROM budgets WHERE key = $1 AND spent = 0";
const FORGIVE_ONE: &str = include_str!("../queries/forgive_one_budget.sql");

/// Counts all or none.
pub(crate) async fn spend(
    group: &GroupWriter,
    spendings: Vec<Spending>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let blocked_until = group.run(move |connection| spend_in(connection, &spendings, now)).await?;
    Ok(blocked_until.map(Timestamp::from_micros))
}

pub(crate) async fn forgive(group: &GroupWriter, forgiven: Vec<Forgiving>) -> Result<(), StoreError> {
    group.run(move |connection| forgive_in(connection, &forgiven)).await
}

/// Takes failures back within a group.
pub(crate) fn forgive_in(connection: &Connection, forgiven: &[Forgiving]) -> rusqlite::Result<()> {
    for forgiving in forgiven {
        match forgiving {
            Forgiving::Whole(key) => execute(connection, FORGIVE_WHOLE, params![key.as_bytes().as_slice()])?,
            Forgiving::One(key) => execute(connection, FORGIVE_ONE, params![key.as_bytes().as_slice()])?,
        };
    }
    Ok(())
}

fn spend_in(connection: &Connection, spendings: &[Spending], now: Timestamp) -> rusqlite::Result<Option<i64>> {
    for (at, spending) in spendings.iter().enumerate() {
        if execute_for(connection, SPEND, spending, now)? == 0 {
            return give_back(connection, spendings, at, now);
        }
    }
    Ok(None)
}

/// Takes back what was counted before the blocked one, and says until when the last of all of them is blocked.
fn give_back(
    connection: &Connection,
    spendings: &[Spending],
    blocked: usize,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    // Nobody else writes meanwhile, so those before it are as they were but for this one.
    let before: Vec<_> = spendings[..blocked].iter().map(|spending| Forgiving::One(spending.key)).collect();
    forgive_in(connection, &before)?;
    for spending in &spendings[..blocked] {
        execute(connection, REMOVE_UNSPENT, params![spending.key.as_bytes().as_slice()])?;
    }
    let mut blocked_until: Option<i64> = None;
    for spending in spendings {
        execute_for(connection, SHORTEN_BLOCK, spending, now)?;
        let key = spending.key.as_bytes().as_slice();
        let until = connection.prepare_cached(FIND_BLOCK)?.query_row([key], |row| row.get(0)).optional()?;
        blocked_until = blocked_until.max(until);
    }
    Ok(blocked_until)
}

/// Executes a statement that takes a key, the time and what a failure costs.
fn execute_for(connection: &Connection, sql: &str, spending: &Spending, now: Timestamp) -> rusqlite::Result<usize> {
    let Spending { key, patience } = spending;
    let micros = |seconds: u32| i64::from(seconds) * 1_000_000;
    let values = params![
        key.as_bytes().as_slice(),
        now.as_micros(),
        patience.free,
        micros(patience.delay_s),
        micros(patience.delay_max_s),
        micros(patience.forgotten_s)
    ];
    execute(connection, sql, values)
}
