//! A database for one test, and how a case runs on it.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::store::{Store, StoreError};

/// A database of its own for one test: new, empty, and gone when it is dropped.
#[async_trait]
pub trait TestDatabase: Send + Sync + 'static {
    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// How many steps of the schema are pending.
    async fn pending(&self) -> Result<usize, StoreError>;

    /// Opens the store.
    fn open(&self) -> Result<Arc<dyn Store>, StoreError>;
}

/// What a case works with.
#[derive(Clone)]
pub struct Fixture {
    /// The database.
    pub database: Arc<dyn TestDatabase>,
    /// The store on it.
    pub store: Arc<dyn Store>,
}

/// Runs a case on a migrated database.
///
/// # Panics
/// When the case does, or the database cannot be made.
pub fn run<D: TestDatabase, O: Future<Output = D>, C: Future<Output = ()>>(
    open: fn() -> O,
    case: impl FnOnce(Fixture) -> C,
) {
    run_unmigrated(open, async |fixture| {
        fixture.database.migrate().await.expect("a new database is migrated");
        case(fixture).await;
    });
}

/// Runs a case on a database without a schema.
///
/// # Panics
/// When the case does, or the database cannot be made.
pub fn run_unmigrated<D: TestDatabase, O: Future<Output = D>, C: Future<Output = ()>>(
    open: fn() -> O,
    case: impl FnOnce(Fixture) -> C,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let database: Arc<dyn TestDatabase> = Arc::new(open().await);
        let store = database.open().expect("a new database is opened");
        case(Fixture { database: database.clone(), store: store.clone() }).await;
        store.close().await;
    });
}
