//! Followers over restarts and `kill -9`, amid writes: each ends with exactly what was committed, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen_proto::v1;
use denizen_proto::v1::watch_response::Told;
use prost_types::value::Kind;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::{Said, Sse, Ws};
use crate::grpc::client::Rpc;
use crate::harness::{PASSWORD, World, eventually, on_both};
use crate::process::{Process, run_on};
use crate::webhook_sinks::{Mood, Sink};

const WRITERS: usize = 8;
const CHANGES_EACH: usize = 250;
/// Longer than it takes, restarts included, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(3);

/// Where the server is at the moment.
#[derive(Clone, Default)]
struct Address(Arc<Mutex<String>>);

impl Address {
    fn set(&self, url: &str) {
        url.clone_into(&mut self.0.lock().unwrap());
    }

    fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// What followers and writers share.
#[derive(Clone)]
struct Scene {
    address: Address,
    client: reqwest::Client,
    token: String,
}

impl Scene {
    async fn pause() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Follows over a WebSocket from a cursor up to an event with a name, coming again whenever it is cut off.
    async fn by_websocket(self, mut cursor: String, last: String) -> Vec<Value> {
        let mut met = Vec::new();
        loop {
            let authorization = format!("Bearer {}", self.token);
            let path = format!("/api/v1/events/ws?types=user.updated&after={cursor}");
            let address = self.address.get();
            let opening =
                tokio::spawn(async move { Ws::open(&address, &path, &[("authorization", &authorization)]).await });
            // Nobody listens while the server starts again.
            let Ok(Ok(mut ws)) = opening.await else {
                Self::pause().await;
                continue;
            };
            while let Said::Frame(frame) = ws.said().await {
                if let Some(told) = frame["cursor"].as_str().or_else(|| frame["event"]["cursor"].as_str()) {
                    told.clone_into(&mut cursor);
                }
                if frame["type"] == "event" {
                    met.push(frame["event"].clone());
                    if frame["event"]["data"]["name"] == last.as_str() {
                        return met;
                    }
                }
            }
        }
    }

    /// The same by server-sent events.
    async fn by_sse(self, mut cursor: String, last: String) -> Vec<Value> {
        let mut met = Vec::new();
        loop {
            let url = format!("{}/api/v1/events/stream?types=user.updated", self.address.get());
            let request = self.client.get(&url).bearer_auth(&self.token).header("last-event-id", &cursor);
            if request.send().await.is_err() {
                Self::pause().await;
                continue;
            }
            let path = "/api/v1/events/stream?types=user.updated";
            let address = self.address.get();
            let (client, token, from) = (self.client.clone(), self.token.clone(), cursor.clone());
            let opening = tokio::spawn(async move { Sse::open(&client, &address, path, &token, Some(&from)).await });
            let Ok(Ok(mut stream)) = opening.await else {
                Self::pause().await;
                continue;
            };
            while let Some(line) = stream.next().await {
                if let Some(id) = line.id {
                    cursor = id;
                }
                if line.kind == "user.updated" {
                    let is_last = line.data["data"]["name"] == last.as_str();
                    met.push(line.data);
                    if is_last {
                        return met;
                    }
                }
            }
        }
    }

    /// The same over gRPC: the cursors of what was met.
    async fn by_grpc(self, mut cursor: String, last: String) -> Vec<String> {
        let mut met = Vec::new();
        loop {
            let rpc = Rpc::at(&self.address.get()).by(&self.token);
            let request = v1::WatchRequest { after: cursor.clone(), types: vec!["user.updated".to_owned()] };
            let Ok(stream) = rpc.events().watch(request).await else {
                Self::pause().await;
                continue;
            };
            let mut stream = stream.into_inner();
            while let Ok(Some(message)) = stream.message().await {
                match message.told.unwrap() {
                    Told::Heartbeat(beat) => cursor = beat.cursor,
                    Told::Event(event) => {
                        cursor.clone_from(&event.cursor);
                        met.push(event.cursor);
                        let name = event.data.unwrap().fields["name"].kind.clone();
                        if name == Some(Kind::StringValue(last.clone())) {
                            return met;
                        }
                    }
                }
            }
        }
    }

    /// Renames a user; whether it was acknowledged.
    async fn rename(&self, user: &str, name: &str) -> bool {
        let request = self.client.request(Method::PATCH, format!("{}/api/v1/users/{user}", self.address.get()));
        let request = request.bearer_auth(&self.token).header("content-type", "application/merge-patch+json");
        let answer = request.body(json!({"name": name}).to_string()).send().await;
        match answer.map(|answer| answer.status().as_u16()) {
            Ok(200) => true,
            Ok(503) | Err(_) => false,
            Ok(status) => panic!("{name} was answered {status}"),
        }
    }
}

async fn start(world: &World) -> Process {
    let settings = [
        ("limits.address_per_second", "0"),
        // Whoever follows must outlast the restarts by one token.
        ("sessions.access_ttl_s", "3600"),
        ("webhooks.allowed_hosts", "127.0.0.1"),
        // What was under way when a server was killed is nobody's until it is over.
        ("webhooks.timeout_s", "2"),
    ];
    Process::start(world, &settings).await
}

/// Makes a webhook that is told of renamed users.
async fn hook(server: &Process, token: &str, sink: &Sink) {
    let body = json!({"url": sink.url, "types": ["user.updated"]});
    let made = server.request(Method::POST, "/api/v1/webhooks", Some(token)).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
}

/// What came to a sink, repetitions of the same id left out, by whom it concerns.
fn told(sink: &Sink) -> BTreeMap<String, Vec<Value>> {
    let (mut seen, mut told) = (BTreeSet::new(), BTreeMap::<String, Vec<Value>>::new());
    for came in sink.came() {
        if seen.insert(came.id().to_owned()) {
            let event = came.event();
            told.entry(event["subject"].to_string()).or_default().push(event);
        }
    }
    told
}

on_both! {
    async fn every_follower_ends_with_exactly_what_was_committed(world: World) {
        let made = run_on(&world, &[], &["users", "create", "--email", "admin@example.com", "--name", "Admin",
            "--role", "admin", "--password-stdin"], PASSWORD).await;
        assert_eq!(made.code, 0, "{made:?}");
        let mut server = start(&world).await;
        let token = server.token("admin@example.com", PASSWORD).await.unwrap();
        let scene = Scene { address: Address::default(), client: server.client.clone(), token: token.clone() };
        scene.address.set(&server.url);
        let mut users = Vec::new();
        for _ in 0..WRITERS {
            let signed_up = server.sign_up(&world.fresh_email()).await.unwrap();
            users.push(signed_up.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned());
        }
        let sink = Sink::that(Mood::Answer(204, "")).await;
        hook(&server, &token, &sink).await;
        let begun = newest_cursor(&server, &token).await;
        let mut websockets = JoinSet::new();
        let mut streams = JoinSet::new();
        let mut calls = JoinSet::new();
        for _ in 0..3 {
            websockets.spawn(scene.clone().by_websocket(begun.clone(), "the last".to_owned()));
            streams.spawn(scene.clone().by_sse(begun.clone(), "the last".to_owned()));
            calls.spawn(scene.clone().by_grpc(begun.clone(), "the last".to_owned()));
        }

        let tried = Arc::new(AtomicUsize::new(0));
        let mut writers = JoinSet::new();
        for (writer, user) in users.iter().cloned().enumerate() {
            let (scene, tried) = (scene.clone(), Arc::clone(&tried));
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0..CHANGES_EACH {
                    let name = format!("{writer} {n}");
                    if scene.rename(&user, &name).await {
                        acknowledged.push(name);
                    } else {
                        Scene::pause().await;
                    }
                    tried.fetch_add(1, Ordering::SeqCst);
                }
                acknowledged
            });
        }
        // Twice killed, once stopped as it should be, while everything goes on.
        for (round, at) in [400, 900, 1_400].into_iter().enumerate() {
            let goal = format!("{at} changes are tried");
            eventually(&goal, PATIENCE, async || tried.load(Ordering::SeqCst) >= at).await;
            if round == 1 {
                server.terminate().await;
                assert!(server.ended(Duration::from_secs(11)).await.success(), "{}", server.log());
            } else {
                server.kill_now().await;
            }
            server = start(&world).await;
            scene.address.set(&server.url);
        }
        let mut acknowledged = BTreeSet::new();
        while let Some(writer) = writers.join_next().await {
            acknowledged.extend(writer.unwrap());
        }
        assert!(scene.rename(&users[0], "the last").await);

        let log = committed(&server, &token, &begun).await;
        let names: Vec<&str> = log.iter().map(|event| event["data"]["name"].as_str().unwrap()).collect();
        let once: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(once.len(), names.len(), "each change once");
        let lost: Vec<_> = acknowledged.iter().filter(|name| !once.contains(name.as_str())).collect();
        assert_eq!(lost, Vec::<&String>::new(), "what was acknowledged is in the log");
        check_states(&server, &token, &log).await;
        for met in [websockets.join_all().await, streams.join_all().await].concat() {
            assert_eq!(met.len(), log.len());
            assert!(met == log, "a follower met something else than the log has");
        }
        let cursors: Vec<&str> = log.iter().map(|event| event["cursor"].as_str().unwrap()).collect();
        for met in calls.join_all().await {
            assert!(met == cursors, "a follower over gRPC met something else than the log has");
        }
        let mut expected = BTreeMap::<String, Vec<Value>>::new();
        for event in &log {
            expected.entry(event["subject"].to_string()).or_default().push(event.clone());
        }
        eventually("the webhook was told everything", PATIENCE, async || {
            told(&sink).values().map(Vec::len).sum::<usize>() == log.len()
        })
        .await;
        assert!(told(&sink) == expected, "the webhook was told in another order");
        let verified = run_on(&world, &[], &["audit", "verify"], "").await;
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

/// The cursor of the last event there is.
async fn newest_cursor(server: &Process, token: &str) -> String {
    let events = pages(server, token, "/api/v1/events?limit=200").await;
    events.last().unwrap()["cursor"].as_str().unwrap().to_owned()
}

/// What the log says of renamed users.
async fn committed(server: &Process, token: &str, after: &str) -> Vec<Value> {
    pages(server, token, &format!("/api/v1/events?limit=200&types=user.updated&after={after}")).await
}

async fn pages(server: &Process, token: &str, first: &str) -> Vec<Value> {
    let (mut found, mut path) = (Vec::new(), first.to_owned());
    loop {
        let response = server.request(Method::GET, &path, Some(token)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        found.extend(response.json::<Vec<Value>>().await.unwrap());
        let Some(link) = link else { return found };
        link.split(['<', '>']).nth(1).unwrap().clone_into(&mut path);
    }
}

/// The last event of each user is what they are.
async fn check_states(server: &Process, token: &str, log: &[Value]) {
    let last: BTreeMap<&str, &Value> =
        log.iter().map(|event| (event["subject"].as_str().unwrap(), &event["data"]["name"])).collect();
    assert_eq!(last.len(), WRITERS);
    for (user, name) in last {
        let path = format!("/api/v1/users/{user}");
        let found: Value = server.request(Method::GET, &path, Some(token)).send().await.unwrap().json().await.unwrap();
        assert_eq!(&found["name"], name);
    }
}
