//! Which addresses may be asked.

use std::net::IpAddr;
use std::sync::Arc;

use denizen_domain::error::RuleBroken;
use reqwest::Url;

use super::address::is_public;
use super::{OutsideError, parse_host};

/// Which addresses may be asked: public ones over TLS, and those of allowed hosts. Costs nothing, unlike a client.
#[derive(Debug, Clone)]
pub struct AddressRules {
    allowed: Arc<[String]>,
}

impl AddressRules {
    /// Rules under which these hosts may be anywhere, and need no TLS.
    #[must_use]
    pub fn new(allowed_hosts: &[String]) -> Self {
        let canonical = |host: &String| parse_host(host).unwrap_or_else(|| host.to_ascii_lowercase());
        Self { allowed: allowed_hosts.iter().map(canonical).collect() }
    }

    /// The host of an address to send to, read as it is when it is sent to. It may have no credentials and no fragment.
    ///
    /// # Errors
    /// `invalid_url`, `not_https` or `private_address`.
    pub fn host_of(&self, address: &str) -> Result<String, RuleBroken> {
        let broken = |code, message: &str| RuleBroken { code, message: message.to_owned() };
        let invalid = || broken("invalid_url", "must be an https URL, without credentials and without a fragment");
        let url = Url::parse(address).map_err(|_| invalid())?;
        let host = url.host_str().ok_or_else(invalid)?.to_ascii_lowercase();
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if host.is_empty() || has_credentials || url.fragment().is_some() || !matches!(url.scheme(), "http" | "https") {
            return Err(invalid());
        }
        if !self.has_safe_scheme(&url, &host) {
            return Err(broken("not_https", "must start with https: unless its host is allowed by the configuration"));
        }
        // The name of this very host needs no look-up to be refused.
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if (is_local && !self.is_allowed(&host)) || !self.may_be_reached(&host) {
            return Err(broken("private_address", "must not resolve to a private address"));
        }
        Ok(host)
    }

    /// Whether an address may be asked at all.
    ///
    /// # Errors
    /// [`OutsideError::NotAllowed`].
    pub fn permit(&self, address: &str) -> Result<(), OutsideError> {
        self.permitted(address).map(drop)
    }

    /// An address that may be asked.
    pub(super) fn permitted(&self, address: &str) -> Result<Url, OutsideError> {
        let url = Url::parse(address).map_err(|_| OutsideError::NotAllowed)?;
        let host = url.host_str().ok_or(OutsideError::NotAllowed)?.to_ascii_lowercase();
        if !self.has_safe_scheme(&url, &host) || !self.may_be_reached(&host) {
            return Err(OutsideError::NotAllowed);
        }
        Ok(url)
    }

    fn has_safe_scheme(&self, url: &Url, host: &str) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && self.is_allowed(host))
    }

    /// A literal address is not looked up, so it is checked here.
    fn may_be_reached(&self, host: &str) -> bool {
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        literal.is_none_or(|address| self.is_allowed(host) || is_public(address))
    }

    pub(super) fn is_allowed(&self, host: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == host)
    }
}
