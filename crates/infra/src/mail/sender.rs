//! From whom mails are.

use std::fmt;

use lettre::message::Mailbox;

/// The mailbox that mails are from: `no-reply@example.com`, or with a name, `Example <no-reply@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads a mailbox (RFC 5322 §3.4).
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        if raw.chars().any(char::is_control) {
            return None;
        }
        raw.parse().ok().map(Self)
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    /// The domain of its address.
    pub(super) fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
