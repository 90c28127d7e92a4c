//! The conformance suite of the store, on PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::store::{Store, StoreError};
use denizen_infra_postgres::{PoolerMode, PostgresOptions, PostgresStore, migrate, pending};
use denizen_testkit::postgres::PostgresDatabase;
use denizen_testkit::{TestDatabase, suite};

struct Postgres {
    database: PostgresDatabase,
    pooler_mode: PoolerMode,
}

impl Postgres {
    fn options(&self) -> PostgresOptions {
        let prepared_statements = self.pooler_mode == PoolerMode::Session;
        PostgresOptions {
            pooler_mode: self.pooler_mode,
            prepared_statements,
            ..PostgresOptions::new(self.database.url())
        }
    }
}

#[async_trait]
impl TestDatabase for Postgres {
    async fn migrate(&self) -> Result<(), StoreError> {
        migrate(&self.options()).await
    }

    async fn pending(&self) -> Result<usize, StoreError> {
        Ok(pending(&self.options()).await?.len())
    }

    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(PostgresStore::open(&self.options())?))
    }
}

async fn open() -> Postgres {
    Postgres { database: PostgresDatabase::create().await, pooler_mode: PoolerMode::Session }
}

suite!(open);

/// Without anything that outlasts a transaction in its session.
mod in_transaction_mode {
    use super::*;

    async fn open() -> Postgres {
        Postgres { pooler_mode: PoolerMode::Transaction, ..super::open().await }
    }

    suite!(open);
}
