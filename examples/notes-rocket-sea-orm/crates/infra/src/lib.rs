//! The database, with SeaORM.

mod migrations;
mod note;
mod notes;
mod pool;

pub use pool::Database;
