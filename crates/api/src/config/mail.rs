//! Checks across the keys of the section `mail`.

use std::net::IpAddr;
use std::path::PathBuf;

use denizen_infra::mail::Encryption;

use super::layers::Layers;
use super::mistake::Mistake;
use super::{Config, Mail, Source};

/// The default mail folder in development.
const DEV_FOLDER: &str = "data/mail";

impl Mail {
    /// The port of the mail server.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.smtp_port, self.smtp_tls) {
            (0, Encryption::StartTls) => 587,
            (0, Encryption::Tls) => 465,
            (0, Encryption::None) => 25,
            (port, _) => port,
        }
    }
}

/// In development, mail is written to a folder if there is no mail server.
pub(super) fn fill_in(config: &mut Config, layers: &mut Layers) {
    let mail = &mut config.mail;
    if !config.app_env.is_dev() || mail.smtp_host.is_some() || mail.folder.is_some() {
        return;
    }
    mail.folder = Some(PathBuf::from(DEV_FOLDER));
    if let Some(entry) = layers.entries.iter_mut().find(|entry| entry.key == "mail.folder") {
        DEV_FOLDER.clone_into(&mut entry.shown_value);
        entry.source = Source::BuiltIn;
    }
}

/// Records violations.
pub(super) fn check(config: &Config, layers: &mut Layers) {
    let mail = &config.mail;
    let mut refuse = |key: &str, why: &str, expected: &str| {
        // What is malformed was told already, and counts as not set.
        let beginning = format!("{key} from ");
        if !layers.mistakes.iter().any(|mistake| mistake.to_string().starts_with(&beginning)) {
            layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), why, expected));
        }
    };
    if mail.smtp_user.is_some() != mail.smtp_password.is_some() {
        let (set, missing) = if mail.smtp_user.is_some() { ("user", "password") } else { ("password", "user") };
        refuse(
            &format!("mail.smtp_{missing}"),
            "not set",
            &format!("a value if mail.smtp_{set} is set, or neither of them"),
        );
    }
    if config.signup.conceal_existing && mail.smtp_host.is_none() && mail.folder.is_none() {
        let expected = "false, or a value for mail.smtp_host or mail.folder, because the owner of a taken address is \
                        notified by mail";
        refuse("signup.conceal_existing", "true", expected);
    }
    if config.signup.require_verified_email && mail.smtp_host.is_none() && mail.folder.is_none() {
        let expected = "false, or a value for mail.smtp_host or mail.folder, because addresses are verified by mail";
        refuse("signup.require_verified_email", "true", expected);
    }
    let Some(host) = &mail.smtp_host else { return };
    if mail.folder.is_some() {
        refuse("mail.folder", "also set", "no value, because mail.smtp_host is set");
    }
    if mail.from.is_none() {
        refuse("mail.from", "not set", "a sender address, because mail.smtp_host is set");
    }
    if mail.smtp_tls == Encryption::None && mail.smtp_password.is_some() && !is_loopback(host) {
        let expected = "starttls or tls, because mail.smtp_password is set and would be sent unencrypted";
        refuse("mail.smtp_tls", "\"none\"", expected);
    }
    let has_links = config.server.public_url.is_some() || mail.link_base.is_some();
    if !has_links && !config.app_env.is_dev() {
        let expected =
            "the URL at which clients reach the server, because mail.smtp_host is set and links in mails contain it";
        refuse("server.public_url", "not set", expected);
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
