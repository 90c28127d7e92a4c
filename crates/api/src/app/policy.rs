//! The rules that the configuration sets.

use denizen_domain::budgets::{self, Patience};
use denizen_domain::ctx::Policy;
use denizen_domain::one_time::Purpose;
use denizen_domain::providers::Redirects;
use denizen_domain::webhooks::Patience as WebhookPatience;
use denizen_infra::mail::Links;

use crate::config::{Config, Limits};
use crate::post::sends_mail;

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;

/// The rules for use cases.
pub(super) fn policy(config: &Config) -> Policy {
    Policy {
        signup: config.signup.mode,
        public_url: config.server.public_url(),
        redirects: Redirects::new(config.sign_in.redirect_urls.clone()).with_own_page(&format!(
            "{}{}",
            config.server.public_url(),
            Links::path(Purpose::SignIn)
        )),
        conceals_sign_up: config.signup.conceal_existing,
        requires_verified_email: config.signup.require_verified_email,
        signup_domains: config.signup.allowed_domains.clone(),
        password_chars_min: config.security.password_min_chars,
        product_name: config.product.name.clone(),
        guessing: guessing(&config.limits),
        sends_mail: sends_mail(config),
        mail_request_delay_ms: config.mail.request_delay_ms,
        offers_mailed_codes: config.sign_in.mailed_codes,
        offers_magic_links: config.sign_in.magic_links,
        access_ttl_s: config.sessions.access_ttl_s,
        session_idle_ttl_s: config.sessions.idle_ttl_s,
        session_absolute_ttl_s: config.sessions.absolute_ttl_s,
        sessions_per_user_max: config.sessions.per_user_max,
        refresh_grace_s: config.sessions.refresh_grace_s,
        issuer: config.tokens.issuer.clone().unwrap_or_else(|| config.server.public_url()),
        audience: config.tokens.audience.clone(),
        token_claims: config.tokens.claims.clone(),
        token_algorithm: config.tokens.algorithm,
        key_rotation_s: config.tokens.key_rotation_days * SECONDS_PER_DAY,
        key_lead_s: config.tokens.key_lead_s,
        deletion_grace_s: config.users.deletion_grace_days * SECONDS_PER_DAY,
        events_pseudonymized_after_s: days(config.events.pseudonymize_after_days),
        events_kept_s: days(config.events.retention_days),
        webhooks: WebhookPatience {
            retry_first_ms: config.webhooks.retry_first_ms,
            retry_for_s: config.webhooks.retry_for_s,
            timeout_s: config.webhooks.timeout_s,
        },
    }
}

/// A number of days in seconds; `None` for 0.
fn days(days: u32) -> Option<u32> {
    (days > 0).then(|| days.saturating_mul(SECONDS_PER_DAY))
}

fn guessing(limits: &Limits) -> budgets::Limits {
    let account = Patience {
        free: limits.failures_free,
        delay_s: limits.failures_delay_s.min(limits.failures_delay_max_s),
        delay_max_s: limits.failures_delay_max_s,
        forgotten_s: limits.failures_forgotten_s,
    };
    let address = Patience { free: limits.address_failures_free, ..account };
    budgets::Limits {
        account,
        address: (address.free > 0).then_some(address),
        mails_per_hour: limits.mails_per_hour,
        mail_requests_per_hour: limits.mail_requests_per_hour,
        sign_up_mails_per_hour: limits.sign_up_mails_per_hour,
        account_mails_per_hour: limits.account_mails_per_hour,
        sign_up_attributes_kib_per_hour: limits.sign_up_attributes_kib_per_hour,
    }
}
