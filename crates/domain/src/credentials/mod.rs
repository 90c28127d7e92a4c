//! Credentials: how a user proves to be themselves.

mod password;

pub mod change;
pub mod store;

pub use change::{change, set};
pub use password::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password, PasswordAttempt, PasswordHash,
};
