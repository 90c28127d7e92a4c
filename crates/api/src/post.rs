//! Mail, from its configuration to whoever carries it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use denizen_domain::ports::{Clock, Mailer};
use denizen_infra::mail::words::{About, Words};
use denizen_infra::mail::{
    Credentials, FolderMailer, Links, NoMail, Printing, Sender, SmtpMailer, SmtpOptions, Writer,
};
use http::Uri;

use crate::config::Config;

/// From whom mail is that only goes to a folder.
const NOBODY: &str = "no-reply@localhost";

/// Whether mail is sent at all.
pub(crate) fn sends_mail(config: &Config) -> bool {
    config.mail.smtp_host.is_some() || config.mail.folder.is_some()
}

/// Whoever carries the mail, as configured.
pub(crate) fn mailer(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Mailer>> {
    let mail = &config.mail;
    if let Some(folder) = &mail.folder {
        let printing = if config.app_env.is_dev() { Printing::Openings } else { Printing::Nothing };
        let mailer = FolderMailer::open(folder.clone(), writer(config)?, printing)
            .with_context(|| format!("mail.folder: creating {}", folder.display()))?;
        return Ok(Arc::new(mailer));
    }
    let Some(host) = &mail.smtp_host else { return Ok(Arc::new(NoMail)) };
    Ok(Arc::new(smtp(config, host, clock)?))
}

/// What a test mail is sent with.
pub(crate) enum TestMailer {
    /// A mail server.
    Smtp(Box<SmtpMailer>),
    /// A folder.
    Folder(Box<FolderMailer>),
    /// No mail is sent.
    Off,
}

/// What a test mail is sent with, as configured.
pub(crate) fn test_mailer(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<TestMailer> {
    let mail = &config.mail;
    if let Some(folder) = &mail.folder {
        let mailer = FolderMailer::open(folder.clone(), writer(config)?, Printing::Nothing)
            .with_context(|| format!("mail.folder: creating {}", folder.display()))?;
        return Ok(TestMailer::Folder(Box::new(mailer)));
    }
    let Some(host) = &mail.smtp_host else { return Ok(TestMailer::Off) };
    Ok(TestMailer::Smtp(Box::new(smtp(config, host, clock)?)))
}

/// The mail server with this host, as configured. Connects nowhere.
pub(crate) fn smtp(config: &Config, host: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<SmtpMailer> {
    let options = smtp_options(config, host.to_owned())?;
    SmtpMailer::new(options, writer(config)?, Arc::clone(clock)).context("mail.smtp_ca_file")
}

/// Whether mail can be set up as configured. Connects nowhere and creates nothing.
///
/// # Errors
/// When a file that the configuration names cannot be used.
pub(crate) fn check(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    match &config.mail.smtp_host {
        Some(host) => smtp(config, host, clock).map(drop),
        None => writer(config).map(drop),
    }
}

fn smtp_options(config: &Config, host: String) -> anyhow::Result<SmtpOptions> {
    let mail = &config.mail;
    let public_url: Uri = config.server.public_url().parse().context("server.public_url")?;
    let hello_host = public_url.host().context("server.public_url: no host")?.to_owned();
    let read =
        |file: &PathBuf| std::fs::read(file).with_context(|| format!("mail.smtp_ca_file: reading {}", file.display()));
    let credentials = mail.smtp_user.clone().zip(mail.smtp_password.clone());
    Ok(SmtpOptions {
        host,
        port: mail.port(),
        encryption: mail.smtp_tls,
        credentials: credentials.map(|(user, password)| Credentials { user, password }),
        extra_roots: mail.smtp_ca_file.as_ref().map(read).transpose()?,
        timeout_s: mail.smtp_timeout_s,
        hello_host,
    })
}

fn writer(config: &Config) -> anyhow::Result<Writer> {
    let mail = &config.mail;
    let about = About {
        product: config.product.name.clone(),
        links: Links { base: mail.link_base.clone().unwrap_or_else(|| config.server.public_url()) },
        default_locale: mail.default_locale.clone(),
    };
    let words = match &mail.templates {
        Some(folder) => Words::from_folder(about, folder).context("mail.templates")?,
        None => Words::built_in(about)?,
    };
    let nobody = || Sender::parse(NOBODY).context("no sender");
    let sender = mail.from.clone().map_or_else(nobody, Ok)?;
    Ok(Writer { sender, words })
}
