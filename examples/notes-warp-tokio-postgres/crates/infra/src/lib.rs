//! The database, with tokio-postgres.

mod notes;
mod pool;
mod tls;

pub use pool::Database;
