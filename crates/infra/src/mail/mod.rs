//! Mail: put into words, and handed over to a server or to a folder.
//!
//! Reading order: this file (what is configured) → [`words`] (which text in which language) → `message` (the form of
//! RFC 5322) → `smtp` and `folder` (where it goes).
//!
//! Invariants:
//! - Links begin with the configured URL. No request can change them.
//! - Nothing from outside becomes a header by itself: lettre encodes every value.
//! - No error and no log line names an address, a link or a code; only a folder in development prints what opens.

mod folder;
mod message;
mod off;
mod sender;
mod smtp;
pub mod words;

pub use folder::{FolderMailer, Printing};
pub use off::NoMail;
pub use sender::Sender;
pub use smtp::{Credentials, Encryption, SmtpMailer, SmtpOptions};

use denizen_domain::one_time::Purpose;

use self::words::Words;

/// Where the links of mails lead.
#[derive(Debug, Clone)]
pub struct Links {
    /// What they begin with, without a trailing slash.
    pub base: String,
}

impl Links {
    /// The path at which a link of this purpose is followed.
    #[must_use]
    pub const fn path(purpose: Purpose) -> &'static str {
        match purpose {
            Purpose::PasswordReset => "/account/reset-password",
            Purpose::EmailVerification => "/account/verify-email",
            Purpose::EmailChange => "/account/confirm-email",
            Purpose::Invitation => "/account/accept-invitation",
            Purpose::SignIn => "/account/sign-in",
        }
    }

    /// The link that carries a token: its alphabet needs no escaping.
    fn to(&self, purpose: Purpose, token: &str) -> String {
        format!("{}{}?token={token}", self.base, Self::path(purpose))
    }
}

/// Who writes, and in which words: what every mailer shares.
pub struct Writer {
    /// From whom mails are.
    pub sender: Sender,
    /// The words.
    pub words: Words,
}
