//! What unfinished requests and responses cost, and how other clients fare meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::net::TcpSocket;

use super::client::Client;
use super::load::{Outcome, Plan, run};
use super::server::{Binary, Server, Site, sign_in_request};
use super::sign_in::sign_up;
use super::storm::refresh;
use super::{Row, Scale, ms, now};

/// Responses that nobody reads, over ten connections.
const STALLED: usize = 1_000;
/// Requests whose body stops half-way, over twenty connections.
const HALF_SENT: usize = 2_000;
/// What is sent of each body, in bytes: close to the initial window of a stream.
const HALF_BYTES: usize = 60_000;
/// Clients that load the largest asset of `/docs`.
const READERS: usize = 64;
const LOADED_S: u64 = 10;
const MEMORY_MAX_KIB: u64 = 128 * 1024;
const P99_MAX: Duration = Duration::from_millis(200);
/// Where the unfinished requests come from. Limits per client address would refuse the others from the same one.
const STRANGERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ASSET: &str = "/docs/swagger-ui-bundle.js";
const EMAILS: [&str; 2] = ["one@bench.example", "two@bench.example"];

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (stalled, half_sent) = (scale.count(STALLED), scale.count(HALF_SENT));
    println!("strangers: {stalled} stalled responses, {half_sent} half-sent bodies, {READERS} readers of {ASSET}");
    let mut rows = Vec::new();
    let site = Site::new(binary, None).await?;
    for unfinished in [Unfinished::Responses(stalled), Unfinished::Bodies(half_sent)] {
        let (server, _) = site.start().await?;
        rows.extend(with_unfinished(&server, unfinished).await?);
        server.stop().await?;
    }
    let (server, _) = site.start().await?;
    for encoding in ["identity", "gzip", "br"] {
        rows.extend(with_readers(&server, encoding, scale.time(LOADED_S)).await?);
    }
    server.stop().await?;
    Ok(rows)
}

enum Unfinished {
    /// Responses with a window of one byte.
    Responses(usize),
    /// Request bodies that stop half-way.
    Bodies(usize),
}

async fn with_unfinished(server: &Server, unfinished: Unfinished) -> anyhow::Result<Vec<Row>> {
    // Existing accounts from the round before are fine.
    let emails = EMAILS.map(str::to_owned);
    if matches!(unfinished, Unfinished::Responses(_)) {
        sign_up(server, &emails, 1).await?;
    }
    let calm = sign_in(server.address).await?;
    let before = server.memory_kib()?;
    let (name, _responses, _bodies) = match unfinished {
        Unfinished::Responses(count) => {
            (format!("{count} stalled responses"), stall(server.address, count).await?, Vec::new())
        }
        Unfinished::Bodies(count) => (
            format!("{count} half-sent bodies of {HALF_BYTES} bytes"),
            Vec::new(),
            send_half(server.address, count).await?,
        ),
    };
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        slowest = slowest.max(sign_in(server.address).await?);
    }
    let grown = server.memory_kib()?.saturating_sub(before);
    Ok(vec![
        Row::promised(
            format!("memory for {name}"),
            format!("{:.1} MiB", mib(grown)),
            "≤ 128 MiB",
            grown <= MEMORY_MAX_KIB,
        ),
        Row::shown("… a sign-in before, the slowest of five meanwhile", format!("{}, {}", ms(calm), ms(slowest))),
    ])
}

async fn with_readers(server: &Server, encoding: &str, duration: Duration) -> anyhow::Result<Vec<Row>> {
    let head = format!("GET {ASSET} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: {encoding}\r\n\r\n");
    let plan = Plan {
        address: server.address,
        requests: Arc::new(vec![head.into_bytes()]),
        expected_status: 200,
        clients: READERS,
        duration,
    };
    let refreshes = tokio::spawn(refresh(server.address, sign_in_request(EMAILS[0]), now() + duration));
    let read: Outcome = run(&plan).await?;
    let p99 = refreshes.await??.percentile(99);
    Ok(vec![
        Row::shown(format!("{ASSET} by {READERS} clients, {encoding}"), format!("{:.0}/s", read.rate())),
        Row::promised("… refresh, p99 meanwhile", ms(p99), "< 200 ms", p99 < P99_MAX),
    ])
}

async fn sign_in(address: SocketAddr) -> anyhow::Result<Duration> {
    let mut client = Client::connect(address).await?;
    let sent = now();
    let status = client.send(&sign_in_request(EMAILS[0])).await?;
    ensure!(status == 201, "a sign-in was answered {status}: {}", String::from_utf8_lossy(client.body()));
    Ok(now() - sent)
}

type Stalled = (SendRequest<Bytes>, Vec<http::Response<h2::RecvStream>>);
type HalfSent = (SendRequest<Bytes>, Vec<(ResponseFuture, SendStream<Bytes>)>);

async fn stall(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Stalled>> {
    let mut all = Vec::new();
    for _ in 0..count.div_ceil(100) {
        let mut sender = connect(address, 1).await?;
        let mut responses = Vec::new();
        for encoding in ["br", "zstd", "gzip", "identity"].repeat(25) {
            sender = sender.ready().await?;
            let request = Request::get(format!("http://{address}{ASSET}")).header("accept-encoding", encoding);
            let (response, _) = sender.send_request(request.body(())?, true)?;
            let response = response.await?;
            ensure!(response.status() == 200, "answered {}", response.status());
            responses.push(response);
        }
        all.push((sender, responses));
    }
    Ok(all)
}

async fn send_half(address: SocketAddr, count: usize) -> anyhow::Result<Vec<HalfSent>> {
    let half = Bytes::from(vec![b' '; HALF_BYTES]);
    let mut all = Vec::new();
    for _ in 0..count.div_ceil(100) {
        let mut sender = connect(address, 65_535).await?;
        let mut begun = Vec::new();
        for _ in 0..100 {
            // The server takes no more than so many streams of one address.
            let ready = tokio::time::timeout(Duration::from_secs(2), sender.clone().ready()).await;
            let Ok(Ok(mut ready)) = ready else { break };
            let request = Request::post(format!("http://{address}/api/v1/users"));
            let request = request.header("content-type", "application/json").body(()).context("a request")?;
            let Ok((response, mut body)) = ready.send_request(request, false) else { break };
            // A refusal ends the stream, and the rest of the body is not needed then.
            let _ = body.send_data(half.clone(), false);
            begun.push((response, body));
            sender = ready;
        }
        all.push((sender, begun));
    }
    Ok(all)
}

async fn connect(address: SocketAddr, window: u32) -> anyhow::Result<SendRequest<Bytes>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(STRANGERS.into(), 0)).context("binding a second loopback address")?;
    let stream = socket.connect(address).await?;
    let (sender, connection) = h2::client::Builder::new().initial_window_size(window).handshake(stream).await?;
    tokio::spawn(connection);
    Ok(sender)
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
