//! gRPC: `GetUser` against the route of REST in the same run; a million users out, and a million with their hashes in.

use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use denizen_proto::v1;
use denizen_proto::v1::user_service_client::UserServiceClient;
use prost::Message;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::client::request;
use super::http2::{self, Asked};
use super::load::{self, Outcome, Plan};
use super::server::{ADMIN, Binary, Site};
use super::{Row, Scale, bulk, median, ms, now, postgres_url};

/// How many clients ask at once, each on a connection of its own.
const CLIENTS: usize = 64;
/// How often each side is measured, in turns, and how long each time, in seconds.
const ROUNDS: usize = 3;
const ROUND_S: u64 = 5;
/// How many users go out, and come in.
const USERS: usize = 1_000_000;
/// How many of them in a message.
const ROWS: usize = 250;
/// A hash that another system made: it is taken over as it is.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk";
/// How much slower than REST a call may be told to be before it counts: what two runs of the same differ by.
const SHARE_MIN: f64 = 0.95;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = unary(binary, scale).await.context("calling GetUser")?;
    let users = scale.count(USERS);
    rows.extend(streams("SQLite", binary, None, users).await.context("streaming on SQLite")?);
    let Some(server_url) = postgres_url() else {
        println!("grpc: DENIZEN_TEST_POSTGRES_URL is not set, so no streams on PostgreSQL");
        return Ok(rows);
    };
    let scratch = bulk::Scratch::new(&server_url).await?;
    let streamed = streams("PostgreSQL", binary, Some(scratch.url.clone()), users).await;
    scratch.remove().await?;
    rows.extend(streamed.context("streaming on PostgreSQL")?);
    Ok(rows)
}

async fn unary(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("grpc: {ROUNDS} rounds of {:?} on each side, {CLIENTS} clients", scale.time(ROUND_S));
    let site = Site::new(binary, None).await?;
    let (server, _) = site.start().await?;
    let (token, id) = server.sign_in(ADMIN).await?;
    let route = format!("/api/v1/users/{id}");
    let http1 = Plan {
        address: server.address,
        requests: Arc::new(vec![request("GET", &route, Some(&token), None)]),
        expected_status: 200,
        clients: CLIENTS,
        duration: scale.time(ROUND_S),
    };
    let rest = Asked { head: http2::head("GET", server.address, &route, &token)?, body: Bytes::new() };
    let mut head = http2::head("POST", server.address, "/denizen.v1.UserService/GetUser", &token)?;
    head.headers_mut().insert("content-type", "application/grpc".parse()?);
    head.headers_mut().insert("te", "trailers".parse()?);
    let call = Asked { head, body: framed(&v1::GetUserRequest { id }) };

    let (mut firsts, mut rests, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        firsts.push(load::run(&http1).await?);
        rests.push(http2::run(server.address, &rest, CLIENTS, scale.time(ROUND_S)).await?);
        calls.push(http2::run(server.address, &call, CLIENTS, scale.time(ROUND_S)).await?);
    }
    server.stop().await?;
    let share = rate(&calls)? / rate(&rests)?;
    Ok(vec![
        Row::shown("`GET /api/v1/users/{id}` over HTTP/1.1", describe(&firsts)?),
        Row::shown("`GET /api/v1/users/{id}` over HTTP/2", describe(&rests)?),
        Row::shown("`UserService.GetUser`", describe(&calls)?),
        Row::promised(
            "… as a share of the route over HTTP/2",
            format!("{:.0} %", share * 100.0),
            "no slower (≥ 95 %)",
            share >= SHARE_MIN,
        ),
    ])
}

async fn streams(database: &str, binary: &Binary, url: Option<String>, users: usize) -> anyhow::Result<Vec<Row>> {
    println!("grpc: {users} users in and out on {database}");
    let site = Site::new(binary, url).await?;
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let channel = Endpoint::from_shared(format!("http://{}", server.address))?.connect().await?;

    let begun = now();
    let told = import(channel.clone(), &token, users).await?;
    let imported = now() - begun;
    ensure!(told.created == i64::try_from(users)?, "{} of {users} rows were refused", told.failed);
    let import_peak = server.memory_peak_kib()?;

    // A server that has done nothing else: its peak is that of the export.
    server.stop().await?;
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let channel = Endpoint::from_shared(format!("http://{}", server.address))?.connect().await?;
    let before = server.memory_peak_kib()?;
    let begun = now();
    let seen = export(channel, &token).await?;
    let exported = now() - begun;
    ensure!(seen == users + 1, "{seen} users went out");
    let peak = server.memory_peak_kib()?;
    server.stop().await?;
    let row = |what: &str, time: std::time::Duration, memory: String| {
        let measured = format!("{:.0} rows/s, {memory}", per_second(users, time));
        Row::shown(format!("`UserService.{what}` of {users} users on {database}"), measured)
    };
    Ok(vec![
        row("ImportUsers", imported, format!("peak memory {} MiB", import_peak / 1024)),
        row("ExportUsers", exported, format!("peak memory {} MiB, {} MiB before", peak / 1024, before / 1024)),
    ])
}

fn by<T>(token: &str, message: T) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(request)
}

async fn import(channel: Channel, token: &str, users: usize) -> anyhow::Result<v1::ImportUsersResponse> {
    let row = |at: usize| v1::ImportUser {
        email: format!("user.{at}@bench.example"),
        name: format!("User {at}"),
        password_hash: Some(HASH.to_owned()),
        ..Default::default()
    };
    // Made as they are asked for: the stream is not held in memory.
    let messages = (0..users).step_by(ROWS).map(move |from| v1::ImportUsersRequest {
        users: (from..(from + ROWS).min(users)).map(row).collect(),
        ..Default::default()
    });
    let mut client = UserServiceClient::new(channel);
    Ok(client.import_users(by(token, tokio_stream::iter(messages))?).await?.into_inner())
}

async fn export(channel: Channel, token: &str) -> anyhow::Result<usize> {
    let mut client = UserServiceClient::new(channel);
    let mut stream = client.export_users(by(token, v1::ExportUsersRequest {})?).await?.into_inner();
    let mut seen = 0;
    while let Some(message) = stream.message().await? {
        seen += message.users.len();
    }
    Ok(seen)
}

/// A message with its prefix.
fn framed(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(count: usize, time: std::time::Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn rate(outcomes: &[Outcome]) -> anyhow::Result<f64> {
    median(&outcomes.iter().map(Outcome::rate).collect::<Vec<_>>())
}

fn describe(outcomes: &[Outcome]) -> anyhow::Result<String> {
    let percentile = |percent| median(&outcomes.iter().map(|outcome| outcome.percentile(percent)).collect::<Vec<_>>());
    Ok(format!("{:.0} requests/s, p50 {}, p99 {}", rate(outcomes)?, ms(percentile(50)?), ms(percentile(99)?)))
}
