//! Mail to servers that follow a script: strict ones, ones that do not write UTF-8, and ones that refuse.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_testkit::{FakeClock, SeededRandom};
use mail_parser::MessageParser;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::harness::{Db, PASSWORD, World, eventually};
use crate::process::Process;
use crate::smtp::{Certificates, DELIVERY, Settings, becomes_empty, enqueue, store_of};

/// The reply to a command, given how often this command came before.
type Script = fn(command: &str, count: usize) -> Vec<u8>;

/// What a scripted server has seen.
#[derive(Default)]
struct Seen {
    /// How often each command came.
    commands: BTreeMap<String, usize>,
    contents: Vec<Vec<u8>>,
}

/// A mail server that greets with Latin-1 and replies as its script says.
struct ScriptedServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl ScriptedServer {
    async fn start(script: Script) -> Self {
        Self::start_with(script, None).await
    }

    /// Speaks TLS from the first byte, if there is an acceptor.
    async fn start_with(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, seen) = (tls.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => converse(tls.accept(stream).await?, script, seen).await,
                        None => converse(stream, script, seen).await,
                    }
                });
            }
        });
        Self { port, seen }
    }

    fn count(&self, command: &str) -> usize {
        self.seen.lock().unwrap().commands.get(command).copied().unwrap_or_default()
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().contents.clone()
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    seen: Arc<Mutex<Seen>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220-caf\xe9 \xfcber alles\r\n220 mail.example.com bereit f\xfcr Post\r\n").await?;
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        let command = String::from_utf8_lossy(&std::mem::take(&mut line)).trim_end().to_owned();
        let count = {
            let mut seen = seen.lock().unwrap();
            let count = seen.commands.entry(command.clone()).or_default();
            *count += 1;
            *count - 1
        };
        stream.write_all(&script(&command, count)).await?;
        stream.write_all(b"\r\n").await?;
        if command == "DATA" {
            let mut content = Vec::new();
            while !content.ends_with(b"\r\n.\r\n") {
                content.push(stream.read_u8().await?);
            }
            // Without the second dot of a line that begins with one (RFC 5321 §4.5.2).
            let content = String::from_utf8(content).unwrap().replace("\r\n..", "\r\n.");
            seen.lock().unwrap().contents.push(content.into_bytes());
            stream.write_all(b"250 2.0.0 \xfcbernommen\r\n").await?;
        }
    }
    Ok(())
}

fn polite(command: &str) -> Vec<u8> {
    match command {
        "DATA" => b"354 los".to_vec(),
        _ => b"250 2.0.0 gew\xfcnscht".to_vec(),
    }
}

/// Wants a full name with `EHLO` and an ASCII sender. Refuses its first three visitors as a server does that is not set up
/// for this client yet.
fn strict(command: &str, count: usize) -> Vec<u8> {
    match (command.split([' ', ':']).next().unwrap_or_default(), count) {
        ("EHLO", _) if command != "EHLO accounts.example.com" => b"504 5.5.2 a full host name is needed".to_vec(),
        ("MAIL", _) if !command.is_ascii() => b"553 5.6.7 SMTPUTF8 is needed".to_vec(),
        ("MAIL", 0) => b"550 5.7.1 Absender unerw\xfcnscht".to_vec(),
        ("RCPT", 0) => b"554 5.7.1 <ada@example.com>: Relay access denied".to_vec(),
        ("DATA", 0) => b"503 5.5.1 sign in first".to_vec(),
        _ => polite(command),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_in_the_end_at_a_strict_server() {
    let server = ScriptedServer::start(strict).await;
    let settings = Settings::to(server.port)
        .with("mail.from", "Denizen <no-reply@b\u{fc}cher.example>")
        .with("server.public_url", "https://accounts.example.com");
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<dyn Clock>, random: Arc::new(SeededRandom::new(1)) };
    let world = World::new(Db::Sqlite).await;
    let app = world.serve_in(&settings.pairs(), ambience).await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    assert_eq!(app.post("/api/v1/users", &body).await.status(), 201);
    eventually("the mail arrives", DELIVERY, async || {
        clock.advance_s(5);
        !server.contents().is_empty()
    })
    .await;
    becomes_empty(app.services.store.as_ref()).await;

    assert!(server.count("MAIL FROM:<no-reply@xn--bcher-kva.example>") >= 4, "each refusal is retried");
    let contents = server.contents();
    assert_eq!(contents.len(), 1, "it arrives once");
    let message = MessageParser::default().parse(&contents[0]).unwrap();
    let html = message.body_html(0).unwrap();
    assert!(html.contains("https://accounts.example.com/account/verify-email?token=dno_"), "{html}");
    assert!(!html.contains("&#x"), "{html}");
}

fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(&certificates.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&certificates.key).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into()).with_safe_default_protocol_versions();
    Arc::new(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap()).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_at_a_server_that_writes_latin_1_inside_tls() {
    let world = World::new(Db::Sqlite).await;
    let certificates = Certificates::make(world.folder());
    let server = ScriptedServer::start_with(|command, _| polite(command), Some(acceptor(&certificates))).await;
    let settings = Settings::to(server.port).with("mail.smtp_tls", "tls");
    let app = world.serve(&settings.with("mail.smtp_ca_file", &certificates.authority).pairs()).await;
    enqueue(app.services.store.as_ref(), app.services.clock.now(), &["ada@example.com"]).await;
    becomes_empty(app.services.store.as_ref()).await;
    assert_eq!((server.contents().len(), server.count("DATA")), (1, 1));
}

/// Replies to `RCPT` by the name of the mailbox.
const REFUSALS: &[(&str, &[u8], bool)] = &[
    ("unknown", b"550 5.1.1 <unknown@example.com>: Empf\xe4nger unbekannt", true),
    ("bare", b"550 no such user", true),
    ("full", b"552 5.2.2 mailbox full", true),
    ("relayed", b"550 5.1.1 <relayed@example.com>: User unknown in relay recipient table", true),
    ("policy", b"550 5.7.1 <policy@example.com>: Zur\xfcckgewiesen", false),
    ("spf", b"550 5.7.26 unauthenticated sender", false),
    ("denied", b"550 relay not permitted", false),
    ("qmail", b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", false),
    ("protocol", b"503 5.5.1 bad sequence", false),
    ("parameter", b"504 5.5.2 <localhost>: need a full host name", false),
    ("login", b"530 5.7.0 sign in first", false),
    ("password", b"535 5.7.8 wrong password", false),
    ("blocked", b"550 192.0.2.1 is blacklisted", false),
];

fn refusing(command: &str, _: usize) -> Vec<u8> {
    let mailbox = command.strip_prefix("RCPT TO:<").and_then(|rest| rest.split('@').next());
    let refusal = REFUSALS.iter().find(|(name, _, _)| Some(*name) == mailbox);
    refusal.map_or_else(|| polite(command), |(_, reply, _)| reply.to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_refusals_of_the_recipient_drop_a_mail() {
    let server = ScriptedServer::start(refusing).await;
    let world = World::new(Db::Sqlite).await;
    let settings = Settings::to(server.port).with("telemetry.log_filter", "info,denizen=debug");
    let process = Process::start(&world, &settings.pairs()).await;
    let store = store_of(&world).await;
    let addresses: Vec<String> = REFUSALS.iter().map(|(name, _, _)| format!("{name}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    enqueue(store.as_ref(), Ambience::default().clock.now(), &addresses).await;

    let finals = REFUSALS.iter().filter(|(_, _, is_final)| *is_final).count();
    eventually("each is tried again or dropped", Duration::from_secs(40), async || {
        let retried = |name: &str| server.count(&format!("RCPT TO:<{name}@example.com>")) >= 2;
        let is_retried = REFUSALS.iter().filter(|(_, _, is_final)| !is_final).all(|(name, _, _)| retried(name));
        is_retried && process.log().matches("mail rejected, dropping it").count() == finals
    })
    .await;
    for (name, _, is_final) in REFUSALS {
        let count = server.count(&format!("RCPT TO:<{name}@example.com>"));
        assert!(!is_final || count == 1, "{name} is asked {count} times");
    }
    let log = process.log();
    assert!(log.contains("the mail server responded 550 5.1.1 <[address]>: Empf?nger unbekannt"), "{log}");
    assert!(log.contains("the mail server responded 550 5.7.1 <[address]>: Zur?ckgewiesen"), "{log}");
    assert!(!log.contains("@example.com"), "an address is in the log: {log}");
}
