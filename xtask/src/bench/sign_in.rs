//! Sign-ins per second, against what Argon2id alone does on the same cores.
//!
//! Both are measured in turns. The load generator runs on the same cores as the server: how much processor time it takes
//! is measured and left out of what the server could have hashed on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde_json::json;

use super::client::{Client, request};
use super::load::{Plan, run};
use super::server::{Binary, PASSWORD, Server, Site, own_processor_time_s, sign_in_request};
use super::{Row, Scale, median, ms, now};

/// The parameters of the server, by default: memory in KiB, passes, lanes.
const ARGON2: (u32, u32, u32) = (19 * 1024, 2, 1);
/// How many accounts sign in.
const ACCOUNTS: usize = 200;
/// How many clients sign in at once, for each core: enough that hashing never waits for them.
const CLIENTS_PER_CORE: usize = 8;
/// How often each side is measured, in turns.
const ROUNDS: usize = 5;
/// How long each time, in seconds.
const ROUND_S: u64 = 5;

const SHARE_MIN: f64 = 0.95;

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
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(Round::measure(&server, &plan, cores, scale).await?);
    }
    let memory_kib = server.memory_kib()?;
    server.stop().await?;

    let of = |figure: fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
    let (raw, rate, share) = (of(|round| round.raw.rate)?, of(|round| round.rate)?, of(Round::share)?);
    let p99 = median(&rounds.iter().map(|round| round.p99).collect::<Vec<_>>())?;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    Ok(vec![
        Row::shown(format!("raw Argon2id (19 MiB, t = 2, p = 1), {cores} threads"), format!("{raw:.1}/s")),
        Row::shown("sign-ins on SQLite", format!("{rate:.1}/s, p99 {} with {} clients", ms(p99), plan.clients)),
        Row::shown(
            "… as a share of raw Argon2id, the load generator counted as ours",
            percent(of(Round::share_of_all)?),
        ),
        Row::shown("… processor time of the load generator", percent(of(|round| round.client_part)?)),
        Row::promised("… as a share of raw Argon2id on what it leaves", percent(share), "≥ 95 %", share >= SHARE_MIN),
        Row::shown(
            "… processor time of a raw hash, as a share of that of a sign-in",
            percent(of(Round::share_of_time)?),
        ),
        Row::shown("memory after that load (VmRSS)", format!("{} MiB", memory_kib / 1024)),
    ])
}

/// Both sides, one right after the other: what else the machine does weighs on both.
struct Round {
    raw: Raw,
    /// Sign-ins per second.
    rate: f64,
    p99: Duration,
    /// The server's processor time of a sign-in, in seconds.
    time_s: f64,
    /// The part of all processors' time that the load generator used.
    client_part: f64,
}

impl Round {
    async fn measure(server: &Server, plan: &Plan, cores: usize, scale: Scale) -> anyhow::Result<Self> {
        let kept = raw_rate(cores, scale.time(ROUND_S) / 2, Memory::Kept).await?;
        let fresh = raw_rate(cores, scale.time(ROUND_S) / 2, Memory::Fresh).await?;
        let raw = if kept.rate > fresh.rate { kept } else { fresh };
        let (server_before, own_before, begun) = (server.processor_time_s()?, own_processor_time_s()?, now());
        let outcome = run(plan).await?;
        let elapsed_s = (now() - begun).as_secs_f64();
        let server_s = server.processor_time_s()? - server_before;
        let own_s = own_processor_time_s()? - own_before;
        let rate = outcome.rate();
        Ok(Self {
            raw,
            rate,
            p99: outcome.percentile(99),
            time_s: server_s / (rate * elapsed_s),
            client_part: own_s / (elapsed_s * f64::from(u32::try_from(cores)?)),
        })
    }

    fn share_of_all(&self) -> f64 {
        self.rate / self.raw.rate
    }

    /// The load generator runs on the same cores: what it uses, nobody could hash on.
    fn share(&self) -> f64 {
        self.share_of_all() / (1.0 - self.client_part)
    }

    /// The same without a clock on the wall: it holds however busy the machine is with other things.
    fn share_of_time(&self) -> f64 {
        self.raw.time_s / self.time_s
    }
}

/// Makes the accounts through the front door.
pub(super) async fn sign_up(server: &Server, emails: &[String], clients: usize) -> anyhow::Result<()> {
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

/// What Argon2id does alone.
#[derive(Clone, Copy)]
struct Raw {
    /// Hashes per second.
    rate: f64,
    /// The processor time of one, in seconds.
    time_s: f64,
}

/// With one thread on each core.
async fn raw_rate(cores: usize, duration: Duration, memory: Memory) -> anyhow::Result<Raw> {
    let (begun, before) = (now(), own_processor_time_s()?);
    let threads: Vec<_> =
        (0..cores).map(|_| tokio::task::spawn_blocking(move || hash_until(begun + duration, memory))).collect();
    let mut hashes = 0_u32;
    for thread in threads {
        hashes += thread.await??;
    }
    let (elapsed, used) = (now() - begun, own_processor_time_s()? - before);
    let hashes = f64::from(hashes);
    Ok(Raw { rate: hashes / elapsed.as_secs_f64(), time_s: used / hashes })
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
