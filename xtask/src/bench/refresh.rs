//! Refreshes per second, on SQLite with `synchronous=FULL` and on PostgreSQL.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::bulk::Scratch;
use super::client::{Client, request};
use super::load::Outcome;
use super::server::{ADMIN, Binary, Server, Site, sign_in_request};
use super::{Row, Scale, ms, now, postgres_url};

/// How many clients refresh at once: one alone, and many.
const CLIENTS: [usize; 2] = [1, 64];
/// How long, in seconds.
const RUN_S: u64 = 5;
/// Twenty times the 120 a second and core that Keycloak publishes.
const RATE_MIN_PER_CORE: f64 = 2_400.0;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("refresh: {:?} each, {CLIENTS:?} clients", scale.time(RUN_S));
    let mut rows = Vec::new();
    let site = Site::new(binary, None).await?;
    rows.extend(on(&site, "SQLite", scale).await?);
    match postgres_url() {
        None => println!("refresh: no DENIZEN_TEST_POSTGRES_URL, so PostgreSQL is left out"),
        Some(url) => {
            let scratch = Scratch::new(&url).await?;
            let measured = async {
                let site = Site::new(binary, Some(scratch.url.clone())).await?;
                on(&site, "PostgreSQL", scale).await
            };
            let measured = measured.await;
            scratch.remove().await?;
            rows.extend(measured?);
        }
    }
    Ok(rows)
}

async fn on(site: &Site<'_>, database: &str, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let cores = u32::try_from(std::thread::available_parallelism()?.get())?;
    let floor = RATE_MIN_PER_CORE * f64::from(cores);
    let (server, _) = site.start().await?;
    let mut rows = Vec::new();
    for clients in CLIENTS {
        let outcome = run(&server, clients, scale.time(RUN_S)).await?;
        let figure = format!("refreshes on {database}, {clients} at once");
        let measured =
            format!("{:.0}/s, p50 {}, p99 {}", outcome.rate(), ms(outcome.percentile(50)), ms(outcome.percentile(99)));
        rows.push(match clients {
            1 => Row::shown(figure, measured),
            _ => Row::promised(figure, measured, "≥ 2,400/s a core", outcome.rate() >= floor),
        });
    }
    server.stop().await?;
    Ok(rows)
}

/// Each client has a session of its own and refreshes it with what the answer before gave.
async fn run(server: &Server, clients: usize, duration: Duration) -> anyhow::Result<Outcome> {
    let mut ready = Vec::new();
    for _ in 0..clients {
        let mut client = Client::connect(server.address).await?;
        let status = client.send(&sign_in_request(ADMIN)).await?;
        ensure!(status == 201, "sign-in answered {status}: {}", String::from_utf8_lossy(client.body()));
        ready.push(client);
    }
    let begun = now();
    let end = begun + duration;
    let tasks: Vec<_> = ready.into_iter().map(|client| tokio::spawn(refresh_until(client, end))).collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    Ok(Outcome::new(now() - begun, latencies_us))
}

async fn refresh_until(mut client: Client, end: Instant) -> anyhow::Result<Vec<u32>> {
    let mut latencies_us = Vec::with_capacity(1024);
    loop {
        let body = client.json()?;
        let token = body["refresh_token"].as_str().context("no refresh token")?;
        let body = json!({ "refresh_token": token }).to_string();
        let asked = request("POST", "/api/v1/sessions/refresh", None, Some(&body));
        let sent = now();
        if sent >= end {
            return Ok(latencies_us);
        }
        let status = client.send(&asked).await?;
        latencies_us.push(u32::try_from((now() - sent).as_micros()).unwrap_or(u32::MAX));
        ensure!(status == 200, "refresh answered {status}: {}", String::from_utf8_lossy(client.body()));
    }
}
