//! Followers as products write them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything takes that is to happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A follower over a WebSocket.
pub(crate) struct Ws(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a WebSocket says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Frame(Value),
    Closed(Option<u16>),
}

impl Ws {
    /// Opens a WebSocket at a path; the error is the status of a refusal.
    pub(crate) async fn open(url: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let address = format!("{}{path}", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("an answer") {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// The same with a bearer token, by a client that takes little at once.
    pub(crate) async fn open_small(url: &str, token: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let mut request = format!("ws://{address}/api/v1/events/ws").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let (stream, _) = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
        Self(stream)
    }

    /// The same with a bearer token.
    pub(crate) async fn follow(url: &str, token: &str, query: &str) -> Self {
        let authorization = format!("Bearer {token}");
        let opened = Self::open(url, &format!("/api/v1/events/ws?{query}"), &[("authorization", &authorization)]).await;
        let mut opened = opened.unwrap_or_else(|status| panic!("refused with {status}"));
        if query.contains("after=") {
            return opened;
        }
        // Whoever begins now is told where that is.
        let first = opened.frame().await;
        assert_eq!(first["type"], "heartbeat", "{first}");
        opened
    }

    pub(crate) async fn said(&mut self) -> Said {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something is said") {
                Some(Ok(Message::Text(text))) => return Said::Frame(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Said::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Said::Closed(None),
            }
        }
    }

    pub(crate) async fn frame(&mut self) -> Value {
        match self.said().await {
            Said::Frame(frame) => frame,
            Said::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    /// The next event, heartbeats aside.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            match frame["type"].as_str() {
                Some("heartbeat") => {}
                Some("event") => return frame["event"].clone(),
                _ => panic!("no event: {frame}"),
            }
        }
    }

    /// How it ends: the code of the error, its cursor, and that of the close. Events before it are passed over.
    pub(crate) async fn end(&mut self) -> (String, String, u16) {
        let mut told = None;
        loop {
            match self.said().await {
                Said::Frame(frame) if frame["type"] == "error" => {
                    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{frame}")).to_owned();
                    told = Some((text(&frame["error"]["code"]), text(&frame["cursor"])));
                }
                Said::Frame(_) => {}
                Said::Closed(code) => {
                    let (error, cursor) = told.unwrap_or_else(|| panic!("closed with {code:?} and no word"));
                    return (error, cursor, code.expect("a code"));
                }
            }
        }
    }

    pub(crate) async fn send(&mut self, text: &str) -> bool {
        self.0.send(Message::text(text)).await.is_ok()
    }
}

/// A follower by server-sent events.
pub(crate) struct Sse {
    response: Response,
    text: String,
}

/// One event of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Sse {
    /// Opens a stream; the error is the answer that refuses it.
    pub(crate) async fn open(
        client: &reqwest::Client,
        url: &str,
        path: &str,
        token: &str,
        last: Option<&str>,
    ) -> Result<Self, Response> {
        let mut request = client.request(Method::GET, format!("{url}{path}")).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            return Err(response);
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, text: String::new() })
    }

    /// What comes next; nothing when the stream has ended, or broken.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let line = read_block(block);
                self.text = String::from(rest);
                if line.is_some() {
                    return line;
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something comes").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of the log.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let line = self.next().await.expect("the stream goes on");
            if line.kind != "heartbeat" {
                assert_eq!(line.id.as_deref(), line.data["cursor"].as_str());
                return line.data;
            }
        }
    }
}

fn read_block(block: &str) -> Option<Line> {
    let field =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
    let data = field("data")?;
    Some(Line { id: field("id"), kind: field("event")?, data: serde_json::from_str(&data).unwrap() })
}
