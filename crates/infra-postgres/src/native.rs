//! The connection of a write transaction, for rows of an application that are committed with it.

use denizen_domain::store::{StoreError, WriteTx};
use sqlx::{Executor, PgConnection};

use crate::error::store_error;
use crate::tx::PostgresTx;

/// The connection of a write transaction; `None` if the transaction is not one of PostgreSQL.
///
/// # Errors
/// If the connection is lost.
pub async fn connection_of(tx: &mut dyn WriteTx) -> Option<Result<&mut PgConnection, StoreError>> {
    let tx: &mut PostgresTx = tx.as_any().downcast_mut()?;
    Some(tx.connection().await.and_then(|lent| lent.raw()))
}

/// Runs a statement in a write transaction; `None` if the transaction is not one of PostgreSQL.
///
/// # Errors
/// If the statement fails.
pub async fn execute(tx: &mut dyn WriteTx, statement: &'static str) -> Option<Result<(), StoreError>> {
    let tx: &mut PostgresTx = tx.as_any().downcast_mut()?;
    let lent = match tx.connection().await {
        Ok(lent) => lent,
        Err(error) => return Some(Err(error)),
    };
    Some(lent.execute(statement).await.map(drop).map_err(store_error))
}
