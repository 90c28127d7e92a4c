//! Mail over SMTP (RFC 5321).
//!
//! lettre speaks the protocol. Its pool is not used: a conversation that runs out of time must never leave its
//! connection to the next mail, and only who leads the conversation knows which step was refused. `refusal` decides
//! which refusals drop a mail; the others are retried.

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::ports::{Clock, Letter, MailError, Mailer};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{EmailAddress, Locale};
use lettre::transport::smtp::authentication::{Credentials as Login, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::{Address, Message};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Writer;
use super::message::{compose, test_mail};

mod ascii;
mod implicit_tls;
mod refusal;

use self::ascii::AsciiReplies;
use self::implicit_tls::ImplicitTls;
use self::refusal::{Failed, Step, judge, later};

/// How many connections are kept for the next mail, and how long, in seconds.
const IDLE_MAX: usize = 8;
const IDLE_S_MAX: u32 = 20;
/// How long a kept connection may take to show that it still lives.
const PROBE: Duration = Duration::from_secs(3);
/// How long goodbyes may take.
const GOODBYE: Duration = Duration::from_secs(1);
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    None,
    /// By TLS from the command STARTTLS on; a server that does not offer it is not spoken to (RFC 3207).
    StartTls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
}

/// Who we are to the mail server.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Which mail server, and how it is reached.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Its name; what its certificate must be for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way is protected.
    pub encryption: Encryption,
    /// Who we are, where the server asks.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) that are trusted besides the public ones.
    pub extra_roots: Option<Vec<u8>>,
    /// How long the delivery of one mail may take, in seconds.
    pub timeout_s: u32,
    /// The host of this server: its name or IP address, sent with `EHLO` (RFC 5321 §4.1.1.1).
    pub hello_host: String,
}

/// Hands mail over to a server.
pub struct SmtpMailer {
    writer: Writer,
    host: String,
    port: u16,
    protection: Protection,
    login: Option<Login>,
    patience: Duration,
    hello: ClientId,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<(AsyncSmtpConnection, Timestamp)>>,
}

/// Why a server cannot be spoken to as configured.
#[derive(Debug, thiserror::Error)]
#[error("setting up TLS for the mail server")]
pub struct TlsError(#[source] Box<dyn Error + Send + Sync>);

impl TlsError {
    fn from_any(source: impl Error + Send + Sync + 'static) -> Self {
        Self(source.into())
    }
}

/// What [`Encryption`] takes.
enum Protection {
    None,
    StartTls(TlsParameters),
    Implicit(ImplicitTls),
}

impl SmtpMailer {
    /// Prepares to send. Connects nothing.
    ///
    /// # Errors
    /// When the extra roots or the name of the server cannot be used.
    pub fn new(options: SmtpOptions, writer: Writer, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let SmtpOptions { host, port, encryption, credentials, extra_roots, timeout_s, hello_host } = options;
        let protection = match encryption {
            Encryption::None => Protection::None,
            Encryption::Tls => Protection::Implicit(ImplicitTls::new(&host, extra_roots.as_deref())?),
            Encryption::StartTls => {
                let mut parameters = TlsParameters::builder(host.clone());
                if let Some(roots) = extra_roots {
                    let roots = Certificate::from_pem(&roots).map_err(TlsError::from_any)?;
                    parameters = parameters.add_root_certificate(roots);
                }
                Protection::StartTls(parameters.build_rustls().map_err(TlsError::from_any)?)
            }
        };
        let login = credentials.map(|Credentials { user, password }| Login::new(user, password.expose_secret().into()));
        Ok(Self {
            writer,
            host,
            port,
            protection,
            login,
            patience: Duration::from_secs(timeout_s.into()),
            hello: client_id(hello_host),
            clock,
            idle: Mutex::default(),
        })
    }

    /// Connects, encrypts and authenticates as for a mail, and returns how the server calls itself. Sends no mail.
    ///
    /// # Errors
    /// Names the step that failed.
    pub async fn probe(&self) -> Result<String, MailError> {
        let probe = async {
            let mut connection = self.connect().await?;
            let name = connection.server_info().name().to_owned();
            let _ = timeout(GOODBYE, connection.quit()).await;
            Ok(name)
        };
        timeout(self.patience, probe).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Sends a test mail now.
    ///
    /// # Errors
    /// Names the step that failed.
    pub async fn send_test(&self, to: &EmailAddress) -> Result<(), MailError> {
        let message = test_mail(&self.writer.sender, to, self.clock.now())?;
        timeout(self.patience, self.hand_over(&message)).await.unwrap_or_else(|_| Err(silent()))
    }

    /// A connection that is ready for a mail: one that was kept, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, MailError> {
        while let Some((mut connection, since)) = self.take_idle() {
            let is_fresh = self.clock.now() < since.plus_seconds(IDLE_S_MAX);
            if is_fresh && timeout(PROBE, connection.test_connected()).await == Ok(true) {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let mut connection = self.open().await?;
        if let Protection::StartTls(parameters) = &self.protection {
            let upgraded = connection.starttls(parameters.clone(), &self.hello).await;
            upgraded.map_err(|error| later("STARTTLS with the mail server", error))?;
        }
        if let Some(login) = &self.login {
            let known = connection.auth(MECHANISMS, login).await;
            known.map_err(|error| later("authenticating to the mail server", error))?;
        }
        Ok(connection)
    }

    /// Connects and sends `EHLO`.
    async fn open(&self) -> Result<AsyncSmtpConnection, MailError> {
        let unreachable = |source| MailError::Temporary(Failed::Unreachable { source }.into());
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        let peer = stream.peer_addr().map_err(unreachable)?;
        let stream: Box<dyn AsyncTokioStream> = match &self.protection {
            Protection::Implicit(tls) => {
                let encrypted = tls.connect(stream).await;
                let encrypted = encrypted.map_err(|source| MailError::Temporary(Failed::Tls { source }.into()))?;
                Box::new(AsciiReplies::new(encrypted, peer, false))
            }
            Protection::StartTls(_) => Box::new(AsciiReplies::new(stream, peer, true)),
            Protection::None => Box::new(AsciiReplies::new(stream, peer, false)),
        };
        let opened = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        opened.map_err(|error| later("connecting to the mail server", error))
    }

    async fn hand_over(&self, message: &Message) -> Result<(), MailError> {
        let mut connection = self.connection().await?;
        converse(&mut connection, message).await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push((connection, self.clock.now()));
        }
        Ok(())
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Timestamp)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The kept connections that nobody used for a while.
    fn take_stale(&self) -> Vec<AsyncSmtpConnection> {
        let now = self.clock.now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (stale, fresh) =
            std::mem::take(&mut *idle).into_iter().partition(|(_, since)| since.plus_seconds(IDLE_S_MAX) <= now);
        *idle = fresh;
        let stale: Vec<_> = stale;
        stale.into_iter().map(|(connection, _)| connection).collect()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), MailError> {
        let (message, _) = compose(&self.writer, letter)?;
        // Out of time, the connection is dropped with the conversation.
        timeout(self.patience, self.hand_over(&message)).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn rest(&self) {
        let stale = self.take_stale();
        let goodbyes = async {
            for mut connection in stale {
                let _ = connection.quit().await;
            }
        };
        let _ = timeout(GOODBYE, goodbyes).await;
    }

    fn supports(&self, locale: &Locale) -> bool {
        self.writer.words.supports(locale)
    }
}

fn silent() -> MailError {
    MailError::Temporary("the mail server did not respond in time".into())
}

/// The name or the address literal for `EHLO`.
fn client_id(host: String) -> ClientId {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host),
    }
}

/// One mail, from `MAIL FROM` to the server's receipt.
async fn converse(connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), MailError> {
    let envelope = message.envelope();
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let is_recipient_ascii = envelope.to().iter().all(is_ascii);
    if !is_recipient_ascii || !envelope.from().is_none_or(is_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = "the mail server does not support non-ASCII addresses (SMTPUTF8)".into();
            // The sender is configured: it does not make this mail undeliverable.
            return Err(if is_recipient_ascii { MailError::Temporary(why) } else { MailError::Permanent(why) });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    // The sender is configured: a server that refuses it does not refuse this mail.
    let sender = Mail::new(envelope.from().cloned(), parameters);
    connection.command(sender).await.map_err(|error| later("MAIL FROM", error))?;
    let judge = |step, error| judge(step, error, envelope.to());
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), vec![]);
        connection.command(recipient).await.map_err(|error| judge(Step::Recipient, error))?;
    }
    connection.command(Data).await.map_err(|error| judge(Step::Data, error))?;
    connection.message(&message.formatted()).await.map_err(|error| judge(Step::Content, error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
