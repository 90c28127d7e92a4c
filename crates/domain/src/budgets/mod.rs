//! Budgets: what is counted in the database against a canonical key, so that it holds for many tries at once and over
//! many nodes.
//!
//! A guess is counted *before* it is made, by the statement that decides whether it may be made; being right takes it
//! back. The first failures are free, each further one blocks its key for a while, twice as long each time. It is
//! soft: nothing is locked for good, and a device that the user has signed in on has a budget of its own, which no
//! stranger can spend.

pub mod admit;
mod attributes;
mod key;
pub mod mail;
pub mod purge;
pub mod store;

pub use admit::{Admitted, admit_client, admit_factor, admit_own, admit_password, forgive, forgive_account, give_back};
pub(crate) use attributes::admit_attributes;
pub use key::BudgetKey;
pub(crate) use mail::admit_notification;
pub use mail::{MailCause, admit_mail};
pub use purge::purge;

/// How long the windows of mail and of attributes are, in seconds.
const HOUR_S: u32 = 60 * 60;
/// When to ask again once such a window is used up, in seconds: it is fixed, and may end at any time.
const RETRY_AFTER_S: u32 = 5 * 60;

/// What failures cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How many failures are free; the last of them is the first to block. At least 1.
    pub free: u32,
    /// How long the first block lasts, in seconds; each further one lasts twice as long.
    pub delay_s: u32,
    /// How long a block lasts at most, in seconds.
    pub delay_max_s: u32,
    /// How long after the last failure, or the end of its block, all of them are forgotten, in seconds.
    pub forgotten_s: u32,
}

/// How much guessing and mail is put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures on one account, on one second factor, or from one known device.
    pub account: Patience,
    /// Failures from one client address, whatever the accounts; `None` is no limit.
    pub address: Option<Patience>,
    /// How many messages of a kind one address is sent each hour.
    pub mails_per_hour: u32,
    /// How many messages one client may ask for each hour.
    pub mail_requests_per_hour: u32,
    /// How many accounts one client may create each hour that are sent mail.
    pub sign_up_mails_per_hour: u32,
    /// How many messages one account may cause each hour; who may write users, fifty times as many.
    pub account_mails_per_hour: u32,
    /// How large the attributes are with which one client may create accounts each hour, in KiB.
    pub sign_up_attributes_kib_per_hour: u32,
}
