//! Whether the time of other requests reveals that a password reset was requested for an existing account.
//!
//! The response itself takes the same time for every address (`enumeration`). What follows it, a token and a mail, exists
//! only for accounts, and runs on the same cores and the same database as the next request. Two probes look for it: one
//! request right behind the response, and requests sent back to back until the mail has been delivered.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::bulk::Scratch;
use super::client::{Client, request};
use super::enumeration::slower;
use super::server::{ADMIN, Binary, PASSWORD, Server, Site};
use super::sign_in::sign_up;
use super::{Row, Scale, now, postgres_url};

/// Accounts whose resets are followed by one request, and as many addresses without an account.
const PAIRS_BEHIND: usize = 300;
/// Accounts whose resets are followed by requests until their mail has been delivered, and as many unknown addresses.
const PAIRS_FOLLOWED: usize = 60;
/// How long the requests go on: the longest delay of a mail, and one poll of the outbox for the grant and one for the mail.
const FOLLOWED: Duration = Duration::from_millis(3_200);
/// Largest distance from a coin toss: three standard errors of `PAIRS_BEHIND` pairs are 0.07.
const ADVANTAGE_MAX: f64 = 0.05;
/// Mail is written to a folder, so that nothing outside of the server takes part.
const SETTINGS: &[(&str, &str)] = &[
    ("DENIZEN__MAIL__FOLDER", "mail"),
    ("DENIZEN__MAIL__FROM", "Bench <bench@bench.example>"),
    ("DENIZEN__SERVER__PUBLIC_URL", "https://bench.example"),
    ("DENIZEN__LIMITS__MAIL_REQUESTS_PER_HOUR", "1000000"),
    ("DENIZEN__LIMITS__SIGN_UP_MAILS_PER_HOUR", "1000000"),
];

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
    let (behind, followed) = (scale.count(PAIRS_BEHIND), scale.count(PAIRS_FOLLOWED));
    println!("side channel of resets on {database}: {behind} pairs of addresses, then {followed}");
    let site = Site::configured(binary, url, SETTINGS).await?;
    let (server, _) = site.start().await?;
    let emails: Vec<String> = (0..behind + followed).map(|at| format!("user{at}@bench.example")).collect();
    sign_up(&server, &emails, 2).await?;
    // The verification mails of the sign-ups are delivered before anything is measured.
    tokio::time::sleep(FOLLOWED * 3).await;

    let next = right_behind(&server, &emails[..behind]).await?;
    tokio::time::sleep(FOLLOWED * 3).await;
    let (sums, longest) = until_delivered(&server, &emails[behind..]).await?;
    server.stop().await?;

    let advantage = (next - 0.5).abs();
    let shown = |name: &str, share: f64| Row::shown(format!("{name}, {database}"), format!("AUC {share:.2}"));
    Ok(vec![
        Row::promised(
            format!("who has an account, by the request after a reset, {database}"),
            format!("AUC {next:.2}"),
            "0.50 ± 0.05",
            advantage <= ADVANTAGE_MAX,
        ),
        shown("… by the sum of all requests until the mail is delivered", sums),
        shown("… by the longest of them", longest),
    ])
}

/// The AUC of one request that is sent as soon as the reset has been answered.
async fn right_behind(server: &Server, emails: &[String]) -> anyhow::Result<f64> {
    let (mut client, read) = (Client::connect(server.address).await?, read(server).await?);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (at, email) in emails.iter().enumerate() {
        let other = format!("none{at}@bench.example");
        // Alternating, so that what the one leaves behind does not always meet the other.
        for is_known in if at % 2 == 0 { [true, false] } else { [false, true] } {
            reset(&mut client, if is_known { email } else { &other }).await?;
            let took = probe(&mut client, &read).await?;
            if is_known {
                known.push(took);
            } else {
                unknown.push(took);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(slower(&known, &unknown))
}

/// The AUC of the sum, and of the longest, of all requests until the mail has been delivered.
async fn until_delivered(server: &Server, emails: &[String]) -> anyhow::Result<(f64, f64)> {
    let (mut client, read) = (Client::connect(server.address).await?, read(server).await?);
    let (mut known, mut unknown) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (at, email) in emails.iter().enumerate() {
        let other = format!("other{at}@bench.example");
        for is_known in if at % 2 == 0 { [true, false] } else { [false, true] } {
            reset(&mut client, if is_known { email } else { &other }).await?;
            let begun = now();
            let (mut count, mut longest) = (0, Duration::ZERO);
            while now() - begun < FOLLOWED {
                longest = longest.max(probe(&mut client, &read).await?);
                count += 1;
            }
            let (means, maxima) = if is_known { &mut known } else { &mut unknown };
            means.push((now() - begun) / count);
            maxima.push(longest);
        }
    }
    Ok((slower(&known.0, &unknown.0), slower(&known.1, &unknown.1)))
}

async fn reset(client: &mut Client, email: &str) -> anyhow::Result<()> {
    let body = json!({ "email": email }).to_string();
    let status = client.send(&request("POST", "/api/v1/password-resets", None, Some(&body))).await?;
    ensure!(status == 202, "a reset answered {status}: {}", String::from_utf8_lossy(client.body()));
    Ok(())
}

/// How long a read of the database takes.
async fn probe(client: &mut Client, read: &[u8]) -> anyhow::Result<Duration> {
    let sent = now();
    let status = client.send(read).await?;
    ensure!(status == 200, "the probe answered {status}");
    Ok(now() - sent)
}

/// A read by an account that is signed in.
async fn read(server: &Server) -> anyhow::Result<Vec<u8>> {
    let mut client = Client::connect(server.address).await?;
    let body = json!({ "email": ADMIN, "password": PASSWORD }).to_string();
    let status = client.send(&request("POST", "/api/v1/sessions", None, Some(&body))).await?;
    ensure!(status == 201, "the sign-in answered {status}");
    let answer = client.json()?;
    let token = answer["access_token"].as_str().context("no access token")?;
    Ok(request("GET", "/api/v1/me", Some(token), None))
}
