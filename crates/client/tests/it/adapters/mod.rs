//! The same behaviour, whatever the framework.

mod actix;
mod axum;
mod rocket;
mod table;
mod tonic;
mod tower;
mod warp;

use bytes::Bytes;
use denizen_client::{RevocationFeed, Verifier};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::support::{AUDIENCE, ISSUER, Issuer, Net, Reply, TestClock, USER};
use table::{ENDED_SESSION, Row, rows};

/// A response, whatever the framework.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    challenge: Option<String>,
    body: String,
}

/// A verifier that knows one revocation. The stream stays open as long as this.
struct Guard {
    verifier: Verifier,
    net: Net,
    clock: TestClock,
    _stream: UnboundedSender<Bytes>,
}

impl Guard {
    async fn start() -> Self {
        let (clock, net) = (TestClock::default(), Net::default());
        net.serve_issuer(Issuer::shared());
        let (reply, stream) = Reply::stream();
        net.reply(Net::FEED, reply);
        let revocation = json!({"cursor": "1", "session_id": ENDED_SESSION, "since": "2027-01-15T08:00:00Z"});
        let messages =
            format!("event: revocation\ndata: {revocation}\n\nevent: heartbeat\ndata: {{\"cursor\":\"1\"}}\n\n");
        stream.send(messages.into()).unwrap();
        let feed = RevocationFeed::builder(ISSUER).clock(clock.clone()).transport(net.clone()).start().unwrap();
        feed.caught_up().await;
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).revocations(feed);
        let verifier = builder.clock(clock.clone()).transport(net.clone()).build().unwrap();
        Self { verifier, net, clock, _stream: stream }
    }

    /// Nothing can be verified any more.
    fn lose_issuer(&self) {
        self.net.reply(Net::JWKS, Reply::Unreachable);
        self.clock.advance(4000);
    }
}

/// Sends every row, and checks the responses.
async fn check_all(mut send: impl AsyncFnMut(&Row) -> Answer) {
    let mut failures = Vec::new();
    for row in rows() {
        let answer = send(&row).await;
        let mut is_expected = answer.status == row.status && answer.challenge == row.challenge;
        if answer.status == 200 {
            let expected = if row.name.starts_with("a ") { USER } else { "nobody" };
            is_expected &= answer.body == expected;
        }
        if !is_expected {
            failures.push(format!("{}: expected {} {:?}, got {answer:?}", row.name, row.status, row.challenge));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Checks the JSON body of a refusal: the same for all invalid tokens.
fn check_body(answer: &Answer, code: &str) {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert_eq!(body["error"], code, "{answer:?}");
    assert!(body["error_description"].is_string(), "{answer:?}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{answer:?}");
}
