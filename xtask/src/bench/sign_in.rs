//! Sign-ins per second, against what Argon2id alone does on the same cores.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde_json::json;

use super::client::{Client, request};
use super::load::{Plan, run};
use super::server::{Binary, PASSWORD, Server, Site, sign_in_request};
use super::{Row, Scale, median, ms, now};

/// The parameters of the server, by default: memory in KiB, passes, lanes.
const ARGON2: (u32, u32, u32) = (19 * 1024, 2, 1);
/// How many accounts sign in.
const ACCOUNTS: usize = 200;
/// How many clients sign in at once, for each core: enough that hashing never waits for them.
const CLIENTS_PER_CORE: usize = 8;
/// How often each side is measured, in turns.
const ROUNDS: usize = 3;
/// How long each time, in seconds.
const ROUND_S: u64 = 5;

const SHARE_MIN: f64 = 0.9;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let cores = std::thread::available_parallelism()?.get();
    let accounts = scale.count(ACCOUNTS);
    println!("sign-in: {ROUNDS} rounds of {:?} on each side, {accounts} accounts", scale.time(ROUND_S));
    let site = Site::new(binary, None).await?;
    let (server, _) = site.start().await?;
    let emails: Vec<String> = (0..accounts).map(|at| format!("user{at}@bench.example")).collect();
    sign_up(&server, &emails, cores).await?;

    let plan = Plan {
        address: server.address,
        requests: Arc::new(emails.iter().map(|email| sign_in_request(email)).collect()),
        expected_status: 201,
        clients: cores * CLIENTS_PER_CORE,
        duration: scale.time(ROUND_S),
    };
    let (mut raws, mut rates, mut p99s) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let kept = raw_rate(cores, scale.time(ROUND_S) / 2, Memory::Kept).await?;
        let fresh = raw_rate(cores, scale.time(ROUND_S) / 2, Memory::Fresh).await?;
        raws.push(kept.max(fresh));
        let outcome = run(&plan).await?;
        rates.push(outcome.rate());
        p99s.push(outcome.percentile(99));
    }
    let memory_kib = server.memory_kib()?;
    server.stop().await?;

    let (raw, rate, p99) = (median(&raws)?, median(&rates)?, median(&p99s)?);
    let share = rate / raw;
    let measured = format!("{rate:.1}/s, p99 {} with {} clients", ms(p99), plan.clients);
    Ok(vec![
        Row::shown(format!("raw Argon2id (19 MiB, t = 2, p = 1), {cores} threads"), format!("{raw:.1}/s")),
        Row::shown("sign-ins on SQLite", measured),
        Row::promised("… as a share of raw Argon2id", format!("{:.0} %", share * 100.0), "≥ 90 %", share >= SHARE_MIN),
        Row::shown("memory after that load (VmRSS)", format!("{} MiB", memory_kib / 1024)),
    ])
}

/// Makes the accounts through the front door.
async fn sign_up(server: &Server, emails: &[String], clients: usize) -> anyhow::Result<()> {
    let mut tasks = Vec::new();
    for part in emails.chunks(emails.len().div_ceil(clients)) {
        let (address, part) = (server.address, part.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            for email in part {
                let body = json!({ "email": email, "password": PASSWORD, "name": "Somebody" }).to_string();
                let status = client.send(&request("POST", "/api/v1/users", None, Some(&body))).await?;
                ensure!(status == 201, "sign-up answered {status}: {}", String::from_utf8_lossy(client.body()));
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Where a hash gets its memory from. Which one is faster differs between machines: the better one counts.
#[derive(Clone, Copy)]
enum Memory {
    /// Each thread keeps its own.
    Kept,
    /// Each hash asks for it anew.
    Fresh,
}

/// Hashes per second with one thread on each core.
async fn raw_rate(cores: usize, duration: Duration, memory: Memory) -> anyhow::Result<f64> {
    let begun = now();
    let threads: Vec<_> =
        (0..cores).map(|_| tokio::task::spawn_blocking(move || hash_until(begun + duration, memory))).collect();
    let mut hashes = 0_u32;
    for thread in threads {
        hashes += thread.await??;
    }
    Ok(f64::from(hashes) / (now() - begun).as_secs_f64())
}

fn hash_until(end: Instant, memory: Memory) -> anyhow::Result<u32> {
    let (memory_kib, passes, lanes) = ARGON2;
    let params = Params::new(memory_kib, passes, lanes, Some(32)).context("the parameters")?;
    let mut kept = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (password, salt, mut out) = (PASSWORD.as_bytes(), b"sixteen bytes ok", [0; 32]);
    let mut hashes = 0;
    while now() < end {
        match memory {
            Memory::Kept => argon2.hash_password_into_with_memory(password, salt, &mut out, &mut kept),
            Memory::Fresh => argon2.hash_password_into(password, salt, &mut out),
        }
        .context("hashing")?;
        hashes += 1;
    }
    Ok(hashes)
}
