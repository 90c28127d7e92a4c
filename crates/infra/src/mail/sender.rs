//! From whom mails are.

use std::fmt;

use lettre::Address;
use lettre::message::Mailbox;

/// The mailbox that mails are from: `no-reply@example.com`, or with a name, `Example <no-reply@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads a mailbox (RFC 5322 §3.4). An internationalized domain becomes A-labels (RFC 5891), which every mail server
    /// accepts.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        if raw.chars().any(char::is_control) {
            return None;
        }
        let mut mailbox: Mailbox = raw.parse().ok()?;
        if !mailbox.email.domain().is_ascii() {
            let domain = idna::domain_to_ascii_strict(mailbox.email.domain()).ok()?;
            mailbox.email = Address::new(mailbox.email.user(), domain).ok()?;
        }
        Some(Self(mailbox))
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
