//! How long wrong passwords take, at accounts that there are and at others: by time nobody can tell them apart.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::client::{Client, request};
use super::server::{Binary, Site};
use super::sign_in::sign_up;
use super::{Row, Scale, median, ms, now};

/// How many accounts, and as many addresses that have none.
const ACCOUNTS: usize = 200;
/// How often each is tried.
const ROUNDS: usize = 3;
/// How far from a coin toss the guess "the slower one has an account" may be. Of so many tries, chance alone stays within
/// 0.05 (three standard errors, about).
const ADVANTAGE_MAX: f64 = 0.05;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let accounts = scale.count(ACCOUNTS);
    println!("enumeration: {accounts} accounts and as many unknown addresses, {ROUNDS} times each, in turns");
    let site = Site::new(binary, None).await?;
    let (server, _) = site.start().await?;
    let emails: Vec<String> = (0..accounts).map(|at| format!("user{at}@bench.example")).collect();
    sign_up(&server, &emails, 2).await?;
    let mut client = Client::connect(server.address).await?;
    let (mut known, mut unknown, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..accounts * ROUNDS {
        let at = at % accounts;
        for (email, took) in [(&emails[at], &mut known), (&format!("none{at}@bench.example"), &mut unknown)] {
            let body = json!({ "email": email, "password": "a wrong password" }).to_string();
            let wanted = request("POST", "/api/v1/sessions", None, Some(&body));
            let sent = now();
            let status = client.send(&wanted).await?;
            took.push(now() - sent);
            ensure!(status == 401, "answered {status}");
            lengths.push(client.body().len());
        }
    }
    server.stop().await?;
    ensure!(lengths.iter().all(|length| *length == lengths[0]), "answers differ in length");

    let advantage = (slower(&known, &unknown) - 0.5).abs();
    let medians = format!("{}, {}", ms(median(&known)?), ms(median(&unknown)?));
    let told = format!("50 % ± {:.1} %", advantage * 100.0);
    Ok(vec![
        Row::shown("a wrong password, median of known accounts, of unknown", medians),
        Row::promised("… who has an account, guessed by time", told, "50 % ± 5 %", advantage <= ADVANTAGE_MAX),
    ])
}

/// How often one of the first takes longer than one of the second (Mann and Whitney's U, as a share).
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn slower(first: &[Duration], second: &[Duration]) -> f64 {
    let wins: f64 = first
        .iter()
        .flat_map(|one| second.iter().map(move |other| one.cmp(other)))
        .map(|order| match order {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    wins / (first.len() * second.len()) as f64
}
