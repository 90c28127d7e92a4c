//! Changes of a user by `PATCH /api/v1/users/{id}` with a token, against a hand-written route that does the same on a database
//! of its own, and other writes by many clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::bare_writes::Task;
use super::bulk::{Scratch, fill_postgres, fill_sessions_sqlite, fill_sqlite, session_id, user_id};
use super::client::{Client, request};
use super::load::{Outcome, Plan, rate, run};
use super::server::{ADMIN, Binary, Server, Site};
use super::{Row, Scale, median, ms, postgres_url};

/// How many clients write at once.
const CLIENTS: [usize; 3] = [1, 8, MANY];
const MANY: usize = 64;
/// How many users are changed.
const USERS: i64 = 64;
/// How often each side is measured, in turns.
const ROUNDS: usize = 3;
/// How long each time, in seconds.
const ROUND_S: u64 = 3;
/// How many sessions there are to revoke; two seconds' worth at least.
const SESSIONS: usize = 60_000;
/// In 2100, in microseconds.
const YEAR_2100_US: i64 = 4_102_444_800_000_000;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("writes: {ROUNDS} rounds of {:?} on each side, {CLIENTS:?} clients", scale.time(ROUND_S));
    let site = Site::new(binary, None).await?;
    fill_sqlite(&site.sqlite_file(), USERS).await?;
    let folder = tempfile::tempdir().context("making a folder")?;
    let peer = format!("sqlite://{}", folder.path().join("bare.db").display());
    let (server, _) = site.start().await?;
    let mut rows = against_bare("SQLite", &server, peer, scale, [0.8, 1.0, 0.0]).await?;
    rows.extend(others(&server, scale).await?);
    server.stop().await?;
    rows.push(revocations(binary, scale).await?);
    match postgres_url() {
        None => println!("writes: no DENIZEN_TEST_POSTGRES_URL, so PostgreSQL is left out"),
        Some(url) => {
            let scratch = Scratch::new(&url).await?;
            let measured = async {
                let site = Site::new(binary, Some(scratch.url.clone())).await?;
                fill_postgres(&scratch.url, USERS).await?;
                let (server, _) = site.start().await?;
                let rows = against_bare("PostgreSQL", &server, scratch.url.clone(), scale, [0.6, 0.0, 0.6]).await;
                server.stop().await?;
                rows
            };
            let measured = measured.await;
            scratch.remove().await?;
            rows.extend(measured?);
        }
    }
    Ok(rows)
}

/// Both sides in turns, by so many clients each; `shares` are what is promised of the rate of the peer.
async fn against_bare(
    database: &str,
    server: &Server,
    peer_url: String,
    scale: Scale,
    shares: [f64; 3],
) -> anyhow::Result<Vec<Row>> {
    let (token, _) = server.sign_in(ADMIN).await?;
    let users: Vec<_> = (1..=USERS).map(user_id).collect();
    let task = Task { url: peer_url, public_key: public_key(server.address).await?, users: users.clone() };
    let bare = Server::start_peer("bare-writer", &serde_json::to_vec(&task)?).await?;
    // Each of 64 clients changes a user of its own.
    let rename = |(n, user): (usize, &String)| {
        let body = json!({ "name": format!("n {n}") }).to_string();
        request("PATCH", &format!("/api/v1/users/{user}"), Some(&token), Some(&body))
    };
    let requests: Arc<Vec<_>> = Arc::new((0..16).flat_map(|_| &users).enumerate().map(rename).collect());
    let plan = |address, clients, duration| Plan {
        address,
        requests: Arc::clone(&requests),
        expected_status: 200,
        clients,
        duration,
    };
    let mut rows = Vec::new();
    for (clients, share_min) in CLIENTS.into_iter().zip(shares) {
        for address in [bare.address, server.address] {
            run(&plan(address, clients, Duration::from_millis(300))).await?;
        }
        let (mut bares, mut ours) = (Vec::new(), Vec::new());
        let (mut bare_cpu, mut our_cpu) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            bares.push(timed(&bare, &plan(bare.address, clients, scale.time(ROUND_S)), &mut bare_cpu).await?);
            ours.push(timed(server, &plan(server.address, clients, scale.time(ROUND_S)), &mut our_cpu).await?);
        }
        let (bare_rate, our_rate) = (rate(&bares)?, rate(&ours)?);
        rows.push(Row::shown(
            format!("a hand-written route on {database} that changes a user, {clients} at once"),
            describe(&bares, bare_cpu)?,
        ));
        rows.push(Row::shown(
            format!("`PATCH /api/v1/users/{{id}}` on {database}, {clients} at once"),
            describe(&ours, our_cpu)?,
        ));
        let share = our_rate / bare_rate;
        let figure = "… as a share of the hand-written route".to_owned();
        let measured = format!("{:.0} %", share * 100.0);
        rows.push(match share_min {
            0.6 => Row::promised(figure, measured, "≥ 60 %", share >= 0.6),
            0.8 => Row::promised(figure, measured, "≥ 80 %", share >= 0.8),
            1.0 => Row::promised(figure, measured, "≥ 100 %", share >= 1.0),
            _ => Row::shown(figure, measured),
        });
    }
    bare.stop().await?;
    Ok(rows)
}

/// Writes of other kinds on SQLite, by many clients.
async fn others(server: &Server, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (token, _) = server.sign_in(ADMIN).await?;
    let mut client = Client::connect(server.address).await?;
    let account = json!({ "name": "changed", "role": "user" }).to_string();
    let status = client.send(&request("POST", "/api/v1/service-accounts", Some(&token), Some(&account))).await?;
    ensure!(status == 201, "creating a service account answered {status}");
    let id = client.json()?["id"].as_str().context("no id")?.to_owned();
    let target = format!("/api/v1/service-accounts/{id}");
    let assign = ["admin", "user"].map(|role| {
        let body = json!({ "role": role }).to_string();
        request("PATCH", &target, Some(&token), Some(&body))
    });
    let create = (0..100_000).map(|n| {
        let body = json!({ "name": format!("account {n}"), "role": "user" }).to_string();
        request("POST", "/api/v1/service-accounts", Some(&token), Some(&body))
    });
    let mut rows = Vec::new();
    for (figure, requests, expected_status) in [
        ("roles assigned to a service account", assign.to_vec(), 200),
        ("service accounts created", create.collect(), 201),
    ] {
        let plan = Plan {
            address: server.address,
            requests: Arc::new(requests),
            expected_status,
            clients: MANY,
            duration: scale.time(ROUND_S),
        };
        let mut cpu = 0.0;
        let outcome = timed(server, &plan, &mut cpu).await?;
        let is_kept = outcome.rate() >= 5_000.0;
        let figure = format!("{figure} on SQLite, {MANY} at once");
        rows.push(Row::promised(figure, describe(&[outcome], cpu)?, "≥ 5,000/s", is_kept));
    }
    Ok(rows)
}

/// Sessions revoked one by one, each once.
async fn revocations(binary: &Binary, scale: Scale) -> anyhow::Result<Row> {
    let count = scale.count(SESSIONS);
    let site = Site::new(binary, None).await?;
    fill_sessions_sqlite(&site.sqlite_file(), i64::try_from(count)?, YEAR_2100_US).await?;
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let begun = super::now();
    let mut tasks = Vec::new();
    for first in 0..MANY {
        let (address, token) = (server.address, token.clone());
        tasks.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            for n in (first + 1..=count).step_by(MANY) {
                let target = format!("/api/v1/sessions/{}", session_id(i64::try_from(n)?));
                let status = client.send(&request("DELETE", &target, Some(&token), None)).await?;
                // The sign-in has displaced the oldest.
                ensure!(
                    status == 204 || status == 404,
                    "a revocation answered {status}: {}",
                    String::from_utf8_lossy(client.body())
                );
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let elapsed = super::now() - begun;
    server.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = count as f64 / elapsed.as_secs_f64();
    let figure = format!("sessions revoked on SQLite, {MANY} at once");
    Ok(Row::promised(figure, format!("{rate:.0}/s"), "≥ 5,000/s", rate >= 5_000.0))
}

/// Runs the plan and adds the processor time that the server used for it, in seconds for each answer.
async fn timed(server: &Server, plan: &Plan, cpu_s: &mut f64) -> anyhow::Result<Outcome> {
    let before = server.processor_time_s()?;
    let outcome = run(plan).await?;
    let used = server.processor_time_s()? - before;
    *cpu_s += used / (outcome.rate() * outcome.elapsed().as_secs_f64());
    Ok(outcome)
}

/// `cpu_s` is the sum over the outcomes.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn describe(outcomes: &[Outcome], cpu_s: f64) -> anyhow::Result<String> {
    let percentile = |percent| median(&outcomes.iter().map(|outcome| outcome.percentile(percent)).collect::<Vec<_>>());
    let each_ms = cpu_s * 1_000.0 / outcomes.len() as f64;
    let (p50, p99) = (ms(percentile(50)?), ms(percentile(99)?));
    Ok(format!("{:.0}/s, p50 {p50}, p99 {p99}, {each_ms:.2} ms of CPU", rate(outcomes)?))
}

/// The key that the server signs with, as an uncompressed point.
async fn public_key(address: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let mut client = Client::connect(address).await?;
    ensure!(client.send(&request("GET", "/.well-known/jwks.json", None, None)).await? == 200, "no JWK Set");
    let keys = client.json()?;
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        let text = keys["keys"][0][coordinate].as_str().context("no coordinate")?;
        point.extend(BASE64_URL_SAFE_NO_PAD.decode(text)?);
    }
    Ok(point)
}
