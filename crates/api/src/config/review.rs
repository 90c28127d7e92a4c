//! Valid settings that are probably unintended: `denizen config check` rejects them, `serve` logs them.

use denizen_infra::outside::{Outside, parse_host};
use http::Uri;
use secrecy::ExposeSecret;
use std::net::IpAddr;
use std::time::Duration;

use super::mistake::Mistake;
use super::{Config, Loaded};

impl Loaded {
    /// One line for each value that is valid but probably unintended.
    #[must_use]
    pub fn review(&self) -> Vec<Mistake> {
        let mut findings = Vec::new();
        if !self.app_env.is_dev() {
            self.review_public_urls(&mut findings);
        }
        self.review_mail(&mut findings);
        self.review_hook(&mut findings);
        if self.config.audit.head_file.is_some() && self.config.audit.head_interval_s == 0 {
            let expected = "more than 0, because audit.head_file is set and is not written otherwise";
            findings.push(self.finding("audit.head_interval_s", "0", expected));
        }
        findings
    }

    /// Passwords and tokens are sent to these URLs.
    fn review_public_urls(&self, findings: &mut Vec<Mistake>) {
        let Config { server, mail, tokens, .. } = &self.config;
        for (key, url) in [
            ("server.public_url", &server.public_url),
            ("mail.link_base", &mail.link_base),
            ("tokens.issuer", &tokens.issuer),
        ] {
            let Some(url) = url.as_ref().filter(|url| is_plain_and_remote(url)) else { continue };
            let expected = format!(
                "https (APP_ENV is {}): over http, passwords and tokens are sent unencrypted",
                self.app_env.name
            );
            findings.push(self.finding(key, &format!("{url:?}"), &expected));
        }
        if server.public_url.is_none() && server.host.is_unspecified() {
            let expected = "the URL at which clients reach the server: it is the issuer of tokens";
            findings.push(self.finding("server.public_url", "not set", expected));
        }
    }

    fn review_mail(&self, findings: &mut Vec<Mistake>) {
        let Config { mail, sign_in, .. } = &self.config;
        if mail.smtp_host.is_some() || mail.folder.is_some() {
            return;
        }
        for (key, is_on) in
            [("sign_in.mailed_codes", sign_in.mailed_codes), ("sign_in.magic_links", sign_in.magic_links)]
        {
            if is_on {
                let expected = "false, or a value for mail.smtp_host, because it requires mail";
                findings.push(self.finding(key, "true", expected));
            }
        }
        let settings = [
            ("mail.smtp_user", mail.smtp_user.is_some()),
            ("mail.smtp_ca_file", mail.smtp_ca_file.is_some()),
            ("mail.from", mail.from.is_some()),
            ("mail.templates", mail.templates.is_some()),
        ];
        if let Some((key, _)) = settings.into_iter().find(|(_, is_set)| *is_set) {
            let expected = format!("a mail server, because {key} is set and no mail is sent without one");
            findings.push(self.finding("mail.smtp_host", "not set", &expected));
        }
    }

    fn review_hook(&self, findings: &mut Vec<Mistake>) {
        let sign_in = &self.config.sign_in;
        let Some(url) = &sign_in.hook_url else { return };
        let timeout = Duration::from_millis(sign_in.hook_timeout_ms.into());
        let refusal = Outside::new(timeout, &sign_in.hook_allowed_hosts)
            .ok()
            .and_then(|outside| outside.host_of(url.expose_secret()).err());
        if refusal.is_some() {
            let expected = "an https URL with a public host, or its host in sign_in.hook_allowed_hosts";
            findings.push(self.finding("sign_in.hook_url", "not usable", expected));
        }
    }
}

/// Whether a URL is plain `http:` to a host that is not this machine.
pub(crate) fn is_plain_and_remote(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().and_then(parse_host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_this_machine =
        address.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback());
    uri.scheme_str() == Some("http") && !is_this_machine
}
