//! A client of our own server, for `denizen healthcheck`: it trusts the certificate that is configured, and no other.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::files::Contents;
use super::{TlsError, TlsFiles};

/// Speaks TLS with the server on this machine. To one that wants to see certificates, its own is shown.
pub(crate) async fn connect(files: &TlsFiles, stream: TcpStream) -> anyhow::Result<TlsStream<TcpStream>> {
    let address = stream.peer_addr()?.ip();
    let connector = TlsConnector::from(Arc::new(client_config(files).await?));
    Ok(connector.connect(ServerName::from(address), stream).await?)
}

async fn client_config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let (chain, key) = Contents::read(files).await?.chain_and_key(files)?;
    let provider = Arc::new(default_provider());
    let pinned = chain.first().cloned().ok_or_else(|| TlsError::Empty { path: files.cert.clone() })?;
    let verifier = Arc::new(Pinned { certificate: pinned, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_client_auth_cert(chain, key)?)
}

/// Takes one certificate and no other, whoever issued it and for which name. That the server holds its key is verified.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
