//! Challenges: sign-ins that still owe something, a second factor or the code from a mail. Until it is given, nothing
//! is open.

pub mod store;

use secrecy::SecretString;
use uuid::Uuid;

use crate::auth_methods::Authenticated;
use crate::ctx::Services;
use crate::derived::Kind;
use crate::error::Result;
use crate::id::{ChallengeId, UserId};
use crate::ports::Vault;
use crate::time::Timestamp;
use crate::users::DisplayName;

/// What every challenge's token begins with.
pub const PREFIX: &str = "dnc_";
const KIND: Kind = Kind { prefix: PREFIX, purpose: "challenge" };
const CODE_PURPOSE: &str = "sign-in code";
/// How many decimal digits a mailed code has.
pub const CODE_DIGITS: u32 = 6;
/// How often a code may be tried.
pub const TRIES: u32 = 5;
/// How long a challenge can be met, in seconds.
pub const TTL_S: u32 = 10 * 60;

/// What is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// A second factor, after a first one was proven.
    SecondFactor,
    /// The code that was mailed.
    MailedCode,
    /// The registration of a passkey or a security key, after everything else was proven: the role requires one.
    PasskeyEnrolment,
}

impl ChallengeKind {
    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::MailedCode => "mailed_code",
            Self::PasskeyEnrolment => "passkey_enrolment",
        }
    }

    /// Reads a stored name.
    #[must_use]
    pub fn parse(stored: &str) -> Option<Self> {
        [Self::SecondFactor, Self::MailedCode, Self::PasskeyEnrolment].into_iter().find(|kind| kind.as_str() == stored)
    }
}

/// A sign-in that owes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Names it.
    pub id: ChallengeId,
    /// Whose sign-in it is. Nobody's, when a code was asked for an address that nobody has: it costs as much as any
    /// other, and is never met.
    pub user_id: Option<UserId>,
    /// What is owed.
    pub kind: ChallengeKind,
    /// How the user authenticated so far.
    pub authenticated: Authenticated,
    /// What the user called the device.
    pub label: Option<DisplayName>,
    /// How often it may still be tried.
    pub tries_left: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// Until when it can be met.
    pub expires_at: Timestamp,
}

/// The token that names a challenge to the client that owes it.
pub(crate) fn token_of(vault: &dyn Vault, id: ChallengeId) -> SecretString {
    KIND.token(vault, id.as_uuid().as_bytes())
}

/// The challenge that a token names.
pub(crate) fn open(vault: &dyn Vault, token: &SecretString) -> Option<ChallengeId> {
    KIND.open(vault, token).map(|id| ChallengeId::from_uuid(Uuid::from_bytes(id)))
}

/// The code that is mailed for a challenge: derived, so that nothing that signs in is kept.
#[must_use]
pub fn code_of(vault: &dyn Vault, id: ChallengeId) -> SecretString {
    let mac = vault.mac(CODE_PURPOSE, id.as_uuid().as_bytes());
    let (head, _) = mac.split_first_chunk().expect("a MAC has 32 bytes");
    // 10^6 of 2^64: every code is as likely as any other, to 14 digits.
    let number = u64::from_be_bytes(*head) % 10_u64.pow(CODE_DIGITS);
    format!("{number:0width$}", width = CODE_DIGITS as usize).into()
}

/// Removes at most so many challenges that are over, the longest over first, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_challenges(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
