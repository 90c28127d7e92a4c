//! The form that mail travels in (RFC 5322, RFC 2046).

use std::time::{Duration, UNIX_EPOCH};

use denizen_domain::ports::{Letter, MailError};
use denizen_domain::time::Timestamp;
use denizen_domain::users::EmailAddress;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::words::{Written, shown_name};
use super::{Sender, Writer};

/// Tells vacation notices and other programs not to answer (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Writes a letter and puts it into its form.
pub(super) fn compose(writer: &Writer, letter: &Letter<'_>) -> Result<(Message, Written), MailError> {
    let mail = letter.mail;
    let written = writer.words.write(letter).map_err(|error| MailError::Permanent(error.into()))?;
    // The error would quote the address.
    let address: Address = mail
        .to
        .as_str()
        .parse()
        .map_err(|_| MailError::Permanent("the recipient address is not valid in mail".into()))?;
    let name = shown_name(mail.name.as_str()).map(str::to_owned);
    let since_epoch = Duration::from_secs(letter.sent_at.as_seconds().try_into().unwrap_or_default());
    let message = Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.id.as_uuid(), writer.sender.domain())))
        .date(UNIX_EPOCH + since_epoch)
        .from(writer.sender.mailbox().clone())
        .to(Mailbox::new(name, address))
        .subject(&written.subject)
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(written.text.clone(), written.html.clone()))
        .map_err(|_| MailError::Permanent("the mail cannot be encoded".into()))?;
    Ok((message, written))
}

/// A mail that only proves that mail arrives, in English.
pub(super) fn test_mail(sender: &Sender, to: &EmailAddress, sent_at: Timestamp) -> Result<Message, MailError> {
    let address: Address =
        to.as_str().parse().map_err(|_| MailError::Permanent("the recipient address is not valid in mail".into()))?;
    let since_epoch = Duration::from_secs(sent_at.as_seconds().try_into().unwrap_or_default());
    let text = "This is a test mail, sent by `denizen doctor --send-to`. If you read it, the server can send mail.";
    Message::builder()
        .message_id(None)
        .date(UNIX_EPOCH + since_epoch)
        .from(sender.mailbox().clone())
        .to(Mailbox::new(None, address))
        .subject("Test mail")
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), format!("<p>{text}</p>")))
        .map_err(|_| MailError::Permanent("the mail cannot be encoded".into()))
}

#[cfg(test)]
mod tests;
