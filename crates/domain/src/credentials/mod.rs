//! Credentials: how a user proves to be themselves.

mod chosen;
mod common;
mod context;
mod folded;
mod password;
mod strength;

pub mod change;
pub(crate) mod first_proof;
pub(crate) mod methods;
pub mod reset;
pub mod store;
pub mod verify_email;

pub use change::{change, set};
pub use chosen::NewPassword;
pub use password::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password, PasswordAttempt, PasswordHash,
};
pub use strength::Strength;
