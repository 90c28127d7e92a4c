//! Issuers whose certificate a private authority issued.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Answers every request on the listener with this document.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, document: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, document) = (acceptor.clone(), document.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
            let _ = stream.write_all(format!("{head}{document}").as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_if_it_is_configured() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider_of_tls = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider_of_tls)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
    });
    tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), metadata.to_string()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    for (extra_ca, expected) in [(None, Some("unavailable")), (Some(file), None)] {
        let options = FederationOptions {
            allowed_hosts: vec!["localhost".to_owned()],
            extra_ca,
            timeout: Duration::from_secs(10),
        };
        let mut fixture = Fixture::new().await;
        let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as Arc<dyn Clock>;
        fixture.federation = HttpFederation::new(options, clock, Arc::new(SystemChance)).unwrap();
        let settings = ProviderSettings { issuer: Some(issuer.clone()), ..fixture.settings() };
        let outcome = fixture.authorization_url(&provider(settings)).await;
        assert_eq!(outcome.err().as_deref(), expected);
    }
}
