//! The form of a mail, whatever names and messages contain.

use denizen_domain::id::MailId;
use denizen_domain::mail::{Mail, MailSubject};
use denizen_domain::ports::{Letter, Opening};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use proptest::prelude::*;
use uuid::Uuid;

use super::compose;
use crate::mail::words::{About, Words};
use crate::mail::{Links, Sender, Writer};

fn writer(product: &str) -> Writer {
    let about = About {
        product: product.to_owned(),
        links: Links { base: "https://accounts.example.com".to_owned() },
        default_locale: Locale::parse("ja").unwrap(),
    };
    let sender = Sender::parse("Müller & Söhne <no-reply@example.com>").unwrap();
    Writer { sender, words: Words::built_in(about).unwrap() }
}

/// The raw message to somebody of this name, taken over as a store keeps it: unchecked.
fn raw(writer: &Writer, name: &str) -> String {
    let mail = Mail {
        id: MailId::from_uuid(Uuid::from_u128(1)),
        subject: MailSubject::PasswordChanged,
        to: EmailAddress::parse("ada@example.com").unwrap(),
        name: DisplayName::from_stored(name.to_owned()),
        locale: None,
        created_at: Timestamp::parse("2026-01-31T09:30:00Z").unwrap(),
        expires_at: Timestamp::parse("2026-02-01T09:30:00Z").unwrap(),
    };
    let letter = Letter { mail: &mail, opening: Opening::Nothing, sent_at: mail.created_at };
    let (message, _) = compose(writer, &letter).unwrap();
    assert_eq!(message.envelope().to().iter().map(ToString::to_string).collect::<Vec<_>>(), ["ada@example.com"]);
    String::from_utf8(message.formatted()).unwrap()
}

/// The names of the headers, each line of them being well-formed.
fn headers(raw: &str) -> Vec<&str> {
    let (head, _) = raw.split_once("\r\n\r\n").unwrap();
    assert!(raw.is_ascii() && !head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head}");
    head.split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').unwrap().0)
        .collect()
}

const EXPECTED: [&str; 8] =
    ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];

#[test]
fn a_mail_says_what_it_is() {
    let raw = raw(&writer("Denizen"), "Ada");
    assert!(raw.contains("Message-ID: <00000000-0000-0000-0000-000000000001@example.com>\r\n"), "{raw}");
    assert!(raw.contains("Date: Sat, 31 Jan 2026 09:30:00 +0000\r\n"), "{raw}");
    assert!(raw.contains("Auto-Submitted: auto-generated\r\n") && raw.contains("multipart/alternative"), "{raw}");
    assert!(
        raw.contains("To: Ada <ada@example.com>\r\n") || raw.contains("To: \"Ada\" <ada@example.com>\r\n"),
        "{raw}"
    );
    assert_eq!(headers(&raw), EXPECTED);
}

#[test]
fn a_sender_is_one_mailbox() {
    for raw in ["a@example.com", "A <a@example.com>", "\"A, B\" <a@example.com>"] {
        assert!(Sender::parse(raw).is_some(), "{raw}");
    }
    for raw in ["", "a", "a@", "A <a@example.com>, B <b@example.com>", "A\r\nBcc: b <a@example.com>"] {
        assert!(Sender::parse(raw).is_none(), "{raw}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_name_becomes_a_header(name in "(?s).{0,80}", product in "(?s).{1,40}") {
        let raw = raw(&writer(&product), &name);
        prop_assert_eq!(headers(&raw), EXPECTED);
    }

    #[test]
    fn no_name_made_of_headers_becomes_one(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\r\n", "\n", "\r", "Bcc: eve@evil", " ", "\t", "=?utf-8?q?=0D=0A?=", "\"", ",", "<eve>", ";", "\u{85}", "\u{2028}", "é",
        ]), 0..12),
    ) {
        let name = parts.concat();
        let raw = raw(&writer(&name), &name);
        prop_assert_eq!(headers(&raw), EXPECTED);
    }
}
