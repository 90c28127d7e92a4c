//! TLS on the port, certificates that change, and clients that show theirs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use denizen_proto::v1;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::grpc::{Rpc, refused};
use crate::harness::{Db, World, eventually, on_both, timed};
use crate::process::{Process, run_on};

const SOON: Duration = Duration::from_secs(15);

/// An authority, and what it issues.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, names: Vec<SanType>) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn for_the_server(&self) -> (String, String) {
        self.issue(vec![SanType::IpAddress("127.0.0.1".parse().unwrap())])
    }

    fn for_a_program(&self, id: &str) -> (String, String) {
        let uri = format!("spiffe://example.com/service-account/{id}");
        self.issue(vec![SanType::URI(uri.try_into().unwrap())])
    }
}

/// The files of a server.
struct Files {
    cert: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
}

impl Files {
    fn write(folder: &Path, (cert, key): &(String, String), client_ca: &Authority) -> Self {
        let files =
            Self { cert: folder.join("server.crt"), key: folder.join("server.pem"), client_ca: folder.join("ca.crt") };
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        std::fs::write(&files.client_ca, client_ca.0.pem()).unwrap();
        files
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("server.tls_cert_file", self.cert.display().to_string()),
            ("server.tls_key_file", self.key.display().to_string()),
        ]
    }

    fn mutual(&self) -> Vec<(&'static str, String)> {
        let client_ca = ("server.tls_client_ca_file", self.client_ca.display().to_string());
        self.settings().into_iter().chain([client_ca]).collect()
    }
}

fn lent<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

/// A client that trusts an authority, and shows a certificate if it has one.
fn connector(trusted: &Authority, shown: Option<&(String, String)>, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            use tokio_rustls::rustls::pki_types::pem::PemObject;
            let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

fn address(url: &str) -> String {
    url.split("://").nth(1).unwrap().to_owned()
}

async fn connect(url: &str, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    connector.connect(name, TcpStream::connect(address(url)).await?).await
}

/// Asks over HTTP/1.1 and returns the status.
async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> std::io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await?;
    let mut buffer = vec![0; 16 * 1024];
    let length = stream.read(&mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer[..length]).get(9..12).unwrap_or_default().to_owned())
}

fn channel(url: &str, connector: TlsConnector) -> Channel {
    let url = url.to_owned();
    let endpoint = Endpoint::from_static("http://127.0.0.1");
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let (url, connector) = (url.clone(), connector.clone());
        async move { connect(&url, &connector).await.map(TokioIo::new) }
    }))
}

async fn ready(rpc: &Rpc) -> bool {
    rpc.health().check(tonic_health::pb::HealthCheckRequest::default()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_grpc_are_served_over_tls() {
    let (world, authority) = (World::new(Db::Sqlite).await, Authority::new());
    let files = Files::write(world.folder(), &authority.for_the_server(), &authority);
    let app = world.serve(&lent(&files.settings())).await;
    let mut stream = connect(&app.url, &connector(&authority, None, &[b"http/1.1"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(ask(&mut stream, "/health/ready").await.unwrap(), "200");
    let h2 = connector(&authority, None, &[b"h2", b"http/1.1"]);
    assert_eq!(connect(&app.url, &h2).await.unwrap().get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert!(ready(&Rpc::over(channel(&app.url, h2))).await);

    assert!(connect(&app.url, &connector(&Authority::new(), None, &[])).await.is_err(), "it is not that one's");
    let plain = app.client.get(format!("{}/health", app.url)).send().await;
    assert!(plain.is_err(), "plain text is not served beside");
    assert_eq!(ask(&mut stream, "/health/ready").await.unwrap(), "200", "the listener lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_shake_hands_is_cut() {
    let (world, authority) = (World::new(Db::Sqlite).await, Authority::new());
    let files = Files::write(world.folder(), &authority.for_the_server(), &authority);
    let mut settings = files.settings();
    settings.push(("limits.header_timeout_s", "1".to_owned()));
    let app = world.serve(&lent(&settings)).await;
    let mut silent = TcpStream::connect(address(&app.url)).await.unwrap();
    let (end, waited) = timed(silent.read(&mut [0; 16])).await;
    assert_eq!(end.unwrap_or(0), 0);
    assert!(waited < SOON, "{waited:?}");
    let mut silent = connect(&app.url, &connector(&authority, None, &[b"http/1.1"])).await.unwrap();
    let (end, waited) = timed(silent.read(&mut [0; 16])).await;
    assert_eq!(end.unwrap_or(0), 0, "nor may one be silent after it");
    assert!(waited < SOON, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_is_taken_over_and_drops_nobody() {
    let (world, old, new) = (World::new(Db::Sqlite).await, Authority::new(), Authority::new());
    let files = Files::write(world.folder(), &old.for_the_server(), &old);
    let server = Process::start(&world, &lent(&files.settings())).await;
    let takes = async |authority: &Authority| connect(&server.url, &connector(authority, None, &[])).await.is_ok();
    let mut before = connect(&server.url, &connector(&old, None, &[b"http/1.1"])).await.unwrap();
    assert_eq!(ask(&mut before, "/health/live").await.unwrap(), "200");

    // Half of a change, as a copy in progress is.
    let issued = new.for_the_server();
    std::fs::write(&files.cert, &issued.0).unwrap();
    eventually("the failed reload is logged", SOON, async || server.log().contains("TLS reload failed")).await;
    assert!(takes(&old).await, "the certificate before is served on");
    std::fs::write(&files.key, &issued.1).unwrap();
    eventually("the new one is served", SOON, async || takes(&new).await).await;
    assert!(!takes(&old).await);
    assert_eq!(ask(&mut before, "/health/live").await.unwrap(), "200", "who was connected stays so");
}

on_both! {
    async fn a_certificate_can_be_a_program(world: World) {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let files = Files::write(world.folder(), &authority.for_the_server(), &authority);
        let plain = world.serve(&[]).await;
        let account = plain.service_account("admin").await;
        let app = world.serve(&lent(&files.mutual())).await;
        let shows = |shown: Option<&(String, String)>| Rpc::over(channel(&app.url, connector(&authority, shown, &[b"h2"])));
        let list = async |rpc: &Rpc| rpc.users().list_users(v1::ListUsersRequest::default()).await;

        assert!(!ready(&shows(None)).await, "a client must show a certificate");
        assert!(!ready(&shows(Some(&stranger.for_a_program(&account)))).await, "and not a stranger's");

        let issued = authority.for_a_program(&account);
        let program = shows(Some(&issued));
        list(&program).await.unwrap();
        let mut stream = connect(&app.url, &connector(&authority, Some(&issued), &[b"http/1.1"])).await.unwrap();
        assert_eq!(ask(&mut stream, "/api/v1/users").await.unwrap(), "200", "over REST too");
        let exported = program.users().export_users(v1::ExportUsersRequest {}).await.unwrap();
        assert!(exported.into_inner().message().await.unwrap().is_none());
        program.tokens().introspect(v1::IntrospectRequest { token: "x".into(), client: None }).await.unwrap();

        let user = plain.user().await;
        refused(list(&program.by(&user.token)).await, Code::PermissionDenied, "forbidden");
        refused(list(&program.by("forged")).await, Code::Unauthenticated, "invalid_token");
        let nobody = authority.issue(vec![SanType::DnsName("client".try_into().unwrap())]);
        refused(list(&shows(Some(&nobody))).await, Code::Unauthenticated, "unauthenticated");
        let unknown = authority.for_a_program(&user.id);
        refused(list(&shows(Some(&unknown))).await, Code::Unauthenticated, "invalid_token");

        let admin = plain.admin().await;
        let path = format!("/api/v1/service-accounts/{account}");
        assert_eq!(plain.patch(&path, &admin.token, &serde_json::json!({"status": "disabled"})).await.status(), 200);
        refused(list(&program).await, Code::Unauthenticated, "invalid_token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_processes_checks_its_files_and_its_health() {
    let (world, authority) = (World::new(Db::Sqlite).await, Authority::new());
    let issued = authority.for_the_server();
    let files = Files::write(world.folder(), &issued, &authority);
    let mutual = files.mutual();
    let server = Process::start(&world, &lent(&mutual)).await;
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let mut settings = lent(&mutual);
    settings.push(("server.port", &port));
    let done = run_on(&world, &settings, &["healthcheck"], "").await;
    assert_eq!(done.stdout, "ready\n", "{}", done.stderr);

    // A SQLite file has one server.
    server.kill_now().await;
    std::fs::write(&files.key, authority.for_the_server().1).unwrap();
    let line = run_on(&world, &lent(&mutual), &["serve"], "").await.only_line(1).to_owned();
    assert!(line.contains("the certificate and the private key do not match"), "{line}");
    std::fs::write(&files.cert, "nonsense").unwrap();
    let line = run_on(&world, &lent(&mutual), &["serve"], "").await.only_line(1).to_owned();
    assert!(line.contains("does not contain a certificate"), "{line}");
    let missing = [("server.tls_cert_file", "nowhere.crt"), ("server.tls_key_file", "nowhere.pem")];
    let line = run_on(&world, &missing, &["serve"], "").await.only_line(1).to_owned();
    assert!(line.contains("reading nowhere.crt"), "{line}");
    let half = run_on(&world, &[("server.tls_key_file", "nowhere.pem")], &["config", "check"], "").await;
    assert!(half.stderr.contains("server.tls_cert_file"), "{}", half.stderr);
}
