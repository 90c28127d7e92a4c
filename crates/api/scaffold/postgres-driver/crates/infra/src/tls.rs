//! TLS to PostgreSQL, with the certificates that the system trusts. `sslmode=require` in the URL enforces it.

use std::sync::Arc;

use anyhow::Context;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) fn connector() -> anyhow::Result<MakeRustlsConnect> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()
        .context("loading the trusted certificates")?
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
