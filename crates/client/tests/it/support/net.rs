//! A network whose replies are scripted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use denizen_client::transport::{Body, BoxFuture, Request, Response, Transport, TransportError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{ISSUER, Issuer};

/// What a URL replies.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A complete response.
    Full { status: u16, content_type: &'static str, headers: Vec<(&'static str, String)>, body: String },
    /// No connection.
    Unreachable,
    /// No response, ever.
    Hangs,
    /// A response whose body does not end.
    Endless,
    /// A response whose body the test writes.
    Stream(Arc<Mutex<Option<mpsc::UnboundedReceiver<Bytes>>>>),
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::full("application/json", body.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::full("application/json", "{}".to_owned()).with_status(status)
    }

    pub(crate) fn full(content_type: &'static str, body: String) -> Self {
        Self::Full { status: 200, content_type, headers: Vec::new(), body }
    }

    /// A complete response with another status.
    pub(crate) fn with_status(mut self, new: u16) -> Self {
        if let Self::Full { status, .. } = &mut self {
            *status = new;
        }
        self
    }

    /// A complete response with a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Full { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// An event stream, and what writes to it. Dropping the writer ends the stream.
    pub(crate) fn stream() -> (Self, mpsc::UnboundedSender<Bytes>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self::Stream(Arc::new(Mutex::new(Some(receiver)))), sender)
    }
}

/// A request that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) bearer: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) json: Option<Value>,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct State {
    /// The replies of each URL, in order; the last one is repeated.
    replies: HashMap<String, Vec<Reply>>,
    sent: Vec<Sent>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Net(Arc<Mutex<State>>);

impl Net {
    pub(crate) const METADATA: &str = "https://accounts.example.com/.well-known/openid-configuration";
    pub(crate) const JWKS: &str = "https://accounts.example.com/.well-known/jwks.json";
    pub(crate) const FEED: &str = "https://accounts.example.com/api/v1/events/revocations";

    pub(crate) fn serve_issuer(&self, issuer: &Issuer) {
        self.reply(Self::METADATA, Reply::json(&json!({"issuer": ISSUER, "jwks_uri": Self::JWKS})));
        self.reply(Self::JWKS, Reply::json(&issuer.jwks()));
    }

    /// From now on, this URL replies so.
    pub(crate) fn reply(&self, url: &str, reply: Reply) {
        self.replies(url, vec![reply]);
    }

    /// From now on, this URL replies so, in order.
    pub(crate) fn replies(&self, url: &str, replies: Vec<Reply>) {
        self.0.lock().unwrap().replies.insert(url.to_owned(), replies);
    }

    pub(crate) fn sent_to(&self, url: &str) -> Vec<Sent> {
        self.0.lock().unwrap().sent.iter().filter(|sent| sent.url == url).cloned().collect()
    }

    pub(crate) fn count(&self, url: &str) -> usize {
        self.sent_to(url).len()
    }

    fn next(&self, request: Request<'_>) -> Reply {
        let mut state = self.0.lock().unwrap();
        state.sent.push(Sent {
            method: request.method.as_str(),
            url: request.url.to_owned(),
            bearer: request.bearer.map(str::to_owned),
            headers: request.headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            json: request.json.map(|json| serde_json::from_slice(json).unwrap()),
        });
        match state.replies.get_mut(request.url) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None => Reply::Unreachable,
        }
    }
}

impl Transport for Net {
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        let reply = self.next(request);
        Box::pin(async move {
            // Another task may run: a fetch is never finished at once.
            tokio::task::yield_now().await;
            match reply {
                Reply::Full { status, content_type, headers, body } => Ok(Response {
                    headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                    ..Response::full(status, content_type, body)
                }),
                Reply::Unreachable => Err(TransportError::new("connection refused")),
                Reply::Hangs => std::future::pending().await,
                Reply::Endless => Ok(streamed("application/json", Endless)),
                Reply::Stream(receiver) => match receiver.lock().unwrap().take() {
                    Some(receiver) => Ok(streamed("text/event-stream", Written(receiver))),
                    None => Err(TransportError::new("connection refused")),
                },
            }
        })
    }
}

fn streamed(content_type: &str, body: impl Body + 'static) -> Response {
    Response { body: Box::new(body), ..Response::full(200, content_type, "") }
}

struct Endless;

impl Body for Endless {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(std::future::ready(Ok(Some(Bytes::from_static(&[b' '; 4096])))))
    }
}

struct Written(mpsc::UnboundedReceiver<Bytes>);

impl Body for Written {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async { Ok(self.0.recv().await) })
    }
}
