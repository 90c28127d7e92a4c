//! Following the log: how soon a change is seen, how many see how much, what a connection and a record cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use super::bulk::Scratch;
use super::client::{Client, request};
use super::load::{self, Outcome, Plan};
use super::server::{ADMIN, Binary, Server, Site};
use super::websocket::WebSocket;
use super::{Row, Scale, ms, now, postgres_url};

const FOLLOW: &str = "/api/v1/events/ws?types=user.updated";
/// Room for all of them.
const SETTINGS: &[(&str, &str)] = &[
    // One for both nodes, though their ports differ.
    ("DENIZEN__TOKENS__ISSUER", "https://bench.example"),
    ("DENIZEN__EVENTS__FOLLOWERS", "20000"),
    ("DENIZEN__EVENTS__FOLLOWERS_PER_ACCOUNT", "20000"),
    ("DENIZEN__EVENTS__QUEUE", "65536"),
    ("DENIZEN__EVENTS__HEARTBEAT_S", "60"),
];
const FOLLOWERS: usize = 1_000;
const IDLE: usize = 10_000;
const IDLE_BYTES_MAX: u64 = 20 * 1024;
/// How many connections are opened at once.
const OPENED_AT_ONCE: usize = 64;
/// How long the last event may take to everybody.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = measure_on(binary, scale, None).await?;
    if let Some(url) = postgres_url() {
        let scratch = Scratch::new(&url).await?;
        let measured = measure_on(binary, scale, Some(scratch.url.clone())).await;
        scratch.remove().await?;
        rows.extend(measured?);
    }
    Ok(rows)
}

/// On PostgreSQL, when there is a URL, with a second node; else on SQLite.
async fn measure_on(binary: &Binary, scale: Scale, url: Option<String>) -> anyhow::Result<Vec<Row>> {
    let name = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    let is_shared = url.is_some();
    let mut rows = Vec::new();
    let site = Site::configured(binary, url, SETTINGS).await?;
    let (server, _) = site.start().await?;
    // A release without the log takes part in this one, and in no other: it is told at once.
    let written = writes(name, &server, scale).await.context("measuring writes")?;
    println!("{}: {}", written.figure, written.measured);
    rows.push(written);
    rows.push(latency(name, "", &server, &server, scale).await.context("measuring latency")?);
    if is_shared {
        let (other, _) = site.start().await?;
        rows.push(latency(name, " on another node", &server, &other, scale).await?);
        other.stop().await?;
    } else {
        rows.push(idle(&server, scale).await.context("measuring idle connections")?);
    }
    rows.push(fan_out(name, &server, scale).await.context("measuring many followers")?);
    server.stop().await?;
    Ok(rows)
}

/// A request that renames the user.
fn rename(token: &str, user: &str, name: &str) -> Vec<u8> {
    let body = json!({ "name": name }).to_string();
    request("PATCH", &format!("/api/v1/users/{user}"), Some(token), Some(&body))
}

/// How long it takes from sending a change on one node until a follower of the other has its event.
async fn latency(name: &str, where_to: &str, at: &Server, seen_at: &Server, scale: Scale) -> anyhow::Result<Row> {
    let (token, user) = at.sign_in(ADMIN).await?;
    let mut follower = WebSocket::open(seen_at.address, FOLLOW, &token).await?;
    follower.text().await?;
    let mut client = Client::connect(at.address).await?;
    let begun = now();
    let mut latencies_us = Vec::new();
    for n in 0..scale.count(1_000) {
        let change = format!("change {n}");
        let sent = now();
        let status = client.send(&rename(&token, &user, &change)).await?;
        ensure!(status == 200, "a change answered {status}");
        while !contains(follower.text().await?, change.as_bytes()) {}
        latencies_us.push(u32::try_from((now() - sent).as_micros()).unwrap_or(u32::MAX));
        // Changes that come one by one, not in a row.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let outcome = Outcome::new(now() - begun, latencies_us);
    let (p50, p99) = (ms(outcome.percentile(50)), ms(outcome.percentile(99)));
    Ok(Row::shown(format!("{name}: from sending a change to its event{where_to}, p50 / p99"), format!("{p50} / {p99}")))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// How many events a second reach a thousand followers, when all of them get everything.
async fn fan_out(name: &str, server: &Server, scale: Scale) -> anyhow::Result<Row> {
    let (token, user) = server.sign_in(ADMIN).await?;
    let followers = open_many(server.address, FOLLOW, &token, scale.count(FOLLOWERS)).await?;
    let count = followers.len();
    let seen = Arc::new(AtomicUsize::new(0));
    let changes = scale.count(2_000);
    let mut tasks = JoinSet::new();
    for mut follower in followers {
        let seen = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut left = changes;
            while left > 0 {
                if contains(follower.text().await?, b"\"user.updated\"") {
                    left -= 1;
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
    }
    let begun = now();
    change(server.address, &token, &user, changes).await?;
    let written = now() - begun;
    let all = async {
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, all).await.context("not everybody saw everything")??;
    let elapsed = now() - begun;
    let figure = format!("{name}: {changes} changes through {count} followers, events delivered per second");
    let rate = per_second(changes * count, elapsed);
    Ok(Row::shown(figure, format!("{rate} (changes written in {:.1} s)", written.as_secs_f64())))
}

/// Makes so many changes, by a few clients at once.
async fn change(address: SocketAddr, token: &str, user: &str, count: usize) -> anyhow::Result<()> {
    const CLIENTS: usize = 4;
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        let (token, user) = (token.to_owned(), user.to_owned());
        tasks.spawn(async move {
            let mut connection = Client::connect(address).await?;
            for n in (client..count).step_by(CLIENTS) {
                let status = connection.send(&rename(&token, &user, &format!("one of many {n}"))).await?;
                ensure!(status == 200, "a change answered {status}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// What a change costs: run the same against a build without the log to know what the log costs.
async fn writes(name: &str, server: &Server, scale: Scale) -> anyhow::Result<Row> {
    let (token, user) = server.sign_in(ADMIN).await?;
    let requests: Vec<_> = (0..64).map(|n| rename(&token, &user, &format!("round {n}"))).collect();
    let mut told = Vec::new();
    for clients in [1, 8] {
        let plan = Plan {
            address: server.address,
            requests: Arc::new(requests.clone()),
            expected_status: 200,
            clients,
            duration: scale.time(8),
        };
        let outcome = load::run(&plan).await?;
        told.push(format!("{:.0}/s, p50 {} by {clients}", outcome.rate(), ms(outcome.percentile(50))));
    }
    Ok(Row::shown(format!("{name}: changes of a user"), told.join("; ")))
}

/// What ten thousand followers cost to whom nothing happens.
async fn idle(server: &Server, scale: Scale) -> anyhow::Result<Row> {
    let (token, _) = server.sign_in(ADMIN).await?;
    let before = server.memory_kib()?;
    let followers = open_many(server.address, "/api/v1/events/ws", &token, scale.count(IDLE)).await?;
    let count = followers.len() as u64;
    let after = server.memory_kib()?;
    drop(followers);
    let each = after.saturating_sub(before) * 1024 / count.max(1);
    let measured = format!("{each} B ({before} to {after} KiB)");
    Ok(Row::promised(format!("memory per idle WebSocket, of {count}"), measured, "≤ 20 KiB", each <= IDLE_BYTES_MAX))
}

/// Opens many, each until it was told where it begins.
async fn open_many(
    address: SocketAddr,
    target: &'static str,
    token: &str,
    count: usize,
) -> anyhow::Result<Vec<WebSocket>> {
    let mut opened = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    for n in 0..count {
        let token = token.to_owned();
        opening.spawn(async move {
            let mut socket = WebSocket::open(address, target, &token).await?;
            socket.text().await?;
            anyhow::Ok(socket)
        });
        if n % OPENED_AT_ONCE == OPENED_AT_ONCE - 1 {
            while let Some(done) = opening.join_next().await {
                opened.push(done??);
            }
        }
    }
    while let Some(done) = opening.join_next().await {
        opened.push(done??);
    }
    Ok(opened)
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
fn per_second(count: usize, elapsed: Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64()) as u64
}
