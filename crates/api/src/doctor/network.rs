//! The public URL, the relying party, and proxies.

use std::net::IpAddr;

use denizen_domain::Services;

use super::Findings;
use crate::cli::chain;
use crate::config::{Config, Loaded};
use crate::relying_party;

/// The keys whose findings are about the public URL.
const URL_KEYS: [&str; 3] = ["server.public_url ", "mail.link_base ", "tokens.issuer "];

/// Whether a finding about the configuration is about the public URL.
pub(super) fn is_about_urls(line: &str) -> bool {
    URL_KEYS.iter().any(|key| line.starts_with(key))
}

/// Examines the public URL and the trusted proxies.
pub(super) fn check(loaded: &Loaded, findings: &mut Findings) {
    check_public_url(&loaded.config, findings);
    check_proxies(&loaded.config, findings);
}

fn check_public_url(config: &Config, findings: &mut Findings) {
    let (check, url) = ("public_url", config.server.public_url());
    if let Some(issuer) = config.tokens.issuer.as_ref().filter(|issuer| **issuer != url) {
        let line = format!("tokens.issuer is {issuer}, and the public URL is {url}");
        let remedy = format!(
            "Remove tokens.issuer, or make {issuer}/.well-known/openid-configuration reach this server: clients look \
             for the signing keys there"
        );
        findings.warn(check, line, remedy);
    }
    if let Some(base) = config.mail.link_base.as_ref().filter(|base| **base != url) {
        findings.ok(check, format!("links in mails lead to {base}, the pages of the product"));
    }
    if !findings.has_problem(check) {
        findings.ok(check, format!("clients reach the server at {url}"));
    }
}

/// Examines the relying party of passkeys.
pub(super) async fn check_relying_party(config: &Config, services: &Services, findings: &mut Findings) {
    let check = "relying_party";
    let (id, origins) = (services.webauthn.rp_id(), services.webauthn.origins());
    if let Err(error) = relying_party::require_unchanged(config, services).await {
        findings.error(check, chain(&error), "Until it is decided, the server does not start");
    } else if origins.is_empty() || id.parse::<IpAddr>().is_ok() {
        let line = format!("passkeys are not available at {}", config.server.public_url());
        let remedy = "Set server.public_url to an https URL with a domain (or http://localhost), or webauthn.origins";
        findings.warn(check, line, remedy);
    } else {
        findings.ok(check, format!("passkeys are for {id}, on pages of {}", origins.join(", ")));
    }
}

fn check_proxies(config: &Config, findings: &mut Findings) {
    let (check, server) = ("proxies", &config.server);
    let proxies: Vec<String> = server.trusted_proxies.iter().map(ToString::to_string).collect();
    let is_behind = server.tls_cert_file.is_none() && server.public_url().starts_with("https:");
    if let Some(all) = proxies.iter().find(|net| net.ends_with("/0")) {
        let line = format!("server.trusted_proxies contains {all}: every client can choose its address");
        let remedy = "List the networks of your proxies only; rate limits and lockouts depend on the client address";
        findings.error(check, line, remedy);
    } else if proxies.is_empty() && is_behind {
        let line = "the public URL is https and the listener is not, so a proxy is in front, but server.trusted_proxies \
                    is empty: all clients share one address, and its limits";
        findings.warn(check, line, "Set server.trusted_proxies to the addresses of the proxy");
    } else if !proxies.is_empty()
        && server.host.is_loopback()
        && !server.trusted_proxies.iter().any(|net| net.contains(server.host))
    {
        let line = format!("the server listens on {} only, which server.trusted_proxies does not contain", server.host);
        findings.warn(
            check,
            line,
            format!("Add {} to server.trusted_proxies: the proxy connects from it", server.host),
        );
    } else if proxies.is_empty() {
        findings.ok(check, "clients connect directly; X-Forwarded-For is ignored");
    } else {
        findings.ok(check, format!("X-Forwarded-For is accepted from {}", proxies.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::super::{Findings, Severity};
    use super::{check_proxies, check_public_url};

    const PUBLIC: (&str, &str) = ("server.public_url", "https://id.example.com");

    #[test]
    fn proxies_are_judged_by_where_the_server_listens() {
        for (settings, severity, part) in [
            (&[][..], Severity::Ok, "directly"),
            (&[PUBLIC], Severity::Warning, "all clients share one address"),
            (&[PUBLIC, ("server.trusted_proxies", "127.0.0.1")], Severity::Ok, "accepted from 127.0.0.1"),
            (&[PUBLIC, ("server.trusted_proxies", "10.0.0.0/8")], Severity::Warning, "listens on 127.0.0.1 only"),
            (
                &[("server.host", "0.0.0.0"), PUBLIC, ("server.trusted_proxies", "10.0.0.0/8")],
                Severity::Ok,
                "10.0.0.0/8",
            ),
            (&[PUBLIC, ("server.trusted_proxies", "0.0.0.0/0")], Severity::Error, "choose its address"),
        ] {
            let mut findings = Findings::default();
            check_proxies(&config(settings), &mut findings);
            let found = findings.iter().next().unwrap();
            assert_eq!(found.severity, severity, "{settings:?}: {found:?}");
            assert!(found.message.contains(part), "{found:?}");
        }
    }

    #[test]
    fn the_issuer_should_be_the_public_url() {
        for (issuer, severity) in
            [("https://id.example.com", Severity::Ok), ("https://accounts.example.com", Severity::Warning)]
        {
            let mut findings = Findings::default();
            check_public_url(&config(&[PUBLIC, ("tokens.issuer", issuer)]), &mut findings);
            assert_eq!(findings.iter().next().unwrap().severity, severity, "{issuer}");
        }
    }
}
