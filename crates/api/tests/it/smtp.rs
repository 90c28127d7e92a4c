//! A mail server of one's own for a test: a process that takes mail, or does not, as the recipient's address says.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen::config::{Config, Overrides, Sources};
use denizen_domain::mail::Mail;
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use denizen_domain::users::EmailAddress;
use denizen_testkit::build;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::harness::{World, eventually};

/// How long a mail may take on a busy machine.
pub(crate) const DELIVERY: Duration = Duration::from_secs(20);

/// A running mail server; killed when dropped.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    events: Arc<Mutex<Vec<Value>>>,
    child: Child,
}

impl MailServer {
    /// A server on any port that asks for nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(0, &[]).await
    }

    /// A server with more arguments of `smtp/server.py`.
    pub(crate) async fn start_with(port: u16, arguments: &[&str]) -> Self {
        let mut command = Command::new(python().await);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/server.py")).arg(port.to_string()).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&events);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let event: Value = serde_json::from_str(&line).unwrap();
                kept.lock().unwrap().push(event);
            }
        });
        let is_ready = async || !events.lock().unwrap().is_empty();
        eventually("the mail server is ready", DELIVERY, is_ready).await;
        let port = events.lock().unwrap()[0]["port"].as_u64().unwrap();
        Self { port: port.try_into().unwrap(), events, child }
    }

    /// What happened to mail for an address, or to any.
    pub(crate) fn events(&self, kind: &str, to: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        let is_meant = |event: &&Value| event["event"] == kind && (to.is_empty() || event["to"] == to);
        events.iter().filter(is_meant).cloned().collect()
    }

    /// Waits until something happened to mail for an address, and tells it.
    pub(crate) async fn event(&self, kind: &str, to: &str) -> Value {
        eventually(&format!("{kind} {to}"), DELIVERY, async || !self.events(kind, to).is_empty()).await;
        self.events(kind, to).remove(0)
    }

    /// The configuration that sends mail here, in the clear.
    pub(crate) fn settings(&self) -> Settings {
        Settings::to(self.port)
    }

    pub(crate) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Configuration keys and their values.
#[derive(Clone)]
pub(crate) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    pub(crate) fn to(port: u16) -> Self {
        let basics = [
            ("mail.folder", ""),
            ("mail.smtp_host", "localhost"),
            ("mail.smtp_tls", "none"),
            ("mail.from", "Denizen <no-reply@example.com>"),
        ];
        Self(basics.map(|(key, value)| (key, value.to_owned())).into()).with("mail.smtp_port", &port.to_string())
    }

    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.0.push((key, value.to_owned()));
        self
    }

    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str())).collect()
    }
}

/// A certificate for `localhost`, and the authority that vouches for it, as files of a folder.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Certificates {
    pub(crate) fn make(folder: &Path) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let write = |name: &str, content: String| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        Self {
            authority: write("authority.pem", authority_pem),
            certificate: write("certificate.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }

    /// The arguments of a server that is known by them.
    pub(crate) fn arguments(&self) -> [&str; 4] {
        ["--cert", &self.certificate, "--key", &self.key]
    }
}

/// The store of a test's database, as another process has it open: nobody here is woken by what it writes.
pub(crate) async fn store_of(world: &World) -> Arc<dyn Store> {
    let mut flags = Overrides::default();
    for (key, value) in world.basics() {
        flags.push(key, value, "test");
    }
    let env = [("APP_ENV".to_owned(), "dev".to_owned())].into();
    let sources = Sources { dir: world.folder().to_owned(), config_dir: None, env_file: None, env };
    let config = Config::from_sources(&sources, &flags).unwrap().config;
    let options = denizen::app::store_options(&config).unwrap();
    options.migrate().await.unwrap();
    options.open().unwrap()
}

/// Writes news to these addresses into the outbox, worth sending for an hour.
pub(crate) async fn enqueue(store: &dyn Store, now: Timestamp, addresses: &[&str]) {
    let mut tx = store.write().await.unwrap();
    for (n, address) in (1..).zip(addresses) {
        let to = EmailAddress::parse(address).unwrap();
        // An id for each address, and another one for each moment.
        let n = n + u32::try_from(now.as_micros() / 1_000 % 1_000_000).unwrap() * 1_000;
        let mail = Mail { to, created_at: now, expires_at: now.plus_seconds(3_600), ..build::mail(n) };
        tx.enqueue_mail(&mail).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Whether the outbox holds nothing, due now or later.
pub(crate) async fn is_empty(store: &dyn Store) -> bool {
    let never = Timestamp::from_micros(i64::MAX);
    !store.read().await.unwrap().is_mail_due(never).await.unwrap()
}

pub(crate) async fn becomes_empty(store: &dyn Store) {
    eventually("the outbox is empty", DELIVERY, async || is_empty(store).await).await;
}

/// A Python that has the mail server.
async fn python() -> &'static str {
    static PYTHON: OnceCell<String> = OnceCell::const_new();
    let find = async || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/smtp-python");
        let output = Command::new(script).stderr(Stdio::inherit()).output().await.unwrap();
        assert!(output.status.success(), "scripts/smtp-python found no Python with aiosmtpd");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    PYTHON.get_or_init(find).await
}
