//! The conformance suite of the store, on SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::store::{Store, StoreError};
use denizen_infra_sqlite::{SqliteOptions, SqliteStore, migrate, pending};
use denizen_testkit::{TestDatabase, suite};
use tempfile::TempDir;

struct Sqlite(TempDir);

impl Sqlite {
    fn options(&self) -> SqliteOptions {
        SqliteOptions::new(self.0.path().join("data/denizen.db"))
    }
}

#[async_trait]
impl TestDatabase for Sqlite {
    async fn migrate(&self) -> Result<(), StoreError> {
        migrate(&self.options()).await
    }

    async fn pending(&self) -> Result<usize, StoreError> {
        Ok(pending(&self.options()).await?.len())
    }

    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(SqliteStore::open(&self.options())?))
    }
}

async fn open() -> Sqlite {
    Sqlite(TempDir::new().expect("a temporary folder is made"))
}

suite!(open);
