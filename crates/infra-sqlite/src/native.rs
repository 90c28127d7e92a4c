//! The connection of a write transaction, for rows of an application that are committed with it.

use denizen_domain::store::{StoreError, WriteTx};
use rusqlite::Connection;

use crate::tx::SqliteTx;

/// Runs statements of an application in a write transaction; `None` if the transaction is not one of SQLite.
///
/// # Errors
/// If the transaction was already lost, or `work` ended it: then it is rolled back.
pub fn with_connection<T>(tx: &mut dyn WriteTx, work: impl FnOnce(&Connection) -> T) -> Option<Result<T, StoreError>> {
    let tx: &mut SqliteTx = tx.as_any().downcast_mut()?;
    Some(tx.turn().and_then(|turn| turn.lend(work)))
}

/// Runs a statement in a write transaction; `None` if the transaction is not one of SQLite.
///
/// # Errors
/// If the statement fails.
pub fn execute(tx: &mut dyn WriteTx, statement: &'static str) -> Option<Result<(), StoreError>> {
    let tx: &mut SqliteTx = tx.as_any().downcast_mut()?;
    Some(tx.turn().and_then(|turn| turn.run(|connection| connection.execute_batch(statement))))
}
