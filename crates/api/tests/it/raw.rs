//! A client that writes bytes: what a well-kept HTTP library would not send.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{TestApp, check_error_body};

/// Longer than any bound of the server that a test waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back before the server closed the connection.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Asserts the one error shape and returns the `error` object.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        check_error_body(&body, status, code, self.header("x-request-id").expect("a request id"));
        body["error"].clone()
    }
}

/// A connection to the server.
pub(crate) struct RawClient(TcpStream);

impl RawClient {
    pub(crate) async fn connect(app: &TestApp) -> Self {
        Self::connect_to(&app.url).await
    }

    pub(crate) async fn connect_to(url: &str) -> Self {
        Self(TcpStream::connect(url.trim_start_matches("http://")).await.unwrap())
    }

    /// Writes bytes; a server that has heard enough may have hung up.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says that nothing more will come.
    pub(crate) async fn shut(&mut self) {
        // The server may have hung up already.
        let _ = self.0.shutdown().await;
    }

    /// The next bytes, exactly so many.
    pub(crate) async fn read_some(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("an answer in time").unwrap();
        bytes
    }

    /// Everything until the server closes the connection; `None` when it does not.
    pub(crate) async fn read_all(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        // A reset after the answer is as good as an end.
        timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.ok().map(|_| bytes)
    }

    /// The answer to a request that asks to close the connection.
    pub(crate) async fn answer(&mut self) -> RawAnswer {
        let bytes = self.read_all().await.expect("the server closes the connection");
        parse(&bytes).unwrap_or_else(|| panic!("no HTTP answer: {:?}", String::from_utf8_lossy(&bytes)))
    }
}

/// Sends one request as it is written and returns its answer. It should say `Connection: close`.
pub(crate) async fn exchange(app: &TestApp, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut client = RawClient::connect(app).await;
    client.send(request).await;
    client.answer().await
}

pub(crate) fn parse(bytes: &[u8]) -> Option<RawAnswer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(RawAnswer { status, head: head.to_owned(), body: body.to_owned() })
}
