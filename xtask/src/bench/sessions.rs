//! Many sessions: the memory of those in use, and the removal of those that expired.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::bulk::{self, Scratch};
use super::client::{Client, request};
use super::load::{Plan, run};
use super::server::{ADMIN, Binary, Server, Site};
use super::{Row, Scale, ms, now, postgres_url};

const SECRET: &str = "Gx1pQ0vYt9Rk2ZbW7sLm4NcJ8dHf3aEu6TyXqKoPiSz";
/// Tokens that can be minted here, for sessions that nobody signed in to.
const BY_SECRET: &[(&str, &str)] =
    &[("DENIZEN__TOKENS__ALGORITHM", "HS256"), ("DENIZEN__TOKENS__HS256_SECRET", SECRET)];
/// How many sessions are in use.
const LIVE: usize = 100_000;
/// How many have expired.
const EXPIRED: usize = 1_000_000;
/// When the live ones end, from 2096 on, and the expired ones ended, in 2020; in microseconds.
const LIVE_UNTIL_US: i64 = 4_000_000_000_000_000;
const EXPIRED_SINCE_US: i64 = 1_600_000_000_000_000;
/// How many clients read meanwhile.
const CLIENTS: usize = 8;
/// How long the removal may take, its first minute of waiting included.
const PATIENCE: Duration = Duration::from_mins(15);

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (live, expired) = (scale.count(LIVE), scale.count(EXPIRED));
    println!("sessions: {live} in use, {expired} expired");
    let mut rows = vec![memory(binary, live).await?];
    let site = Site::new(binary, None).await?;
    bulk::fill_sessions_sqlite(&site.sqlite_file(), i64::try_from(expired)?, EXPIRED_SINCE_US).await?;
    rows.push(removal(&site, None, "SQLite").await?);
    match postgres_url() {
        None => println!("sessions: no DENIZEN_TEST_POSTGRES_URL, so PostgreSQL is left out"),
        Some(url) => {
            let scratch = Scratch::new(&url).await?;
            let measured = async {
                let site = Site::new(binary, Some(scratch.url.clone())).await?;
                bulk::fill_sessions_postgres(&scratch.url, i64::try_from(expired)?, EXPIRED_SINCE_US).await?;
                removal(&site, Some(&scratch.url), "PostgreSQL").await
            };
            let measured = measured.await;
            scratch.remove().await?;
            rows.push(measured?);
        }
    }
    Ok(rows)
}

/// Uses every session once and looks at the memory.
async fn memory(binary: &Binary, live: usize) -> anyhow::Result<Row> {
    let site = Site::configured(binary, None, BY_SECRET).await?;
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let mint = Mint::like(&token)?;
    // After the sign-in, which would end the oldest of so many sessions of one user.
    bulk::fill_sessions_sqlite(&site.sqlite_file(), i64::try_from(live)?, LIVE_UNTIL_US).await?;
    let before_kib = server.memory_kib()?;
    let mut client = Client::connect(server.address).await?;
    for n in 1..=live {
        let token = mint.token(&bulk::session_id(i64::try_from(n)?));
        let status = client.send(&request("GET", "/api/v1/me", Some(&token), None)).await?;
        ensure!(status == 200, "answered {status}: {}", String::from_utf8_lossy(client.body()));
    }
    let after_kib = server.memory_kib()?;
    server.stop().await?;
    let measured = format!("{} MiB, {} before", after_kib / 1024, before_kib / 1024);
    Ok(Row::shown(format!("memory with {live} live sessions, each used (VmRSS)"), measured))
}

/// Makes tokens like one of the server's, for other sessions of the same user.
struct Mint {
    header: String,
    claims: Value,
    key: hmac::Key,
}

impl Mint {
    fn like(token: &str) -> anyhow::Result<Self> {
        let mut parts = token.split('.');
        let header = parts.next().context("no header")?.to_owned();
        let claims = URL_SAFE_NO_PAD.decode(parts.next().context("no claims")?)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        Ok(Self { header, claims: serde_json::from_slice(&claims)?, key })
    }

    fn token(&self, session_id: &str) -> String {
        let mut claims = self.claims.clone();
        claims["sid"] = json!(session_id);
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims.to_string()));
        let code = hmac::sign(&self.key, token.as_bytes());
        let _ = write!(token, ".{}", URL_SAFE_NO_PAD.encode(code));
        token
    }
}

/// Reads while the server removes what has expired.
async fn removal(site: &Site<'_>, url: Option<&str>, database: &str) -> anyhow::Result<Row> {
    let (server, _) = site.start().await?;
    let (token, id) = server.sign_in(ADMIN).await?;
    let expired = left(site, url).await?;
    let begun = now();
    let mut removing_since = None;
    let mut worst_p99 = Duration::ZERO;
    let mut rates: Vec<f64> = Vec::new();
    loop {
        let outcome = run(&reads(&server, &token, &id)).await?;
        let left = left(site, url).await?;
        if left < expired {
            removing_since.get_or_insert_with(now);
            worst_p99 = worst_p99.max(outcome.percentile(99));
            rates.push(outcome.rate());
        }
        // The session that reads stays.
        if left <= 1 {
            break;
        }
        ensure!(now() - begun < PATIENCE, "{left} sessions were left after {PATIENCE:?}");
    }
    let took = now() - removing_since.context("nothing was removed")?;
    server.stop().await?;
    let rate = super::median(&rates)?;
    let measured =
        format!("{:.0} s; reads meanwhile {rate:.0}/s, p99 of the worst second {}", took.as_secs_f64(), ms(worst_p99));
    Ok(Row::shown(format!("removing {} expired sessions on {database}", expired - 1), measured))
}

async fn left(site: &Site<'_>, url: Option<&str>) -> anyhow::Result<i64> {
    match url {
        None => bulk::sessions_left_sqlite(&site.sqlite_file()).await,
        Some(url) => bulk::sessions_left_postgres(url).await,
    }
}

/// A second of reads.
fn reads(server: &Server, token: &str, id: &str) -> Plan {
    Plan {
        address: server.address,
        requests: Arc::new(vec![request("GET", &format!("/api/v1/users/{id}"), Some(token), None)]),
        expected_status: 200,
        clients: CLIENTS,
        duration: Duration::from_secs(1),
    }
}
