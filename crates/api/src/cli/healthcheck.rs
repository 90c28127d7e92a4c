//! `denizen healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Globals;
use super::failure::Failure;
use super::output::print;
use crate::config::Server;
use crate::tls::{self, TlsFiles};

pub(super) const EXAMPLES: &str = "\
Sends GET /health/ready to server.host and server.port, with a timeout of 3 seconds.

Example, in a Dockerfile:
  HEALTHCHECK CMD [\"denizen\", \"healthcheck\"]";

/// The timeout, in seconds.
const TIMEOUT_S: u64 = 3;
/// How much of the response is read, in bytes: it begins with the status line.
const ANSWER_BYTES_MAX: u64 = 64;

pub(super) async fn run(globals: &Globals) -> Result<(), Failure> {
    let server = globals.config()?.server;
    let (address, tls) = (address(&server), TlsFiles::of(&server));
    let url = format!("{}://{address}/health/ready", if tls.is_some() { "https" } else { "http" });
    let answer = tokio::time::timeout(Duration::from_secs(TIMEOUT_S), ask(address, tls.as_ref())).await;
    let status = answer.with_context(|| format!("no response from {url} within {TIMEOUT_S} s"))??;
    if status != 200 {
        return Err(anyhow::anyhow!("{url} returned {status}").into());
    }
    print("ready\n")
}

/// The address to reach the server from this machine: a server that listens on all interfaces also listens on loopback.
fn address(server: &Server) -> SocketAddr {
    let host = match server.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, server.port)
}

/// The status of the response (RFC 9112 §4).
async fn ask(address: SocketAddr, tls: Option<&TlsFiles>) -> anyhow::Result<u16> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("no server is listening at {address}"))?;
    match tls {
        Some(files) => {
            ask_over(tls::connect(files, stream).await.context("TLS handshake with the server")?, address).await
        }
        None => ask_over(stream, address).await,
    }
}

async fn ask_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: SocketAddr) -> anyhow::Result<u16> {
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("sending the request")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await.context("reading the response")?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    match status {
        Some(status) => Ok(status),
        None => bail!("{address} did not return an HTTP response"),
    }
}

#[cfg(test)]
mod tests {
    use super::ask;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn check(answer: &'static str, expected: Option<u16>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        assert_eq!(ask(address, None).await.ok(), expected, "{answer:?}");
        let request = server.await.unwrap();
        assert!(request.starts_with("GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    }

    #[tokio::test]
    async fn the_status_of_the_answer_is_read() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Some(200)).await;
        check("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(503)).await;
        check("SSH-2.0-OpenSSH_9.6\r\n", None).await;
        check("HTTP/1.1", None).await;
        check("", None).await;
    }
}
