//! From PEM files to what rustls serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use super::TlsFiles;

/// What we speak, the better first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why files are no good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("reading {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} does not contain a {expected} in PEM", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// The reason.
        #[source]
        source: PemError,
    },
    /// A file names nobody.
    #[error("{} does not contain a certificate", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The key does not fit the certificate, or either is of a kind that is not served.
    #[error("the certificate and the private key do not match")]
    Refused(#[from] rustls::Error),
    /// The authorities are no good.
    #[error("the certificate authorities for clients are invalid")]
    Authorities(#[from] VerifierBuilderError),
}

/// What is in the files.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl Contents {
    pub(super) async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let client_ca = match &files.client_ca {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        Ok(Self { cert: read(&files.cert).await?, key: Zeroizing::new(read(&files.key).await?), client_ca })
    }

    /// Our own certificate and those that vouch for it, and its key.
    pub(super) fn chain_and_key(
        &self,
        files: &TlsFiles,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = certificates(&self.cert, &files.cert)?;
        let malformed = |source| TlsError::Malformed { path: files.key.clone(), expected: "private key", source };
        Ok((chain, PrivateKeyDer::from_pem_slice(&self.key).map_err(malformed)?))
    }

    /// What is served with them.
    pub(super) fn server_config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let (chain, key) = self.chain_and_key(files)?;
        let provider = Arc::new(default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(text), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(text, path)? {
                    roots.add(root)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn certificates(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = |source| TlsError::Malformed { path: path.to_owned(), expected: "certificate", source };
    let found: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(malformed)?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}
