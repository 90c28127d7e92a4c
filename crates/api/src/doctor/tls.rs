//! The certificate of the listener.

use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemClock;
use http::Uri;

use super::Findings;
use crate::config::Loaded;
use crate::config_files;
use crate::tls::{Certificate, TlsFiles};

const CHECK: &str = "tls";
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
/// How long before it expires a certificate should have been renewed, in days.
const RENEWED_DAYS: i64 = 14;

/// Examines the files of TLS, if it is configured.
pub(super) async fn check(loaded: &Loaded, findings: &mut Findings) {
    for mistake in config_files::check_tls(loaded).await {
        let remedy = "Correct the files; the server does not start, or keeps the previous certificate if it runs";
        findings.error(CHECK, mistake.to_string(), remedy);
    }
    let Some(files) = TlsFiles::of(&loaded.config.server) else {
        findings.ok(CHECK, "the listener uses plain HTTP; server.tls_cert_file is not set");
        return;
    };
    if findings.has_problem(CHECK) {
        return;
    }
    match files.certificate().await {
        Ok(certificate) => {
            judge(&certificate, SystemClock.now().as_seconds(), findings);
            check_host(&certificate, &loaded.config.server.public_url(), findings);
        }
        Err(error) => findings.error(CHECK, error.to_string(), "Issue the certificate again"),
    }
}

fn judge(certificate: &Certificate, now_s: i64, findings: &mut Findings) {
    let remedy = "Renew the certificate; the server loads new files without a restart";
    let left_s = certificate.not_after_s - now_s;
    if certificate.not_before_s > now_s {
        let line = "the certificate is not valid yet";
        findings.error(CHECK, line, "Check the clock of this machine, and of the one that issued the certificate");
    } else if left_s <= 0 {
        findings.error(CHECK, format!("the certificate expired {} days ago", -left_s / SECONDS_PER_DAY), remedy);
    } else if left_s < RENEWED_DAYS * SECONDS_PER_DAY {
        findings.warn(CHECK, format!("the certificate expires in {} days", left_s / SECONDS_PER_DAY), remedy);
    } else {
        let days = left_s / SECONDS_PER_DAY;
        findings.ok(CHECK, format!("certificate and key match; the certificate expires in {days} days"));
    }
}

fn check_host(certificate: &Certificate, public_url: &str, findings: &mut Findings) {
    let uri: Option<Uri> = public_url.parse().ok();
    let Some(host) = uri.as_ref().and_then(Uri::host) else { return };
    if !certificate.is_for(host.trim_matches(['[', ']'])) {
        let line = format!("the certificate is not for {host}, the host of the public URL");
        let remedy = "Issue a certificate for this name, unless a proxy with another certificate is in front";
        findings.warn(CHECK, line, remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Findings, Severity};
    use super::{SECONDS_PER_DAY, judge};
    use crate::tls::Certificate;

    #[test]
    fn a_certificate_is_judged_by_its_days() {
        let (begin, end) = (100 * SECONDS_PER_DAY, 190 * SECONDS_PER_DAY);
        let certificate = Certificate::between(begin, end);
        for (now, severity) in [
            (begin - 1, Severity::Error),
            (begin, Severity::Ok),
            (end - 14 * SECONDS_PER_DAY, Severity::Ok),
            (end - 14 * SECONDS_PER_DAY + 1, Severity::Warning),
            (end, Severity::Error),
        ] {
            let mut findings = Findings::default();
            judge(&certificate, now, &mut findings);
            assert_eq!(findings.count(severity), 1, "{now}");
        }
    }
}
