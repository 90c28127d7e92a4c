//! TLS for the listener, from files that may change while it runs.

mod certificate;
mod files;
mod identity;
mod pinned;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::config::Server;
use crate::http::problem::Chain;
pub(crate) use certificate::Certificate;
use files::Contents;
pub(crate) use files::TlsError;
pub(crate) use identity::program_of;
pub(crate) use pinned::connect;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where certificates and keys are.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The chain, our own certificate first.
    cert: PathBuf,
    /// The private key of the first.
    key: PathBuf,
    /// Who vouches for clients, when they must show a certificate.
    client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// The files that are configured, when TLS is.
    pub(crate) fn of(server: &Server) -> Option<Self> {
        let (cert, key) = server.tls_cert_file.clone().zip(server.tls_key_file.clone())?;
        Some(Self { cert, key, client_ca: server.tls_client_ca_file.clone() })
    }
}

/// TLS as it is served at the moment. A connection keeps what it began with.
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
    first: Contents,
}

impl Tls {
    /// Reads the files.
    pub(crate) async fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let first = Contents::read(&files).await?;
        let current = RwLock::new(Arc::new(first.server_config(&files)?));
        Ok(Self { files, current, first })
    }

    /// What a new connection is served with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Takes over what the files say whenever it changes, until `stop` is cancelled. Files that are no good, or half
    /// written, are told once, and what was served before is served on.
    pub(crate) async fn follow(&self, stop: &CancellationToken) {
        let mut seen = self.first.clone();
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
            }
            is_failing = match self.look(&mut seen).await {
                Ok(()) => false,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(error = %Chain(&error), "TLS reload failed, using the previous files");
                    }
                    true
                }
            };
        }
    }

    async fn look(&self, seen: &mut Contents) -> Result<(), TlsError> {
        let now = Contents::read(&self.files).await?;
        if now != *seen {
            let config = now.server_config(&self.files)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
            *seen = now;
            tracing::info!("TLS files reloaded, used for new connections");
        }
        Ok(())
    }
}
