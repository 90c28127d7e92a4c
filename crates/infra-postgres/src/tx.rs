//! A unit of work: every trait of the port is implemented for it, each in its own file.

use async_trait::async_trait;
use denizen_domain::store::{ReadTx, StoreError, WriteTx};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::error::store_error;

/// A unit of work on PostgreSQL.
pub(crate) struct PostgresTx(Reach);

enum Reach {
    /// Queries that stand alone. A pooled connection is taken at the first.
    Single { pool: PgPool, connection: Option<PoolConnection<Postgres>> },
    /// Queries of one transaction, which all go through its connection.
    Transaction(Transaction<'static, Postgres>),
}

impl PostgresTx {
    pub(crate) fn single_reads(pool: PgPool) -> Self {
        Self(Reach::Single { pool, connection: None })
    }

    pub(crate) fn transaction(transaction: Transaction<'static, Postgres>) -> Self {
        Self(Reach::Transaction(transaction))
    }

    /// The connection to query.
    pub(crate) async fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        match &mut self.0 {
            Reach::Transaction(transaction) => Ok(transaction),
            Reach::Single { connection: Some(connection), .. } => Ok(connection),
            Reach::Single { connection, pool } => Ok(connection.insert(pool.acquire().await.map_err(store_error)?)),
        }
    }
}

impl ReadTx for PostgresTx {}

#[async_trait]
impl WriteTx for PostgresTx {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        match self.0 {
            Reach::Transaction(transaction) => transaction.commit().await.map_err(store_error),
            // Never lent for writing, so there is nothing to commit.
            Reach::Single { .. } => Ok(()),
        }
    }
}
