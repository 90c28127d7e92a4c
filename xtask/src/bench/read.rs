//! `GET /api/v1/users/{id}` with a token, on SQLite, against a bare handler that answers the same JSON.

use std::sync::Arc;

use anyhow::ensure;

use super::client::{Client, request};
use super::load::{Outcome, Plan, rate, run};
use super::server::{ADMIN, Binary, Server, Site};
use super::{Row, Scale, median, ms};

/// How many clients ask at once.
const CLIENTS: usize = 64;
/// How often each side is measured, in turns.
const ROUNDS: usize = 3;
/// How long each time, in seconds.
const ROUND_S: u64 = 5;
/// How long each side is warmed up, in seconds.
const WARM_UP_S: u64 = 1;

const SHARE_MIN: f64 = 0.4;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("read: {ROUNDS} rounds of {:?} on each side, {CLIENTS} clients", scale.time(ROUND_S));
    let site = Site::new(binary, None).await?;
    let (server, _) = site.start().await?;
    let (token, id) = server.sign_in(ADMIN).await?;
    let asked = request("GET", &format!("/api/v1/users/{id}"), Some(&token), None);

    let mut client = Client::connect(server.address).await?;
    ensure!(client.send(&asked).await? == 200, "the account is not there: {}", String::from_utf8_lossy(client.body()));
    let bare = Server::start_peer("bare-server", client.body()).await?;
    let real_body = client.body().to_vec();
    client = Client::connect(bare.address).await?;
    ensure!(client.send(&asked).await? == 200, "the bare handler refuses");
    ensure!(client.body() == real_body, "the bare handler answers something else");

    let plan = |address, duration| Plan {
        address,
        requests: Arc::new(vec![asked.clone()]),
        expected_status: 200,
        clients: CLIENTS,
        duration,
    };
    let (mut bares, mut reals): (Vec<Outcome>, Vec<Outcome>) = (Vec::new(), Vec::new());
    run(&plan(bare.address, scale.time(WARM_UP_S))).await?;
    run(&plan(server.address, scale.time(WARM_UP_S))).await?;
    let (bare_before_s, server_before_s) = (bare.processor_time_s()?, server.processor_time_s()?);
    for _ in 0..ROUNDS {
        bares.push(run(&plan(bare.address, scale.time(ROUND_S))).await?);
        reals.push(run(&plan(server.address, scale.time(ROUND_S))).await?);
    }
    let bare_us = processor_time_us(bare.processor_time_s()? - bare_before_s, &bares);
    let server_us = processor_time_us(server.processor_time_s()? - server_before_s, &reals);
    let memory_kib = server.memory_kib()?;
    bare.stop().await?;
    server.stop().await?;

    let share = rate(&reals)? / rate(&bares)?;
    Ok(vec![
        Row::shown("bare Axum handler, the same JSON", describe(&bares)?),
        Row::shown("`GET /api/v1/users/{id}` with a token, on SQLite", describe(&reals)?),
        Row::promised(
            "… as a share of the bare handler",
            format!("{:.0} %", share * 100.0),
            "≥ 40 %",
            share >= SHARE_MIN,
        ),
        Row::shown(
            "… processor time of the two servers per request",
            format!("{server_us:.1} µs against {bare_us:.1} µs"),
        ),
        Row::shown("memory after that load (VmRSS)", format!("{} MiB", memory_kib / 1024)),
    ])
}

/// Per request, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "an average")]
fn processor_time_us(used_s: f64, outcomes: &[Outcome]) -> f64 {
    used_s * 1e6 / outcomes.iter().map(Outcome::count).sum::<usize>() as f64
}

fn describe(outcomes: &[Outcome]) -> anyhow::Result<String> {
    let percentile = |percent| median(&outcomes.iter().map(|outcome| outcome.percentile(percent)).collect::<Vec<_>>());
    Ok(format!("{:.0} requests/s, p50 {}, p99 {}", rate(outcomes)?, ms(percentile(50)?), ms(percentile(99)?)))
}
