//! The rules that configuration sets.

use crate::budgets::Limits;
#[cfg(test)]
use crate::budgets::Patience;
use crate::keys::Algorithm;
use crate::providers::Redirects;
use crate::tokens::AttributeClaim;
use crate::users::{EmailDomain, User};
use crate::webhooks;

/// The rules that configuration sets.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "settings that are independent of each other")]
pub struct Policy {
    /// Who may create an account.
    pub signup: SignupMode,
    /// Whether sign-up answers alike for taken and free addresses. Needs mail.
    pub conceals_sign_up: bool,
    /// Whether users sign in only with a verified address. Needs mail.
    pub requires_verified_email: bool,
    /// The domains whose addresses can sign up; all of them if empty.
    pub signup_domains: Vec<EmailDomain>,
    /// The shortest password, in characters. Never below [`crate::credentials::PASSWORD_CHARS_MIN`].
    pub password_chars_min: u32,
    /// What the product is called.
    pub product_name: String,
    /// How much guessing and mail is put up with.
    pub guessing: Limits,
    /// Whether mail is sent at all.
    pub sends_mail: bool,
    /// How long a mail that anybody can ask for waits at most until it is looked into, in milliseconds; 0 is not at all.
    pub mail_request_delay_ms: u32,
    /// Whether a code that is mailed signs in.
    pub offers_mailed_codes: bool,
    /// Whether a link that is mailed signs in.
    pub offers_magic_links: bool,
    /// How long an access token lives, in seconds.
    pub access_ttl_s: u32,
    /// How long a session lives unused, in seconds.
    pub session_idle_ttl_s: u32,
    /// How long a session lives at most, in seconds.
    pub session_absolute_ttl_s: u32,
    /// How many sessions of one user live at once; when there are more, the oldest ends.
    pub sessions_per_user_max: u32,
    /// How long the same refresh token gets the same answer again, in seconds; 0 is strict.
    pub refresh_grace_s: u32,
    /// The URL at which clients reach the server, without a trailing slash.
    pub public_url: String,
    /// Where browsers may be sent after a sign-in at a provider.
    pub redirects: Redirects,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// The attributes that access tokens contain as claims.
    pub token_claims: Vec<AttributeClaim>,
    /// The algorithm that signs access tokens.
    pub token_algorithm: Algorithm,
    /// How long a signing key signs before the next one takes over, in seconds; 0 is without end.
    pub key_rotation_s: u32,
    /// How long a signing key is published before it signs, in seconds: at least what caches may keep.
    pub key_lead_s: u32,
    /// The time from a deletion request to the deletion, in seconds; 0 deletes at once.
    pub deletion_grace_s: u32,
    /// How long events are kept, in seconds; without end when unset.
    pub events_kept_s: Option<u32>,
    /// After which time personal data of deleted users is erased from the event log, in seconds; `None` is never.
    pub events_pseudonymized_after_s: Option<u32>,
    /// How long, and how fast, deliveries to webhooks are tried.
    pub webhooks: webhooks::Patience,
}

impl Policy {
    /// Whether sign-up answers alike for taken and free addresses: as configured, and only where mail is sent.
    #[must_use]
    pub fn is_sign_up_concealed(&self) -> bool {
        self.conceals_sign_up && self.sends_mail
    }

    /// Whether a user with this status of the address must verify it first: as configured, and only where mail is sent.
    #[must_use]
    pub(crate) fn refuses_unverified(&self, user: &User) -> bool {
        self.requires_verified_email && self.sends_mail && !user.email_verified
    }
}

#[cfg(test)]
impl Policy {
    /// A policy to build a test's own on.
    pub(crate) fn for_tests() -> Self {
        Self {
            signup: SignupMode::Open,
            conceals_sign_up: false,
            requires_verified_email: false,
            signup_domains: Vec::new(),
            password_chars_min: 8,
            product_name: String::new(),
            guessing: Limits {
                account: Patience { free: 10, delay_s: 10, delay_max_s: 900, forgotten_s: 3_600 },
                address: None,
                mails_per_hour: 10,
                mail_requests_per_hour: 1_000,
                sign_up_mails_per_hour: 100,
                account_mails_per_hour: 20,
                sign_up_attributes_kib_per_hour: 16_384,
            },
            sends_mail: true,
            mail_request_delay_ms: 0,
            offers_mailed_codes: true,
            offers_magic_links: true,
            access_ttl_s: 900,
            session_idle_ttl_s: 60,
            session_absolute_ttl_s: 60,
            sessions_per_user_max: 100,
            refresh_grace_s: 10,
            public_url: "https://accounts.example.com".to_owned(),
            redirects: Redirects::default(),
            issuer: String::new(),
            audience: String::new(),
            token_claims: Vec::new(),
            token_algorithm: Algorithm::Es256,
            key_rotation_s: 0,
            key_lead_s: 600,
            deletion_grace_s: 0,
            events_kept_s: None,
            events_pseudonymized_after_s: None,
            webhooks: webhooks::Patience { retry_first_ms: 5_000, retry_for_s: 86_400, timeout_s: 10 },
        }
    }
}

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupMode {
    /// Anybody.
    Open,
    /// Only those who may write users.
    Closed,
}
