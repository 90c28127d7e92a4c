//! A unit of work: every trait of the port is implemented for it, each in its own file.

use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::store::{ReadTx, StoreError, WriteTx};
use rusqlite::Row;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use uuid::Uuid;

use crate::error::store_error;
use crate::in_place::{InPlaceReaders, NotInPlace};

/// A unit of work on SQLite.
pub(crate) struct SqliteTx(Reach);

enum Reach {
    /// Queries that stand alone. A pooled connection is taken only when one cannot be answered in place.
    Single { in_place: Arc<InPlaceReaders>, readers: SqlitePool, connection: Option<PoolConnection<Sqlite>> },
    /// Queries of one transaction, which all go through its connection.
    Transaction(Transaction<'static, Sqlite>),
}

impl SqliteTx {
    pub(crate) fn single_reads(readers: SqlitePool, in_place: Arc<InPlaceReaders>) -> Self {
        Self(Reach::Single { in_place, readers, connection: None })
    }

    pub(crate) fn transaction(transaction: Transaction<'static, Sqlite>) -> Self {
        Self(Reach::Transaction(transaction))
    }

    /// The connection to query.
    pub(crate) async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        match &mut self.0 {
            Reach::Transaction(transaction) => Ok(transaction),
            Reach::Single { connection: Some(connection), .. } => Ok(connection),
            Reach::Single { connection, readers, .. } => {
                Ok(connection.insert(readers.acquire().await.map_err(store_error)?))
            }
        }
    }

    /// Looks one row up by id in place; the error sends the caller to [`Self::connection`].
    pub(crate) fn find_in_place<T>(
        &self,
        sql: &'static str,
        id: Uuid,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, NotInPlace> {
        match &self.0 {
            Reach::Single { in_place, .. } => in_place.find(sql, id, read),
            // Elsewhere is outside the transaction.
            Reach::Transaction(_) => Err(NotInPlace),
        }
    }
}

impl ReadTx for SqliteTx {}

#[async_trait]
impl WriteTx for SqliteTx {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        match self.0 {
            Reach::Transaction(transaction) => transaction.commit().await.map_err(store_error),
            // Never lent for writing, so there is nothing to commit.
            Reach::Single { .. } => Ok(()),
        }
    }
}
