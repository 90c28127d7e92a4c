//! How fast a server starts on a database that exists, and how much memory it holds when nothing happens.

use std::time::Duration;

use super::server::{Binary, Site};
use super::{Row, Scale, median, ms};

/// How often to start.
const STARTS: usize = 10;
/// How long nothing happens before the memory is read.
const IDLE: Duration = Duration::from_secs(2);

const START_MAX: Duration = Duration::from_millis(60);
const MEMORY_KIB_MAX: u64 = 30 * 1024;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("start: {} starts on an existing SQLite database", scale.count(STARTS));
    let site = Site::new(binary, None).await?;
    // The first one makes the signing key; it is not what is measured.
    site.start().await?.0.stop().await?;

    let mut times = Vec::new();
    for _ in 0..scale.count(STARTS) {
        let (server, time) = site.start().await?;
        times.push(time);
        server.stop().await?;
    }
    let (server, _) = site.start().await?;
    tokio::time::sleep(IDLE).await;
    let memory_kib = server.memory_kib()?;
    server.stop().await?;

    let start = median(&times)?;
    let worst = times.iter().copied().max().unwrap_or_default();
    let measured = format!("{} (worst {})", ms(start), ms(worst));
    let memory = format!("{}.{} MiB", memory_kib / 1024, memory_kib % 1024 * 10 / 1024);
    Ok(vec![
        Row::promised(
            "cold start to the first 200 of `/health/ready`, median",
            measured,
            "≤ 60 ms",
            start <= START_MAX,
        ),
        Row::promised("idle memory (VmRSS)", memory, "≤ 30 MiB", memory_kib <= MEMORY_KIB_MAX),
    ])
}
