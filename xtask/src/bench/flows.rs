//! Sign-ins that begin elsewhere: options for a passkey, the redirect to a provider, what 20 providers cost at the start,
//! and the sign-ins with a passkey themselves.

use std::sync::Arc;

use anyhow::ensure;

use super::client::{Client, request};
use super::load::{Outcome, Plan, rate, run};
use super::server::{Binary, Server, Site};
use super::{Row, Scale, median, ms, passkeys};

/// How many clients ask at once.
const CLIENTS: usize = 64;
/// How long each is measured, in seconds.
const ROUND_S: u64 = 5;
/// How often to start.
const STARTS: usize = 10;
const OPTIONS_PER_S_MIN: f64 = 20_000.0;
const REDIRECTS_PER_S_MIN: f64 = 15_000.0;
const REDIRECT: &str = "/api/v1/auth/p1?redirect_to=https://app.example.com/signed-in\
                        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Configuration of providers of these names, and of what all measurements here need.
macro_rules! providers {
    ($($name:literal)+) => {
        &[
            $(
                (concat!("DENIZEN__PROVIDERS__", $name, "__PRESET"), "github"),
                (concat!("DENIZEN__PROVIDERS__", $name, "__CLIENT_ID"), "the-client"),
                (concat!("DENIZEN__PROVIDERS__", $name, "__CLIENT_SECRET"), "the-secret-of-the-client"),
            )+
            ("DENIZEN__SIGN_IN__REDIRECT_URLS", "https://app.example.com/signed-in"),
            ("DENIZEN__SERVER__PUBLIC_URL", "http://localhost:8080"),
            ("DENIZEN__LIMITS__ADDRESS_PER_SECOND", "0"),
        ]
    };
}

const SETTINGS: &[(&str, &str)] = providers!(
    "P1" "P2" "P3" "P4" "P5" "P6" "P7" "P8" "P9" "P10" "P11" "P12" "P13" "P14" "P15" "P16" "P17" "P18" "P19" "P20"
);

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("flows: {CLIENTS} clients for {:?} each", scale.time(ROUND_S));
    let site = Site::configured(binary, None, SETTINGS).await?;
    let (server, _) = site.start().await?;
    let options = request("POST", "/api/v1/sessions/passkeys/options", None, None);
    let options = asked(&server, options, 200, scale).await?;
    let redirects = asked(&server, request("GET", REDIRECT, None, None), 303, scale).await?;
    server.stop().await?;

    let mut times = Vec::new();
    for _ in 0..scale.count(STARTS) {
        let (server, time) = site.start().await?;
        times.push(time);
        server.stop().await?;
    }
    let (options_rate, redirects_rate) = (rate(&options)?, rate(&redirects)?);
    let mut rows = vec![
        Row::promised(
            "options for a sign-in with a passkey, no row written",
            describe(&options)?,
            "≥ 20,000/s",
            options_rate >= OPTIONS_PER_S_MIN,
        ),
        Row::promised(
            "redirect to a provider, no row written",
            describe(&redirects)?,
            "≥ 15,000/s",
            redirects_rate >= REDIRECTS_PER_S_MIN,
        ),
        Row::shown("cold start with 20 providers, median", ms(median(&times)?)),
    ];
    rows.extend(passkeys::measure(binary, scale).await?);
    Ok(rows)
}

async fn asked(server: &Server, asked: Vec<u8>, expected_status: u16, scale: Scale) -> anyhow::Result<Vec<Outcome>> {
    let mut client = Client::connect(server.address).await?;
    let status = client.send(&asked).await?;
    ensure!(status == expected_status, "{status}: {}", String::from_utf8_lossy(client.body()));
    let requests = Arc::new(vec![asked]);
    let plan =
        Plan { address: server.address, requests, expected_status, clients: CLIENTS, duration: scale.time(ROUND_S) };
    Ok(vec![run(&plan).await?])
}

fn describe(outcomes: &[Outcome]) -> anyhow::Result<String> {
    let percentile = |percent| median(&outcomes.iter().map(|outcome| outcome.percentile(percent)).collect::<Vec<_>>());
    Ok(format!("{:.0} requests/s, p50 {}, p99 {}", rate(outcomes)?, ms(percentile(50)?), ms(percentile(99)?)))
}
