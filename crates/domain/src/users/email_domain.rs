//! Domains of email addresses, and which of them can sign up.

use std::fmt;

use super::EmailAddress;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{FieldError, Result};

/// A domain in the form that addresses have: lower case, an internationalised one in its `xn--` form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailDomain(String);

impl EmailDomain {
    /// Reads a domain such as `example.com` or `bücher.example`; `None` if no address can be in it.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let is_domain = !raw.contains('@');
        let address = is_domain.then(|| EmailAddress::parse(&format!("user@{raw}")).ok()).flatten()?;
        Some(Self(address.domain().to_owned()))
    }

    /// Whether the address is in this domain. Subdomains are other domains.
    #[must_use]
    pub fn contains(&self, email: &EmailAddress) -> bool {
        self.0 == email.domain()
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses an address outside `signup.allowed_domains`. Callers with `users:write` can use any address.
///
/// The result does not depend on whether the address has an account.
pub(crate) fn require_allowed_domain(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    let allowed = &ctx.policy().signup_domains;
    if allowed.is_empty() || allowed.iter().any(|domain| domain.contains(email)) || ctx.holds(Permission::UsersWrite) {
        return Ok(());
    }
    let message = "must be an address in a domain that is allowed here";
    Err(FieldError::new("email", "domain_not_allowed", message).into())
}
