//! The database, with Diesel.

mod key;
mod notes;
mod pool;
mod schema;
mod tls;

pub use pool::Database;
