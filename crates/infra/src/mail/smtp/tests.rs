//! The conversation with a scripted server.

use denizen_domain::id::MailId;
use denizen_domain::mail::{Mail as Due, MailSubject};
use denizen_domain::ports::Opening;
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::clock::SystemClock;
use crate::mail::words::{About, Words};
use crate::mail::{Links, Sender};

/// Serves one connection; returns the commands that came.
fn serve(listener: TcpListener, greeting: &'static [u8], rcpt: &'static str) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(greeting).await.unwrap();
        let mut commands = Vec::new();
        let mut line = String::new();
        let mut is_content = false;
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            let command = std::mem::take(&mut line).trim_end().to_owned();
            if is_content && command != "." {
                continue;
            }
            is_content = command == "DATA";
            let reply = match command.split([' ', ':']).next().unwrap() {
                "RCPT" => rcpt,
                "DATA" => "354 go on",
                _ => "250 OK",
            };
            commands.push(command);
            stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
        }
        commands
    })
}

async fn send(
    host: &str,
    sender: &str,
    greeting: &'static [u8],
    rcpt: &'static str,
) -> (Result<(), MailError>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = serve(listener, greeting, rcpt);
    let about = About {
        product: "Denizen".to_owned(),
        links: Links { base: "https://accounts.example.com".to_owned() },
        default_locale: Locale::parse("en").unwrap(),
    };
    let writer = Writer { sender: Sender::parse(sender).unwrap(), words: Words::built_in(about).unwrap() };
    let options = SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::None,
        credentials: None,
        extra_roots: None,
        timeout_s: 20,
        hello_host: host.to_owned(),
    };
    let mailer = SmtpMailer::new(options, writer, Arc::new(SystemClock)).unwrap();
    let mail = Due {
        id: MailId::from_uuid(Uuid::from_u128(1)),
        subject: MailSubject::PasswordChanged,
        to: EmailAddress::parse("ada@example.com").unwrap(),
        name: DisplayName::from_stored("Ada".to_owned()),
        locale: None,
        created_at: Timestamp::parse("2026-01-31T09:30:00Z").unwrap(),
        expires_at: Timestamp::parse("2026-02-01T09:30:00Z").unwrap(),
    };
    let sent = mailer.send(&Letter { mail: &mail, opening: Opening::Nothing, sent_at: mail.created_at }).await;
    drop(mailer);
    (sent, server.await.unwrap())
}

const GREETING: &[u8] = b"220 mail.example.com ESMTP\r\n";
const SENDER: &str = "no-reply@example.com";

#[tokio::test]
async fn ehlo_names_the_public_host() {
    for (host, expected) in [
        ("accounts.example.com", "EHLO accounts.example.com"),
        ("192.0.2.1", "EHLO [192.0.2.1]"),
        ("[2001:db8::1]", "EHLO [IPv6:2001:db8::1]"),
    ] {
        let (sent, commands) = send(host, SENDER, GREETING, "250 OK").await;
        sent.unwrap();
        assert_eq!(commands.first().unwrap(), expected);
    }
}

#[tokio::test]
async fn sender_domain_is_sent_as_a_labels() {
    let (sent, commands) = send("a.example", "no-reply@bücher.example", GREETING, "250 OK").await;
    sent.unwrap();
    assert!(commands.iter().any(|line| line.starts_with("MAIL FROM:<no-reply@xn--bcher-kva.example>")), "{commands:?}");
}

#[tokio::test]
async fn latin_1_greeting_does_not_stop_mail() {
    let greeting = b"220-caf\xe9 \xfcber alles\r\n220 willkommen \xe4\r\n";
    send("a.example", SENDER, greeting, "250 OK").await.0.unwrap();
}

#[tokio::test]
async fn refused_recipient_drops_a_mail_and_refused_relay_does_not() {
    let refused = send("a.example", SENDER, GREETING, "550 5.1.1 <ada@example.com> unknown").await.0.unwrap_err();
    assert!(matches!(refused, MailError::Permanent(_)), "{refused:?}");
    for reply in ["550 5.7.1 <ada@example.com>: Relay access denied", "530 5.7.0 Sign in first", "503 5.5.1 Not now"] {
        let refused = send("a.example", SENDER, GREETING, reply).await.0.unwrap_err();
        let MailError::Temporary(source) = refused else { panic!("{reply}: {refused:?}") };
        let words = source.to_string();
        assert_eq!(
            words,
            format!("RCPT TO: the mail server responded {}", reply.replace("ada@example.com", "[address]"))
        );
    }
}
