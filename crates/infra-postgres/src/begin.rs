//! Opening a transaction, whatever becomes of whoever asked for it.

use denizen_domain::store::StoreError;
use sqlx::{PgPool, Postgres, SqlSafeStr, Transaction};

use crate::error::{broken, store_error};

/// Takes a connection and opens a transaction on it.
///
/// When the future that sends `BEGIN` is dropped before the answer is there, because a client hung up for example, sqlx 0.9
/// gives the connection back to the pool with the transaction open, and whoever gets it next works in it. So that future
/// is run to its end by a task; a transaction that nobody takes over any more is rolled back by its drop.
pub(crate) async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    let connection = pool.acquire().await.map_err(store_error)?;
    let beginning = tokio::spawn(Transaction::begin(connection, Some(statement.into_sql_str())));
    beginning.await.map_err(broken)?.map_err(store_error)
}
