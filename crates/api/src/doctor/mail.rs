//! Mail: whether the server or the folder accepts it.

use std::sync::Arc;

use denizen_domain::ports::Clock;
use denizen_domain::users::EmailAddress;
use denizen_infra::clock::SystemClock;
use denizen_infra::mail::Encryption;

use super::Findings;
use crate::cli::chain;
use crate::config::Loaded;
use crate::config_files;
use crate::post::{self, TestMailer};

const CHECK: &str = "mail";
/// What to do when the mail server cannot be used.
const REMEDY: &str = "Correct mail.smtp_host, mail.smtp_port, mail.smtp_tls, mail.smtp_user and mail.smtp_password, and \
                      look for a firewall in between; mail waits in the outbox meanwhile";

/// Examines mail, and sends a test mail to an address, if there is one.
pub(super) async fn check(loaded: &Loaded, send_to: Option<&EmailAddress>, findings: &mut Findings) {
    for mistake in config_files::check_mail(loaded) {
        findings.error(CHECK, mistake.to_string(), "Correct the setting");
    }
    if findings.has_problem(CHECK) {
        return;
    }
    let mail = &loaded.config.mail;
    if let Some(folder) = &mail.folder {
        findings.ok(CHECK, format!("mail is written to the folder {}", folder.display()));
    } else if let Some(host) = &mail.smtp_host {
        check_server(loaded, host, findings).await;
    } else {
        let line = "no mail is sent: users cannot reset passwords, verify addresses or accept invitations";
        findings.warn(CHECK, line, "Set mail.smtp_host and mail.from");
    }
    if let Some(address) = send_to {
        send(loaded, address, findings).await;
    }
}

async fn check_server(loaded: &Loaded, host: &str, findings: &mut Findings) {
    let mail = &loaded.config.mail;
    let name = format!("{host}:{}", mail.port());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let probed = match post::smtp(&loaded.config, host, &clock) {
        Ok(mailer) => mailer.probe().await.map_err(|error| chain(&error.into())),
        Err(error) => Err(chain(&error)),
    };
    match probed {
        Ok(server) => {
            let encryption = match mail.smtp_tls {
                Encryption::None => "without encryption",
                Encryption::StartTls => "with STARTTLS",
                Encryption::Tls => "with TLS",
            };
            let login = mail.smtp_user.as_ref().map_or("", |_| " and accepts the credentials");
            findings.ok(CHECK, format!("{name} answers as {server} {encryption}{login}"));
            let is_local = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            if mail.smtp_tls == Encryption::None && !is_local {
                let line = format!("mail travels to {name} without encryption, with links and codes in it");
                findings.warn(CHECK, line, "Set mail.smtp_tls to starttls or tls, unless the network is trusted");
            }
        }
        Err(error) => findings.error(CHECK, format!("{name}: {error}"), REMEDY),
    }
}

async fn send(loaded: &Loaded, address: &EmailAddress, findings: &mut Findings) {
    let check = "test_mail";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sent = match post::test_mailer(&loaded.config, &clock) {
        Ok(TestMailer::Smtp(mailer)) => mailer.send_test(address).await.map_err(|error| chain(&error.into())),
        Ok(TestMailer::Folder(mailer)) => {
            mailer.send_test(address, clock.now()).await.map_err(|error| chain(&error.into()))
        }
        Ok(TestMailer::Off) => Err("no mail is sent".to_owned()),
        Err(error) => Err(chain(&error)),
    };
    match sent {
        Ok(()) => findings.ok(check, format!("sent to {address}; look for it in the mailbox and in its spam folder")),
        Err(error) => findings.error(check, format!("{address}: {error}"), REMEDY),
    }
}
