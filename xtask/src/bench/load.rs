//! Many clients at once, each waiting for its answer before it asks again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::client::Client;
use super::{median, now};

/// How long a run may take beyond its time: the requests in flight at its end.
const SLACK: Duration = Duration::from_mins(1);

/// What to ask, and how hard.
pub(super) struct Plan {
    /// Whom.
    pub(super) address: SocketAddr,
    /// The prepared requests; the clients take turns through them.
    pub(super) requests: Arc<Vec<Vec<u8>>>,
    /// The status of every good answer. Another one fails the run: refusals must not count as speed.
    pub(super) expected_status: u16,
    /// How many clients.
    pub(super) clients: usize,
    /// For how long.
    pub(super) duration: Duration,
}

/// What came of it.
pub(super) struct Outcome {
    elapsed: Duration,
    /// In microseconds, rising.
    latencies_us: Vec<u32>,
}

impl Outcome {
    /// What so many microseconds each, in so long a time, come to.
    pub(super) fn new(elapsed: Duration, mut latencies_us: Vec<u32>) -> Self {
        latencies_us.sort_unstable();
        Self { elapsed, latencies_us }
    }

    /// How long it took.
    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn rate(&self) -> f64 {
        self.latencies_us.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// How many requests were answered.
    pub(super) fn count(&self) -> usize {
        self.latencies_us.len()
    }

    /// The latency that so many in a hundred stay within.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.latencies_us.len() * percent / 100).min(self.latencies_us.len().saturating_sub(1));
        Duration::from_micros(self.latencies_us.get(at).copied().map_or(0, u64::from))
    }
}

/// The median of the rates of several runs, in requests per second.
pub(super) fn rate(outcomes: &[Outcome]) -> anyhow::Result<f64> {
    median(&outcomes.iter().map(Outcome::rate).collect::<Vec<_>>())
}

/// Runs the plan.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    ensure!(!plan.requests.is_empty(), "nothing to ask");
    let mut clients = Vec::new();
    for _ in 0..plan.clients {
        clients.push(Client::connect(plan.address).await.context("connecting")?);
    }
    let begun = now();
    let end = begun + plan.duration;
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(first, client)| {
            let requests = Arc::clone(&plan.requests);
            let (step, status) = (plan.clients, plan.expected_status);
            tokio::spawn(tokio::time::timeout_at((end + SLACK).into(), async move {
                ask(client, &requests, first, step, status, end).await
            }))
        })
        .collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await?.context("the server stopped answering")??);
    }
    Ok(Outcome::new(now() - begun, latencies_us))
}

/// One client: asks every `step`-th request from the `first` on, round and round, until the end.
async fn ask(
    mut client: Client,
    requests: &[Vec<u8>],
    first: usize,
    step: usize,
    expected: u16,
    end: std::time::Instant,
) -> anyhow::Result<Vec<u32>> {
    let mut latencies_us = Vec::with_capacity(1024);
    let mut at = first;
    loop {
        let sent = now();
        if sent >= end {
            return Ok(latencies_us);
        }
        let status = client.send(&requests[at % requests.len()]).await?;
        ensure!(status == expected, "answered {status}: {}", String::from_utf8_lossy(client.body()));
        latencies_us.push(u32::try_from((now() - sent).as_micros()).unwrap_or(u32::MAX));
        at += step;
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use std::time::Duration;

    #[test]
    fn figures_are_read_off_the_latencies() {
        let outcome = Outcome { elapsed: Duration::from_secs(2), latencies_us: (1..=100).collect() };
        assert!((outcome.rate() - 50.0).abs() < f64::EPSILON);
        assert_eq!(outcome.percentile(50), Duration::from_micros(51));
        assert_eq!(outcome.percentile(99), Duration::from_micros(100));
        let nothing = Outcome { elapsed: Duration::from_secs(1), latencies_us: Vec::new() };
        assert_eq!(nothing.percentile(99), Duration::ZERO);
    }
}
