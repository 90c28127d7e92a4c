//! HTTP/2 over one socket each, one request at a time: as little client as possible, as `client` is for HTTP/1.1.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

use super::load::Outcome;
use super::now;

/// What to ask, again and again.
#[derive(Clone)]
pub(super) struct Asked {
    /// The head.
    pub(super) head: Request<()>,
    /// The body.
    pub(super) body: Bytes,
}

/// Many clients at once, each on a connection of its own, each waiting for its answer before it asks again.
pub(super) async fn run(address: SocketAddr, asked: &Asked, clients: usize, time: Duration) -> anyhow::Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(connection);
        connections.push(sender);
    }
    let begun = now();
    let end = begun + time;
    let clients = connections.into_iter().map(|sender| tokio::spawn(ask(sender, asked.clone(), end)));
    let clients: Vec<_> = clients.collect();
    let mut latencies_us = Vec::new();
    for client in clients {
        latencies_us.extend(client.await??);
    }
    Ok(Outcome::new(now() - begun, latencies_us))
}

async fn ask(mut sender: SendRequest<Bytes>, asked: Asked, end: std::time::Instant) -> anyhow::Result<Vec<u32>> {
    let mut latencies_us = Vec::with_capacity(1024);
    loop {
        let sent = now();
        if sent >= end {
            return Ok(latencies_us);
        }
        sender = sender.ready().await?;
        let (answer, mut body) = sender.send_request(asked.head.clone(), asked.body.is_empty())?;
        if !asked.body.is_empty() {
            body.send_data(asked.body.clone(), true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        ensure!(head.status == 200, "answered {}", head.status);
        while let Some(part) = body.data().await {
            let length = part?.len();
            body.flow_control().release_capacity(length)?;
        }
        // Of a call, the status stands at the end.
        let trailers = body.trailers().await?.unwrap_or_default();
        let status = status_of(&head.headers).or_else(|| status_of(&trailers));
        ensure!(status.is_none_or(|status| status == "0"), "answered {:?}", (head.headers, trailers));
        latencies_us.push(u32::try_from((now() - sent).as_micros()).unwrap_or(u32::MAX));
    }
}

fn status_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}

/// A request for a path, with a token.
pub(super) fn head(method: &str, address: SocketAddr, path: &str, token: &str) -> anyhow::Result<Request<()>> {
    let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    request.header("authorization", format!("Bearer {token}")).body(()).context("a request")
}
