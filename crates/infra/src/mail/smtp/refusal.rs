//! Which refusals are final (RFC 5321 §4.2, RFC 3463).
//!
//! A mail is dropped only if the server refuses its recipient or its content. A refusal that concerns the sender, the
//! login, the relay policy or the protocol affects every mail until the operator corrects it: those mails are retried.

use std::error::Error;
use std::io;

use denizen_domain::ports::MailError;
use lettre::Address;
use lettre::transport::smtp::{self, response::Severity};

/// How much of a reply is logged, in characters.
const REPLY_CHARS_MAX: usize = 300;

/// The step that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// `RCPT TO`.
    Recipient,
    /// `DATA`, before the content is sent.
    Data,
    /// The content.
    Content,
}

/// What a failure at this step means for the mail.
pub(super) fn judge(step: Step, error: smtp::Error, recipients: &[Address]) -> MailError {
    let reply = reply(&error);
    let is_final = error.status().is_some_and(|code| {
        code.severity == Severity::PermanentNegativeCompletion && is_final(step, &code.to_string(), &reply)
    });
    let name = match step {
        Step::Recipient => "RCPT TO",
        Step::Data => "DATA",
        Step::Content => "sending the content",
    };
    let failed = Failed::at(name, error, recipients);
    if is_final { MailError::Permanent(failed.into()) } else { MailError::Temporary(failed.into()) }
}

/// A failure that does not concern the mail itself.
pub(super) fn later(step: &'static str, error: smtp::Error) -> MailError {
    MailError::Temporary(Failed::at(step, error, &[]).into())
}

/// Whether a 5xx reply refuses the recipient or the content.
fn is_final(step: Step, code: &str, reply: &str) -> bool {
    let class = enhanced(reply).filter(|(class, subject, _)| *class == 5 && *subject != 0);
    if let Some((_, subject, detail)) = class {
        return match (subject, detail) {
            // An unknown mailbox, whatever else the reply mentions: "User unknown in relay recipient table".
            (1, 1) => true,
            _ if names_relaying(reply) => false,
            // Bad address of the sender.
            (1, 7 | 8) => false,
            // 5.3.4: the message is too big for the system.
            (1 | 2 | 6, _) | (3, 4) => true,
            _ => false,
        };
    }
    if names_relaying(reply) || (step != Step::Content && names_the_sender(reply)) {
        return false;
    }
    match code {
        "550" | "551" | "552" | "553" | "556" => true,
        // Without a class, "transaction failed" concerns the content only after the content was sent.
        "554" => step == Step::Content,
        _ => false,
    }
}

/// Whether the server does not relay for us. A host name such as `relay.example.com` does not count.
fn names_relaying(reply: &str) -> bool {
    words(reply).any(|word| matches!(word.as_str(), "relay" | "relays" | "relaying" | "relayed"))
}

/// Whether a reply without a class concerns the sender, the login or the reputation of the client.
fn names_the_sender(reply: &str) -> bool {
    const ABOUT_THE_SENDER: &[&str] = &[
        "sender",
        "authentication",
        "authenticate",
        "authenticated",
        "auth",
        "spf",
        "dkim",
        "dmarc",
        "helo",
        "ehlo",
        "rdns",
        "ptr",
        "tls",
        "starttls",
        "ssl",
        "dnsbl",
        "rbl",
        "blacklist",
        "blacklisted",
        "blocklist",
        "blocklisted",
        "blocked",
        "banned",
        "spamhaus",
        "reputation",
        "rcpthosts",
    ];
    words(reply).any(|word| ABOUT_THE_SENDER.contains(&word.as_str()))
}

fn words(reply: &str) -> impl Iterator<Item = String> {
    let is_mark = |char: char| !char.is_alphanumeric();
    reply.split_whitespace().map(move |word| word.trim_matches(is_mark).to_ascii_lowercase())
}

/// The enhanced status code (RFC 2034) at the start of a reply, or the one that qmail puts at its end: `(#5.7.1)`.
fn enhanced(reply: &str) -> Option<(u16, u16, u16)> {
    let qmail = reply.split_once("(#").and_then(|(_, rest)| rest.split(')').next());
    let first = reply.split_whitespace().next();
    first.and_then(status).or_else(|| qmail.and_then(status))
}

fn status(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let code = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(code)
}

fn reply(error: &smtp::Error) -> String {
    error.status().and(error.source()).map(ToString::to_string).unwrap_or_default()
}

/// The server's words without addresses: nothing around an `@`, and no local part of a recipient.
fn without_addresses(reply: &str, recipients: &[Address]) -> String {
    let local_parts: Vec<_> = recipients.iter().map(|address| address.user().to_lowercase()).collect();
    let is_inside = |char: char| char.is_alphanumeric() || "@.!#$%&'*+-/=?^_`{|}~".contains(char);
    let mut words = String::new();
    let mut rest = reply;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|char| !is_inside(char)).unwrap_or(rest.len());
        if end == 0 {
            words.push(if first.is_control() { ' ' } else { first });
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (run, after) = rest.split_at(end);
        let bare = run.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
        let is_address =
            run.contains('@') || local_parts.iter().any(|local| *local == bare || *local == run.to_lowercase());
        words.push_str(if is_address { "[address]" } else { run });
        rest = after;
    }
    words.chars().take(REPLY_CHARS_MAX).collect()
}

/// What went wrong, and the server's words without addresses.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{step}: the mail server responded {code} {words}")]
    Answered { step: &'static str, code: smtp::response::Code, words: String },
    #[error("{step}: the response of the mail server is not valid SMTP")]
    Unreadable { step: &'static str },
    #[error("connecting to the mail server")]
    Unreachable { source: io::Error },
    #[error("TLS with the mail server")]
    Tls { source: io::Error },
    #[error("{step}")]
    Otherwise { step: &'static str, source: smtp::Error },
}

impl Failed {
    fn at(step: &'static str, source: smtp::Error, recipients: &[Address]) -> Self {
        match source.status() {
            Some(code) => Self::Answered { step, code, words: without_addresses(&reply(&source), recipients) },
            // Its text quotes the answer.
            None if source.is_response() => Self::Unreadable { step },
            None => Self::Otherwise { step, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, is_final, without_addresses};

    #[test]
    fn only_recipient_and_content_classes_are_final() {
        for (step, code, reply) in [
            (Step::Recipient, "550", "5.1.1 no such user"),
            (Step::Recipient, "550", "no such user"),
            (Step::Recipient, "553", "mailbox name not allowed"),
            (Step::Content, "552", "5.2.2 mailbox full"),
            (Step::Content, "552", "5.3.4 message too big"),
            (Step::Content, "554", "5.6.0 malformed content"),
            (Step::Content, "554", "rejected as spam"),
            (Step::Data, "550", "5.1.1 no such user"),
            (Step::Data, "550", "no such user"),
            (Step::Recipient, "550", "5.1.1 <a@b.example>: User unknown in relay recipient table"),
            (Step::Recipient, "550", "5.1.1 <ada@relay.example.com>: unknown"),
            (Step::Recipient, "550", "<ada@relay.example.com>: unknown"),
            (Step::Recipient, "550", "relay.example.com knows no such user"),
            (Step::Recipient, "553", "sorry, no mailbox here by that name. (#5.1.1)"),
        ] {
            assert!(is_final(step, code, reply), "{code} {reply}");
        }
        for (step, code, reply) in [
            (Step::Recipient, "550", "5.7.1 not permitted"),
            (Step::Recipient, "550", "5.7.1 Relaying denied"),
            (Step::Recipient, "550", "relay not permitted"),
            (Step::Recipient, "554", "5.1.0 Relay access denied"),
            (Step::Recipient, "554", "your address is blocked"),
            (Step::Recipient, "550", "5.1.8 bad sender's system address"),
            (Step::Recipient, "504", "5.5.2 need a fully-qualified host name"),
            (Step::Recipient, "503", "bad sequence of commands"),
            (Step::Recipient, "530", "authentication required"),
            (Step::Recipient, "535", "authentication failed"),
            (Step::Content, "554", "5.5.1 no valid recipients"),
            (Step::Content, "554", "5.4.6 routing loop"),
            (Step::Content, "550", "5.7.26 unauthenticated sender"),
            (Step::Data, "554", "no valid recipients"),
            (Step::Recipient, "553", "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
            (Step::Recipient, "553", "sorry, that domain isn't in my list of allowed rcpthosts"),
            (Step::Recipient, "550", "we do not relay"),
            (Step::Recipient, "550", "Sender verify failed"),
            (Step::Recipient, "550", "SPF check failed"),
            (Step::Recipient, "550", "Authentication required."),
            (Step::Recipient, "550", "192.0.2.1 is blacklisted at zen.spamhaus.org"),
            (Step::Data, "550", "HELO is not a full host name"),
        ] {
            assert!(!is_final(step, code, reply), "{code} {reply}");
        }
    }

    #[test]
    fn addresses_are_removed_from_replies() {
        let recipients = ["ada@example.com".parse().unwrap()];
        for (reply, expected) in [
            ("5.1.1 <ada@example.com>: unknown", "5.1.1 <[address]>: unknown"),
            ("User Ada unknown.", "User [address] unknown."),
            ("to=bob+x@other.example, denied\r\n", "[address], denied  "),
            ("5.7.1 Relaying denied", "5.7.1 Relaying denied"),
        ] {
            assert_eq!(without_addresses(reply, &recipients), expected);
        }
    }
}
