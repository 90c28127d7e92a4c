//! The database, with SQLx.

mod notes;
mod pool;

pub use pool::Database;
