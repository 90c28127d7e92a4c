//! Sign-ins offered at five times what can be hashed: what is shed, what it costs in memory, and how everybody else
//! fares meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::bulk::Scratch;
use super::client::{Client, request};
use super::load::{Outcome, Plan, run};
use super::server::{Binary, Server, Site, sign_in_request};
use super::sign_in::sign_up;
use super::{Row, Scale, ms, now, postgres_url};

/// How many accounts sign in.
const ACCOUNTS: usize = 200;
/// How many times what can be hashed is offered.
const TIMES: u32 = 5;
/// For how long, in seconds.
const STORM_S: u64 = 60;
/// How long the sign-ins that are not too many are measured before, in seconds.
const CALM_S: u64 = 5;
/// How often each of the others asks.
const OTHERS_EVERY: Duration = Duration::from_millis(20);
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is promised to everybody else.
const P99_MAX: Duration = Duration::from_millis(200);

/// The server's own limits, which the other measurements open.
const LIMITS: &[(&str, &str)] =
    &[("DENIZEN__SECURITY__HASH_QUEUE", "64"), ("DENIZEN__SECURITY__HASH_QUEUE_TIMEOUT_MS", "2000")];

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = on(binary, None, "SQLite", scale).await?;
    if let Some(server_url) = postgres_url() {
        let scratch = Scratch::new(&server_url).await?;
        let measured = on(binary, Some(scratch.url.clone()), "PostgreSQL", scale).await;
        scratch.remove().await?;
        rows.extend(measured?);
    }
    Ok(rows)
}

async fn on(binary: &Binary, url: Option<String>, database: &str, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let cores = std::thread::available_parallelism()?.get();
    let site = Site::configured(binary, url, LIMITS).await?;
    let (server, _) = site.start().await?;
    let emails: Vec<String> = (0..scale.count(ACCOUNTS)).map(|at| format!("user{at}@bench.example")).collect();
    sign_up(&server, &emails, cores).await?;
    let requests = Arc::new(emails.iter().map(|email| sign_in_request(email)).collect::<Vec<_>>());

    let calm = Plan {
        address: server.address,
        requests: Arc::clone(&requests),
        expected_status: 201,
        clients: cores * 8,
        duration: scale.time(CALM_S),
    };
    let capacity = run(&calm).await?.rate();
    let duration = scale.time(STORM_S);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of hundreds")]
    let offered = (capacity * f64::from(TIMES)).ceil() as u32;
    println!("storm on {database}: {offered} sign-ins a second for {duration:?}, {TIMES} times {capacity:.1}");

    let end = now() + duration;
    let (idle_kib, address) = (server.memory_kib()?, server.address);
    let reads = tokio::spawn(read(address, server.sign_in(&emails[0]).await?, end));
    let refreshes = tokio::spawn(refresh(address, sign_in_request(&emails[1]), end));
    let storm: Vec<_> =
        (0..offered).map(|nth| tokio::spawn(offer(address, Arc::clone(&requests), nth, offered, end))).collect();
    let peak_kib = peak_memory(&server, end).await?;
    let mut answers = Answers::default();
    for one in storm {
        answers.add(one.await??);
    }
    let (reads, refreshes) = (reads.await??, refreshes.await??);
    server.stop().await?;

    let (opened, shed) = (Outcome::new(duration, answers.opened_us), Outcome::new(duration, answers.shed_us));
    let part = shed.rate() / (opened.rate() + shed.rate());
    let row = |name: &str, outcome: &Outcome| {
        let p99 = outcome.percentile(99);
        Row::promised(format!("{name}, p99 meanwhile, {database}"), ms(p99), "< 200 ms", p99 < P99_MAX)
    };
    Ok(vec![
        Row::shown(
            format!("sign-ins, {TIMES} times what can be hashed offered, {database}"),
            format!("{:.1}/s of {:.1}/s", opened.rate(), opened.rate() + shed.rate()),
        ),
        Row::shown("… share shed with 503 and Retry-After", format!("{:.1} %", part * 100.0)),
        Row::shown(
            "… p99 of those shed, of those that are let in",
            format!("{}, {}", ms(shed.percentile(99)), ms(opened.percentile(99))),
        ),
        Row::shown("… memory before, at most (VmRSS)", format!("{} MiB, {} MiB", idle_kib / 1024, peak_kib / 1024)),
        row("refresh", &refreshes),
        row("GET /users/{id}", &reads),
    ])
}

/// How long answers took, in microseconds.
#[derive(Default)]
struct Answers {
    opened_us: Vec<u32>,
    shed_us: Vec<u32>,
}

impl Answers {
    fn add(&mut self, more: Self) {
        self.opened_us.extend(more.opened_us);
        self.shed_us.extend(more.shed_us);
    }
}

/// One of as many clients as there are sign-ins offered each second: each tries once a second, however the last try went.
async fn offer(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    nth: u32,
    of: u32,
    end: Instant,
) -> anyhow::Result<Answers> {
    let mut client = Client::connect(address).await?;
    let mut answers = Answers::default();
    let mut due = now() + Duration::from_secs(1) * nth / of;
    let mut at = nth as usize;
    while due < end {
        tokio::time::sleep_until(due.into()).await;
        let sent = now();
        let status = client.send(&requests[at % requests.len()]).await?;
        let took = micros(sent);
        match status {
            201 => answers.opened_us.push(took),
            503 => {
                ensure!(client.header("retry-after").is_some(), "shed without a word on when to return");
                answers.shed_us.push(took);
            }
            _ => ensure!(false, "answered {status}: {}", String::from_utf8_lossy(client.body())),
        }
        due += Duration::from_secs(1);
        at += 1;
    }
    Ok(answers)
}

async fn read(address: SocketAddr, (token, id): (String, String), end: Instant) -> anyhow::Result<Outcome> {
    let mut client = Client::connect(address).await?;
    let wanted = request("GET", &format!("/api/v1/users/{id}"), Some(&token), None);
    let (begun, mut took) = (now(), Vec::new());
    while now() < end {
        let sent = now();
        let status = client.send(&wanted).await?;
        ensure!(status == 200, "a read was answered {status}");
        took.push(micros(sent));
        tokio::time::sleep(OTHERS_EVERY).await;
    }
    Ok(Outcome::new(now() - begun, took))
}

/// Refreshes one session after the other until the end.
pub(super) async fn refresh(address: SocketAddr, sign_in: Vec<u8>, end: Instant) -> anyhow::Result<Outcome> {
    let mut client = Client::connect(address).await?;
    // In the storm, it may have to try more than once.
    while client.send(&sign_in).await? != 201 {
        tokio::time::sleep(OTHERS_EVERY).await;
    }
    let mut token = token_of(&client)?;
    let (begun, mut took) = (now(), Vec::new());
    while now() < end {
        let body = json!({ "refresh_token": token }).to_string();
        let wanted = request("POST", "/api/v1/sessions/refresh", None, Some(&body));
        let sent = now();
        let status = client.send(&wanted).await?;
        ensure!(status == 200, "a refresh was answered {status}");
        took.push(micros(sent));
        token = token_of(&client)?;
        tokio::time::sleep(OTHERS_EVERY).await;
    }
    Ok(Outcome::new(now() - begun, took))
}

fn token_of(client: &Client) -> anyhow::Result<String> {
    Ok(client.json()?["refresh_token"].as_str().context("no refresh token")?.to_owned())
}

async fn peak_memory(server: &Server, end: Instant) -> anyhow::Result<u64> {
    let mut peak = 0;
    while now() < end {
        peak = peak.max(server.memory_kib()?);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(peak)
}

fn micros(since: Instant) -> u32 {
    u32::try_from((now() - since).as_micros()).unwrap_or(u32::MAX)
}
