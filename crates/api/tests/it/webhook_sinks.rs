//! Receivers of webhooks that behave in every way: on a port of this machine, which tests allow.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// What a sink does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    /// Answers with a status and a text.
    Answer(u16, &'static str),
    /// The same with a header.
    With(u16, &'static str, String),
    /// Never answers.
    Stall,
    /// Takes it, and sends the answer a byte at a time, for ever.
    Drip,
    /// Takes it, and sends zeros for ever.
    Endless,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) is_taken: bool,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Which of these secrets signed it, by the position of the signature.
    pub(crate) fn is_signed_by(&self, secrets: &[&str]) -> bool {
        let signed = format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body);
        let signature = |secret: &&str| {
            let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
            format!("v1,{}", STANDARD.encode(tag))
        };
        let expected: Vec<_> = secrets.iter().map(signature).collect();
        self.header("webhook-signature") == expected.join(" ")
    }
}

type Choose = dyn Fn(&[Came], &Value) -> Mood + Send + Sync;

/// A receiver of webhooks.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    came: Mutex<Vec<Came>>,
    choose: Box<Choose>,
    is_left: AtomicBool,
}

impl Sink {
    /// One that always does the same.
    pub(crate) async fn that(mood: Mood) -> Self {
        Self::that_chooses(move |_, _| mood.clone()).await
    }

    /// One that decides by what came before, and by the event.
    pub(crate) async fn that_chooses(choose: impl Fn(&[Came], &Value) -> Mood + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=in-the-address", listener.local_addr().unwrap());
        let inner = Inner { came: Mutex::default(), choose: Box::new(choose), is_left: AtomicBool::new(false) };
        let sink = Self { url, inner: Arc::new(inner) };
        let router = Router::new().route("/{*any}", any(take)).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sink
    }

    /// Every request that came.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.inner.came.lock().unwrap().clone()
    }

    /// The types of the events that were taken, in order.
    pub(crate) fn taken_types(&self) -> Vec<String> {
        let taken = self.came().into_iter().filter(|came| came.is_taken);
        taken.map(|came| came.event()["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the other side left an answer that does not end.
    pub(crate) fn is_left(&self) -> bool {
        self.inner.is_left.load(Ordering::Relaxed)
    }
}

async fn take(State(sink): State<Sink>, headers: HeaderMap, body: String) -> Response {
    let mood = {
        let mut came = sink.inner.came.lock().unwrap();
        let mood = (sink.inner.choose)(&came, &serde_json::from_str(&body).unwrap());
        let is_taken = match &mood {
            Mood::Answer(status, _) | Mood::With(status, ..) => (200..300).contains(status),
            Mood::Drip | Mood::Endless => true,
            Mood::Stall => false,
        };
        came.push(Came { headers, body, is_taken });
        mood
    };
    let status = |status| StatusCode::from_u16(status).unwrap();
    match mood {
        Mood::Answer(code, text) => (status(code), text).into_response(),
        Mood::With(code, name, value) => (status(code), [(name, value)], "").into_response(),
        Mood::Stall => std::future::pending().await,
        Mood::Drip => without_end(sink, Bytes::from_static(b"."), Duration::from_millis(50)).into_response(),
        Mood::Endless => without_end(sink, Bytes::from(vec![0; 64 * 1_024]), Duration::ZERO).into_response(),
    }
}

fn without_end(sink: Sink, piece: Bytes, pause: Duration) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while sender.send(Ok::<_, Infallible>(piece.clone())).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        sink.inner.is_left.store(true, Ordering::Relaxed);
    });
    Body::from_stream(ReceiverStream::new(receiver))
}
