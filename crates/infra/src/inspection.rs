//! What a database says about itself, for diagnosis. Changes nothing.

use std::path::PathBuf;

use denizen_domain::ports::Clock;
use denizen_domain::store::StoreError;

use crate::stores::StoreOptions;

pub use denizen_infra_postgres::{Inspection as PostgresInspection, PoolerInspection};
pub use denizen_infra_sqlite::Inspection as SqliteInspection;

/// What a database says about itself.
#[derive(Debug, Clone)]
pub enum Inspection {
    /// An embedded file.
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: SqliteInspection,
    },
    /// A server.
    Postgres(PostgresInspection),
}

impl StoreOptions {
    /// Asks the database about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inspect(&self, clock: &dyn Clock) -> Result<Inspection, StoreError> {
        Ok(match self {
            Self::Sqlite(options) => {
                let found = denizen_infra_sqlite::inspect(&options.path, clock)?;
                Inspection::Sqlite { path: options.path.clone(), found }
            }
            Self::Postgres(options) => Inspection::Postgres(denizen_infra_postgres::inspect(options, clock).await?),
        })
    }
}
