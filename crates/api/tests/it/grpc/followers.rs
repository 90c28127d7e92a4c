//! Those who follow the log over gRPC, for tests.

use std::time::Duration;

use denizen_proto::v1;
use denizen_proto::v1::{follow_request, follow_response, watch_response};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::client::{Rpc, refused};
use crate::harness::{SignedIn, TestApp};

/// Longer than anything here takes, and much shorter than what ends a stream by itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a stream tells next.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Event(v1::Event),
    Heartbeat { cursor: String, caught_up: bool },
    Over,
}

impl Told {
    fn of_watch(message: v1::WatchResponse) -> Self {
        match message.told.unwrap() {
            watch_response::Told::Event(event) => Self::Event(event),
            watch_response::Told::Heartbeat(beat) => Self::beat(beat),
        }
    }

    fn of_follow(message: v1::FollowResponse) -> Self {
        match message.told.unwrap() {
            follow_response::Told::Event(event) => Self::Event(event),
            follow_response::Told::Heartbeat(beat) => Self::beat(beat),
        }
    }

    fn beat(v1::EventHeartbeat { cursor, caught_up }: v1::EventHeartbeat) -> Self {
        Self::Heartbeat { cursor, caught_up }
    }
}

pub(super) async fn message<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    timeout(PATIENCE, stream.message()).await.expect("the stream tells something")
}

/// One that watches.
pub(super) struct Watch(Streaming<v1::WatchResponse>);

impl Watch {
    pub(super) async fn start(rpc: &Rpc, after: &str, types: &[&str]) -> Result<Self, Status> {
        let types = types.iter().map(ToString::to_string).collect();
        let stream = rpc.events().watch(v1::WatchRequest { after: after.into(), types }).await?;
        Ok(Self(stream.into_inner()))
    }

    pub(super) async fn next(&mut self) -> Result<Told, Status> {
        Ok(message(&mut self.0).await?.map_or(Told::Over, Told::of_watch))
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> v1::Event {
        loop {
            match self.next().await.unwrap() {
                Told::Event(event) => return event,
                Told::Heartbeat { .. } => {}
                Told::Over => panic!("the stream is over"),
            }
        }
    }

    /// All events up to when it began, and where that was.
    pub(super) async fn caught_up(&mut self) -> (Vec<v1::Event>, String) {
        let mut events = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Told::Event(event) => events.push(event),
                Told::Heartbeat { cursor, caught_up } => {
                    assert!(caught_up);
                    return (events, cursor);
                }
                Told::Over => panic!("the stream is over"),
            }
        }
    }

    /// The status that ends it.
    pub(super) async fn over(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Told::Over) => panic!("it ends without a status"),
                Ok(_) => {}
                Err(status) => return status,
            }
        }
    }
}

/// One that follows.
pub(super) struct Follow {
    pub(super) say: mpsc::Sender<v1::FollowRequest>,
    pub(super) stream: Streaming<v1::FollowResponse>,
}

pub(super) fn start(after: &str, window: i32) -> v1::FollowRequest {
    let start = v1::FollowStart { after: after.into(), window, types: Vec::new() };
    v1::FollowRequest { said: Some(follow_request::Said::Start(start)) }
}

pub(super) fn ack(cursor: &str, window: i32) -> v1::FollowRequest {
    v1::FollowRequest { said: Some(follow_request::Said::Ack(v1::FollowAck { cursor: cursor.into(), window })) }
}

impl Follow {
    pub(super) async fn start(rpc: &Rpc, first: v1::FollowRequest) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(1_000);
        say.send(first).await.unwrap();
        let stream = timeout(PATIENCE, rpc.events().follow(ReceiverStream::new(said))).await.unwrap()?.into_inner();
        Ok(Self { say, stream })
    }

    pub(super) async fn next(&mut self) -> Result<Told, Status> {
        Ok(message(&mut self.stream).await?.map_or(Told::Over, Told::of_follow))
    }

    pub(super) async fn ack(&self, cursor: &str, window: i32) {
        self.say.send(ack(cursor, window)).await.unwrap();
    }

    /// The events that come before it is silent for a heartbeat, and whether they are all there are.
    pub(super) async fn until_silent(&mut self) -> (Vec<v1::Event>, bool) {
        let mut events = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Told::Event(event) => events.push(event),
                Told::Heartbeat { caught_up, .. } => return (events, caught_up),
                Told::Over => panic!("the stream is over"),
            }
        }
    }

    /// The status that ends it.
    pub(super) async fn over(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Told::Over) => panic!("it ends without a status"),
                Ok(_) => {}
                Err(status) => return status,
            }
        }
    }
}

/// Asserts why a stream ended, and returns where to go on.
pub(super) fn ended(status: Status, code: Code, reason: &str) -> String {
    let status = refused::<()>(Err(status), code, reason);
    let info = status.get_error_details().error_info().unwrap().clone();
    info.metadata.get("cursor").unwrap_or_else(|| panic!("no cursor: {status:?}")).clone()
}

/// Every event there is, in pages of three.
pub(super) async fn all(rpc: &Rpc) -> Vec<v1::Event> {
    let mut events = Vec::new();
    let mut page_token = String::new();
    loop {
        let ask = v1::ListEventsRequest { page_size: 3, page_token, types: Vec::new() };
        let page = rpc.events().list_events(ask).await.unwrap().into_inner();
        assert!(page.events.len() <= 3 && !page.cursor.is_empty());
        events.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}

/// Where the log ends.
pub(super) async fn end_of_log(rpc: &Rpc) -> String {
    let (events, cursor) = Watch::start(rpc, "", &[]).await.unwrap().caught_up().await;
    assert!(events.is_empty(), "without a cursor it begins now");
    cursor
}

pub(super) async fn rename(app: &TestApp, user: &SignedIn, name: &str) {
    assert_eq!(app.patch(&user.path(), &user.token, &json!({"name": name})).await.status(), 200);
}

/// So many events at once.
pub(super) async fn import(app: &TestApp, admin: &SignedIn, rows: usize) {
    let row = |_| format!("{{\"email\":\"{}\",\"name\":\"Imported\"}}\n", app.fresh_email());
    let told = app.import(admin, (0..rows).map(row).collect::<String>()).await;
    assert_eq!(told["created"], rows);
}

pub(super) fn ids(events: &[v1::Event]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}
