//! What the certificate of the server says, for diagnosis.

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsFiles;
use super::files::Contents;

/// The certificate of the server.
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    /// When its validity begins, in seconds since the epoch.
    pub(crate) not_before_s: i64,
    /// When it expires, in seconds since the epoch.
    pub(crate) not_after_s: i64,
}

impl TlsFiles {
    /// Reads the certificate of the server, the first of its chain.
    pub(crate) async fn certificate(&self) -> anyhow::Result<Certificate> {
        let (chain, _) = Contents::read(self).await?.chain_and_key(self)?;
        let der = chain.into_iter().next().ok_or_else(|| anyhow::anyhow!("there is no certificate"))?;
        let (_, parsed) = X509Certificate::from_der(&der)?;
        let validity = parsed.validity();
        let (not_before_s, not_after_s) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Ok(Certificate { der, not_before_s, not_after_s })
    }
}

impl Certificate {
    /// Whether it is for a host: a name or an IP address.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        EndEntityCert::try_from(&self.der).is_ok_and(|parsed| parsed.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// A certificate with no content but its validity.
    #[cfg(test)]
    pub(crate) fn between(not_before_s: i64, not_after_s: i64) -> Self {
        Self { der: CertificateDer::from(Vec::new()), not_before_s, not_after_s }
    }
}
