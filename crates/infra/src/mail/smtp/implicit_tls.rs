//! TLS from the first byte of a connection (RFC 8314).
//!
//! It is established here and not by lettre, so that what lettre reads has passed [`super::ascii`].

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsError;

/// Encrypts connections to one server.
pub(super) struct ImplicitTls {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl ImplicitTls {
    /// Trusts the public certificate authorities, and the certificates (PEM) besides them.
    pub(super) fn new(host: &str, extra_roots: Option<&[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(extra_roots.unwrap_or_default()) {
            roots.add(certificate.map_err(TlsError::from_any)?).map_err(TlsError::from_any)?;
        }
        let config = ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
        let config = config.with_safe_default_protocol_versions().map_err(TlsError::from_any)?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let server = ServerName::try_from(host.to_owned()).map_err(TlsError::from_any)?;
        Ok(Self { connector: Arc::new(config).into(), server })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.server.clone(), stream).await
    }
}
