//! The conformance suite of the store, on PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::store::{Store, StoreError};
use denizen_infra_postgres::{PostgresOptions, PostgresStore, migrate, pending};
use denizen_testkit::postgres::PostgresDatabase;
use denizen_testkit::{TestDatabase, suite};

struct Postgres(PostgresDatabase);

impl Postgres {
    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(self.0.url())
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
    Postgres(PostgresDatabase::create().await)
}

suite!(open);
