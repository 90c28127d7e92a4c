//! Sign-ins with a passkey, beside sign-ins with a password on the same server; and the former while a provider stalls.
//!
//! A sign-in with a passkey is two requests: the options, and the signed answer. The load generator signs in place of the
//! authenticators, on the same cores as the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::client::{Client, request};
use super::load::{Outcome, Plan, run};
use super::server::{Binary, Server, Site, sign_in_request};
use super::sign_in::sign_up;
use super::stalled::Stall;
use super::{Row, Scale, median, ms, now};

/// How many accounts have a passkey, and how many a password only.
const ACCOUNTS: usize = 200;
/// How many clients sign in at once.
const CLIENTS: u32 = 64;
/// How often each side is measured, in turns.
const ROUNDS: usize = 5;
/// How long each time, in seconds. The provider stalls for 30 seconds in all.
const ROUND_S: u64 = 6;
const RATE_MIN: f64 = 3_000.0;
const P99_MAX: Duration = Duration::from_millis(15);
/// How much slower others may become while a provider stalls.
const STALL_FACTOR_MAX: f64 = 1.02;
/// The origin of the page: that of the public URL.
const ORIGIN: &str = "http://localhost:8080";
const OPTIONS: &str = "/api/v1/sessions/passkeys/options";
const SIGN_IN: &str = "/api/v1/sessions/passkeys";
/// The user was present and verified (WebAuthn Level 3 §6.1).
const FLAGS: u8 = 0x01 | 0x04;
/// The data contains a new credential.
const ATTESTED: u8 = 0x40;

const SETTINGS: &[(&str, &str)] =
    &[("DENIZEN__SERVER__PUBLIC_URL", ORIGIN), ("DENIZEN__SIGN_IN__PROVIDER_ALLOWED_HOSTS", "127.0.0.1")];

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let cores = std::thread::available_parallelism()?.get();
    let (accounts, duration) = (scale.count(ACCOUNTS), scale.time(ROUND_S));
    println!("passkeys: {ROUNDS} rounds of {duration:?} for each figure, {accounts} accounts, {CLIENTS} clients");
    let site = Site::configured(binary, None, SETTINGS).await?;
    let (server, _) = site.start().await?;
    let emails: Vec<String> = (0..2 * accounts).map(|at| format!("user{at}@bench.example")).collect();
    sign_up(&server, &emails, cores).await?;
    let (keyed, plain) = emails.split_at(accounts);
    let mut devices = Vec::new();
    for email in keyed {
        devices.push(Authenticator::register(&server, email).await?);
    }
    let devices = Arc::new(devices);
    let passwords = Plan {
        address: server.address,
        requests: Arc::new(plain.iter().map(|email| sign_in_request(email)).collect()),
        expected_status: 201,
        clients: cores * 8,
        duration,
    };

    let (mut by_passkey, mut by_password) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_passkey.push(sign_in_all(&server, &devices, None, duration).await?);
        by_password.push(run(&passwords).await?);
    }
    let of = |outcomes: &[Outcome]| super::load::rate(outcomes);
    let (passkey_rate, password_rate) = (of(&by_passkey)?, of(&by_password)?);

    // Half of what it can do: the clients take turns at fixed times.
    let pace = Duration::from_secs_f64(f64::from(CLIENTS) / (passkey_rate / 2.0));
    let stall = Stall::begin(&server).await?;
    let (mut calm, mut stalled) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        calm.push(sign_in_all(&server, &devices, Some(pace), duration).await?);
        let users = stall.send_users();
        stalled.push(sign_in_all(&server, &devices, Some(pace), duration).await?);
        users.leave();
    }
    ensure!(stall.held() > 0, "no request waited for the provider");
    server.stop().await?;

    let p99 = |outcomes: &[Outcome]| median(&outcomes.iter().map(|outcome| outcome.percentile(99)).collect::<Vec<_>>());
    let (calm_p99, stalled_p99) = (p99(&calm)?, p99(&stalled)?);
    let factor = stalled_p99.as_secs_f64() / calm_p99.as_secs_f64();
    Ok(vec![
        Row::promised(
            format!("sign-ins with a passkey on SQLite, {CLIENTS} clients"),
            format!("{passkey_rate:.0}/s, p99 {}", ms(p99(&by_passkey)?)),
            "≥ 3,000/s",
            passkey_rate >= RATE_MIN,
        ),
        Row::shown("sign-ins with a password in the same run", format!("{password_rate:.1}/s")),
        Row::shown("… passkeys against passwords", format!("{:.1} times", passkey_rate / password_rate)),
        Row::promised(
            "sign-ins with a passkey at half load, p99",
            format!("{} at {:.0}/s", ms(calm_p99), of(&calm)?),
            "≤ 15 ms",
            calm_p99 <= P99_MAX,
        ),
        Row::promised(
            format!("… while a provider stalls ({} connections to it)", stall.held()),
            format!("{} at {:.0}/s, {:+.1} %", ms(stalled_p99), of(&stalled)?, (factor - 1.0) * 100.0),
            "≤ +2 %",
            factor <= STALL_FACTOR_MAX,
        ),
    ])
}

/// Signs in with all passkeys, again and again; at fixed times if there is a pace.
async fn sign_in_all(
    server: &Server,
    devices: &Arc<Vec<Authenticator>>,
    pace: Option<Duration>,
    duration: Duration,
) -> anyhow::Result<Outcome> {
    let begun = now();
    let end = begun + duration;
    let mut tasks = Vec::new();
    for first in 0..CLIENTS {
        let client = Client::connect(server.address).await?;
        let slots = pace.map(|pace| (begun + pace * first / CLIENTS, pace));
        tasks.push(tokio::spawn(ask(client, Arc::clone(devices), first, slots, end)));
    }
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    Ok(Outcome::new(now() - begun, latencies_us))
}

/// One client. A late one does not make up for the turns that it missed.
async fn ask(
    mut client: Client,
    devices: Arc<Vec<Authenticator>>,
    first: u32,
    mut slots: Option<(Instant, Duration)>,
    end: Instant,
) -> anyhow::Result<Vec<u32>> {
    let options = request("POST", OPTIONS, None, None);
    let (mut latencies_us, mut at) = (Vec::with_capacity(1024), first as usize);
    loop {
        if let Some((next, pace)) = &mut slots {
            tokio::time::sleep_until((*next).into()).await;
            while *next <= now() {
                *next += *pace;
            }
        }
        let sent = now();
        if sent >= end {
            return Ok(latencies_us);
        }
        let status = client.send(&options).await?;
        ensure!(status == 200, "the options answered {status}: {}", String::from_utf8_lossy(client.body()));
        let answer = devices[at % devices.len()].answer(&client.json()?)?;
        let status = client.send(&request("POST", SIGN_IN, None, Some(&answer))).await?;
        ensure!(status == 201, "the sign-in answered {status}: {}", String::from_utf8_lossy(client.body()));
        latencies_us.push(u32::try_from((now() - sent).as_micros()).unwrap_or(u32::MAX));
        at += CLIENTS as usize;
    }
}

/// An authenticator with one passkey without a counter, and the browser around it.
struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user_handle: String,
    rp_id: String,
}

impl Authenticator {
    /// Creates a passkey for the user of this address.
    async fn register(server: &Server, email: &str) -> anyhow::Result<Self> {
        let (token, _) = server.sign_in(email).await?;
        let mut client = Client::connect(server.address).await?;
        let status = client.send(&request("POST", "/api/v1/me/passkeys/options", Some(&token), None)).await?;
        ensure!(status == 200, "the options answered {status}: {}", String::from_utf8_lossy(client.body()));
        let options = client.json()?;
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).context("making a key")?;
        let public_key = &options["publicKey"];
        let device = Self {
            id: digest(&SHA256, key.public_key().as_ref()).as_ref().to_vec(),
            key,
            user_handle: text(&public_key["user"]["id"])?.to_owned(),
            rp_id: text(&public_key["rp"]["id"])?.to_owned(),
        };
        let body = device.created(&options)?;
        let status = client.send(&request("POST", "/api/v1/me/passkeys", Some(&token), Some(&body))).await?;
        ensure!(status == 201, "the registration answered {status}: {}", String::from_utf8_lossy(client.body()));
        Ok(device)
    }

    /// The body that registers the passkey.
    fn created(&self, options: &Value) -> anyhow::Result<String> {
        let client_data = client_data("webauthn.create", options)?;
        let point = self.key.public_key().as_ref();
        // A P-256 key in COSE (RFC 9053 §7.1.1), from its uncompressed point.
        let (start, middle) = (b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", b"\x22\x58\x20");
        let cose_key = [start.as_slice(), &point[1..33], middle, &point[33..]].concat();
        let length = u16::try_from(self.id.len())?.to_be_bytes();
        let data = [self.data(ATTESTED).as_slice(), &[0; 16], &length, &self.id, &cose_key].concat();
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[u8::try_from(data.len())?], &data];
        let response =
            json!({"clientDataJSON": encoded(client_data.as_bytes()), "attestationObject": encoded(&object.concat())});
        Ok(self.body(options, &response))
    }

    /// The body that signs in.
    fn answer(&self, options: &Value) -> anyhow::Result<String> {
        let client_data = client_data("webauthn.get", options)?;
        let data = self.data(0);
        let signed = [data.as_slice(), digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).context("signing")?;
        let response = json!({
            "clientDataJSON": encoded(client_data.as_bytes()), "authenticatorData": encoded(&data),
            "signature": encoded(signature.as_ref()), "userHandle": self.user_handle,
        });
        Ok(self.body(options, &response))
    }

    fn body(&self, options: &Value, response: &Value) -> String {
        let id = encoded(&self.id);
        let credential =
            json!({"id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {}});
        json!({"state": options["state"], "credential": credential}).to_string()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        [digest(&SHA256, self.rp_id.as_bytes()).as_ref(), &[FLAGS | more], &[0; 4]].concat()
    }
}

fn client_data(kind: &str, options: &Value) -> anyhow::Result<String> {
    let challenge = text(&options["publicKey"]["challenge"])?;
    Ok(json!({"type": kind, "challenge": challenge, "origin": ORIGIN, "crossOrigin": false}).to_string())
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().context("the options are incomplete")
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
