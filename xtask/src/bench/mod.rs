//! The figures that the project promises, measured on a release build.
//!
//! `start` (cold start, idle memory) · `read` (the account read against a bare handler) · `writes`
//! (against a hand-written route) · `sign_in`
//! (against raw Argon2id) · `pages` (depth against the first page) · `refresh` · `tokens` (what verifiers ask) ·
//! `sessions` (many of them) · `storm` (more sign-ins than can be hashed) · `enumeration` (who has an account, by time) ·
//! `flows` (sign-ins that begin elsewhere) · `side_channel` (the same, by the requests after a reset) · `strangers` (unfinished requests) ·
//! `grpc` (calls and streams) · `events` (following the log). Under them: `server` (a process with its own folder), `client` (HTTP/1.1 over a raw
//! socket), `http2`, `load` (many clients and their latencies).
//! Everything stays on loopback and is bounded in count and time.

mod bare;
mod bare_writes;
mod bulk;
mod client;
mod enumeration;
mod events;
mod flows;
mod grpc;
mod http2;
mod load;
mod pages;
mod passkeys;
mod read;
mod refresh;
mod server;
mod sessions;
mod side_channel;
mod sign_in;
mod stalled;
mod start;
mod storm;
mod strangers;
mod tokens;
mod websocket;
mod writes;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;

pub(crate) use bare::serve as serve_bare;
pub(crate) use bare_writes::serve as serve_bare_writes;
use server::Binary;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A smoke run: a tenth of every count and time. Its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Only this figure; may be said more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<Figure>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Cold start and idle memory.
    Start,
    /// The account read against a bare handler.
    Read,
    /// Changes of a user against a hand-written route, and other writes.
    Writes,
    /// Sign-ins against raw Argon2id.
    SignIn,
    /// Page 10,000 against page 1.
    Pages,
    /// Refreshes, by one client and by many.
    Refresh,
    /// The JWK Set and introspection.
    Tokens,
    /// Memory with many sessions, and the removal of many.
    Sessions,
    /// Sign-ins offered at five times what can be hashed, and everybody else meanwhile.
    Storm,
    /// What unfinished requests cost, and how others fare meanwhile.
    Strangers,
    /// Options for passkeys, redirects to providers, and sign-ins with passkeys.
    Flows,
    /// How long known and unknown accounts take to be refused.
    Enumeration,
    /// Whether the requests after a password reset reveal who has an account.
    SideChannel,
    /// `GetUser` against the route of REST; a million users in and out.
    Grpc,
    /// Followers of the log: how soon, how many, what they and a record cost.
    Events,
}

/// How much of everything to do.
#[derive(Clone, Copy)]
struct Scale {
    is_quick: bool,
}

impl Scale {
    /// The count, or a tenth of it.
    fn count(self, full: usize) -> usize {
        if self.is_quick { (full / 10).max(1) } else { full }
    }

    /// The time, or a tenth of it.
    fn time(self, full_s: u64) -> Duration {
        if self.is_quick { Duration::from_millis(full_s * 100) } else { Duration::from_secs(full_s) }
    }
}

/// One line of the table.
struct Row {
    figure: String,
    measured: String,
    /// What is promised, and whether it was kept; nothing for what is shown for comparison.
    promise: Option<(&'static str, bool)>,
}

impl Row {
    /// A figure with a promise.
    fn promised(figure: impl Into<String>, measured: String, target: &'static str, is_kept: bool) -> Self {
        Self { figure: figure.into(), measured, promise: Some((target, is_kept)) }
    }

    /// A figure for comparison.
    fn shown(figure: impl Into<String>, measured: String) -> Self {
        Self { figure: figure.into(), measured, promise: None }
    }
}

/// Measures and prints a table in Markdown. What is missed is told, not an error: machines differ.
pub(crate) fn run(arguments: &Arguments, root: &Path) -> anyhow::Result<()> {
    ensure!(!cfg!(debug_assertions), "a debug build measures nothing: run `make bench`");
    let here = std::env::current_exe().context("finding this program")?;
    let binary = Binary::new(here.with_file_name("denizen"))?;
    let scale = Scale { is_quick: arguments.quick };
    let is_wanted = |figure| arguments.only.is_empty() || arguments.only.contains(&figure);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, the load generator beside the server; {}", version(root));
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    macro_rules! measure {
        ($($Figure:ident: $module:ident),+ $(,)?) => {$(
            if is_wanted(Figure::$Figure) {
                match runtime.block_on($module::measure(&binary, scale)) {
                    Ok(measured) => {
                        for row in &measured {
                            println!("{row}");
                        }
                        rows.extend(measured);
                    }
                    // The other figures are measured all the same.
                    Err(error) => {
                        eprintln!("{} failed: {error:?}", stringify!($module));
                        failed.push(stringify!($module));
                    }
                }
            }
        )+};
    }
    measure! {
        Start: start,
        Read: read,
        Writes: writes,
        SignIn: sign_in,
        Pages: pages,
        Refresh: refresh,
        Tokens: tokens,
        Sessions: sessions,
        Storm: storm,
        Strangers: strangers,
        Flows: flows,
        Enumeration: enumeration,
        SideChannel: side_channel,
        Grpc: grpc,
        Events: events,
    }
    println!("\n| figure | measured | promised | kept |\n| --- | --- | --- | --- |");
    for row in &rows {
        println!("{row}");
    }
    ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, kept) = match self.promise {
            Some((target, true)) => (target, "yes"),
            Some((target, false)) => (target, "**no**"),
            None => ("", ""),
        };
        write!(f, "| {} | {} | {target} | {kept} |", self.figure, self.measured)
    }
}

/// The commit that is measured, as far as git tells.
fn version(root: &Path) -> String {
    let arguments = ["describe", "--always", "--dirty"];
    let output = std::process::Command::new("git").args(arguments).current_dir(root).output();
    let described = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    format!("commit {}", described.trim())
}

/// The PostgreSQL server to measure on, if there is one.
fn postgres_url() -> Option<String> {
    std::env::var("DENIZEN_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// The present, as a stopwatch knows it.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn now() -> Instant {
    Instant::now()
}

/// The middle one; of two middle ones the higher.
fn median<T: PartialOrd + Copy>(values: &[T]) -> anyhow::Result<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied().context("nothing was measured")
}

/// Milliseconds with the digits that matter.
fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3, 1, 2]).unwrap(), 2);
        assert_eq!(median(&[4, 1, 2, 3]).unwrap(), 3);
        assert!(median::<u8>(&[]).is_err());
    }
}
