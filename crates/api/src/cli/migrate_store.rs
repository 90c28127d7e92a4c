//! `denizen migrate-store`.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::events::chain::ChainKey;
use denizen_domain::rows::{Cell, Content, Row, RowReader, Table, WriteLock};
use denizen_domain::{Ctx, backups};
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_infra::root::open_root;
use denizen_infra::snapshots::{Difference, LogRows, TableDigest, digest, replicate};
use denizen_infra::stores::{Schema, StoreOptions};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

use super::Globals;
use super::failure::{Failure, printable};
use super::output::{Output, print, print_json};
use super::progress::Progress;
use crate::app::{Ambience, App, master_key};
use crate::config::Config;

/// How long a run waits before it compares the databases again.
const PAUSE: Duration = Duration::from_secs(2);
/// How often the lock of the source is checked.
const CHECK_EVERY: Duration = Duration::from_secs(5);
const LOST: &str = "the lock of the source was lost, so it may have been written to: stop the servers that use the target, \
                    empty it, and move again";
/// How many runs may follow each other under the lock. More than two are only needed where unique values were exchanged.
const RUNS_MAX: u32 = 10;

/// The move.
#[derive(Args)]
#[command(after_help = "\
Copies everything to another database, of the same or of the other kind: users stay signed in, and the master key stays the
same. The target must be empty, or a part of an earlier run of this command, which is continued.

Without --follow, all servers must be stopped. With --follow, the servers go on while the rows are copied. When the
target is up to date, the command prints this and waits for the Enter key (or for the end of its input). It then blocks
writes to the source, copies the rest, compares the number and the checksum of the rows of every table, and prints that
the target is complete. Stop the servers, start them with the new database.url, and end this command, which releases
the source. Until then, reads go on and writes are answered with 503.

Examples:
  denizen migrate-store --from sqlite://data/denizen.db --to postgres://denizen@db.example.com/denizen
  denizen migrate-store --from sqlite://data/denizen.db --to postgres://denizen@db.example.com/denizen --follow
  denizen migrate-store --from postgres://denizen@localhost/denizen --to sqlite://denizen.db --output json")]
pub(super) struct MigrateStoreArgs {
    /// The URL of the database to copy.
    #[arg(long, value_name = "URL")]
    from: String,
    /// The URL of the database to copy to.
    #[arg(long, value_name = "URL")]
    to: String,
    /// Copies while the servers go on, and stops them from writing at the end only.
    #[arg(long)]
    follow: bool,
}

#[derive(Serialize)]
struct MovedBody {
    runs: u32,
    rows_written: u64,
    /// How long the source could not be written to before the target was complete.
    pause_ms: u64,
    tables: Vec<TableBody>,
}

#[derive(Serialize)]
struct TableBody {
    table: String,
    rows: u64,
    sha256: String,
}

pub(super) async fn run(globals: &Globals, args: &MigrateStoreArgs) -> Result<(), Failure> {
    let config = globals.config()?;
    let from = options(&config, &args.from).context("--from")?;
    let to = options(&config, &args.to).context("--to")?;
    if !globals.quiet {
        writeln!(io::stderr(), "From: {}\nTo: {}", printable(&from.to_string()), printable(&to.to_string()))?;
    }
    if from.to_string() == to.to_string() {
        return Err(anyhow!("--from and --to are the same database").into());
    }
    // For as long as this command runs: no server writes to the target, and without --follow none to the source.
    let _target = to.claim().map_err(anyhow::Error::from)?;
    let others = to.other_connections().await.map_err(anyhow::Error::from)?;
    if others > 0 {
        return Err(anyhow!("{others} other connections to the target are open: stop the servers that use it").into());
    }
    let chain_key = prepare(&config, &from, &to).await?;
    let source_claim = if args.follow {
        None
    } else {
        let claim = from.claim().context("stop the server, or use --follow")?;
        let others = from.other_connections().await.map_err(anyhow::Error::from)?;
        if others > 0 {
            let problem =
                format!("{others} other connections to the source are open: stop all servers, or use --follow");
            return Err(anyhow!(problem).into());
        }
        Some(claim)
    };
    let mut transfer = Transfer { from: &from, to: &to, chain_key, runs: 0, written: 0 };
    if args.follow {
        transfer.follow().await?;
    } else {
        transfer.run(None, LogRows::All).await?;
    }
    let (mut lock, pause, tables) = transfer.complete().await?;
    record(&config, &args.to).await?;
    let printed = print_result(globals.output, &transfer, pause, tables);
    if args.follow {
        hold(lock.as_mut()).await?;
    }
    drop((lock, source_claim));
    printed
}

fn print_result(
    output: Output,
    transfer: &Transfer<'_>,
    pause: Duration,
    tables: Vec<(String, TableDigest)>,
) -> Result<(), Failure> {
    let rows: u64 = tables.iter().map(|(_, digest)| digest.rows).sum();
    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    match output {
        Output::Json => {
            let body = |(table, TableDigest { rows, sha256 })| TableBody { table, rows, sha256 };
            let tables = tables.into_iter().map(body).collect();
            print_json(&MovedBody { runs: transfer.runs, rows_written: transfer.written, pause_ms, tables })
        }
        Output::Text => print(&format!(
            "the target is complete: {rows} rows in {} tables, equal in number and checksum; the source could not be \
             written to for {pause_ms} ms\n",
            tables.len()
        )),
    }
}

/// Keeps the source locked until Ctrl-C.
async fn hold(lock: &mut dyn WriteLock) -> Result<(), Failure> {
    writeln!(
        io::stderr(),
        "The source stays locked. Stop the servers, start them with the new database.url, then press Ctrl-C."
    )?;
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => return Ok(pressed?),
            () = sleep(CHECK_EVERY) => lock.check().await.context(LOST)?,
        }
    }
}

fn options(config: &Config, url: &str) -> anyhow::Result<StoreOptions> {
    let mut config = config.clone();
    url.clone_into(&mut config.database.url);
    crate::app::store_options(&config)
}

/// Records the move in the target. A server that starts there goes on behind it.
async fn record(config: &Config, to: &str) -> anyhow::Result<()> {
    let mut config = config.clone();
    to.clone_into(&mut config.database.url);
    let app = App::open_in(&config, Ambience::default()).await.context("opening the target")?;
    let ctx = Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default());
    let recorded = backups::record_move(&ctx).await;
    ctx.store().seal_events().await?;
    ctx.store().close().await;
    Ok(recorded?)
}

/// Checks both databases, creates the tables of the target, and returns the key of the event log.
async fn prepare(config: &Config, from: &StoreOptions, to: &StoreOptions) -> anyhow::Result<ChainKey> {
    match from.schema().await.context("the source")? {
        Schema::Current => {}
        Schema::Absent | Schema::Empty => bail!("the source {from} has no tables"),
        Schema::Outdated { .. } => bail!("the source {from} has pending migrations: run `denizen migrate` on it first"),
    }
    match to.schema().await.context("the target")? {
        Schema::Absent | Schema::Empty => to.migrate().await.context("creating the tables of the target")?,
        Schema::Current => {}
        Schema::Outdated { .. } => bail!("the target {to} has pending migrations: run `denizen migrate` on it first"),
    }
    let store = from.open().context("opening the source")?;
    let opened = async {
        let key = master_key(&config.security, store.as_ref(), &SystemChance).await?;
        anyhow::Ok(open_root(store.as_ref(), &key, &SystemClock, &SystemChance).await?)
    };
    let vault = opened.await;
    store.close().await;
    let vault = vault?;
    let chain_key = ChainKey::derive(&vault);
    // With the key, events of the target that have no position yet are compared as well.
    let (mut source, mut target) = (from.row_reader(Some(&chain_key)).await?, to.row_reader(Some(&chain_key)).await?);
    if !is_empty_or_part(source.as_mut(), target.as_mut()).await? {
        bail!(
            "the target {to} is neither empty nor a part of the source: nothing is overwritten. Use an empty \
             database, or start the servers with it if the move was complete"
        );
    }
    Ok(chain_key)
}

/// Whether a database has nothing, or nothing but what an earlier run copied. A database that a server has used since has
/// events of its own.
async fn is_empty_or_part(source: &mut dyn RowReader, target: &mut dyn RowReader) -> anyhow::Result<bool> {
    let table = |tables: &[Table], name: &str| tables.iter().find(|table| table.name == name).cloned();
    let Some(log) = target.tables().iter().find(|table| table.content == Content::Log).cloned() else {
        return Ok(false);
    };
    if let Some(last) = target.last_key(&log).await? {
        let [Cell::Integer(position)] = last.as_slice() else { return Ok(false) };
        let before = [Cell::Integer(position - 1)];
        let (theirs, ours) =
            (target.rows_after(&log, Some(&before), 1).await?, source.rows_after(&log, Some(&before), 1).await?);
        // The rest of the record changes when personal data is erased.
        let hash = |rows: &[Row]| log.column("hash").and_then(|at| rows.first()?.get(at).cloned());
        return Ok(hash(&theirs) == hash(&ours));
    }
    // A log without events may have been purged. The end of the log shows whether it is that of the source.
    let Some(bounds) = table(target.tables(), "event_log") else { return Ok(false) };
    let (theirs, ours) = (target.rows_after(&bounds, None, 1).await?, source.rows_after(&bounds, None, 1).await?);
    let head = bounds.column("head_position").and_then(|at| theirs.first()?.get(at));
    if head != Some(&Cell::Integer(0)) && theirs != ours {
        return Ok(false);
    }
    // The log is copied late: what was copied before it is known by the root key.
    let Some(roots) = table(target.tables(), "root_keys") else { return Ok(false) };
    let copied = target.rows_after(&roots, None, 100).await?;
    let known = source.rows_after(&roots, None, 100).await?;
    if !copied.is_empty() {
        return Ok(copied.iter().all(|root| known.contains(root)));
    }
    let mut is_empty = true;
    for name in ["users", "service_accounts", "providers", "webhooks", "signing_keys"] {
        if let Some(table) = table(target.tables(), name) {
            is_empty &= target.count(&table).await? == 0;
        }
    }
    Ok(is_empty)
}

/// The databases in comparison.
enum Comparison {
    /// The number of rows and the checksum of each table.
    Equal(Vec<(String, TableDigest)>),
    /// The first table that differs.
    Different { content: Content, message: String },
}

/// A move as it goes on.
struct Transfer<'a> {
    from: &'a StoreOptions,
    to: &'a StoreOptions,
    chain_key: ChainKey,
    runs: u32,
    written: u64,
}

impl Transfer<'_> {
    /// Makes the target equal to the source of this moment.
    async fn run(&mut self, chain_key: Option<&ChainKey>, log: LogRows) -> anyhow::Result<Difference> {
        let mut source = self.from.row_reader(chain_key).await?;
        let progress = Progress::of("rows");
        if progress.is_visible() {
            let mut total = 0;
            for table in source.tables().to_vec() {
                total += source.count(&table).await?;
            }
            progress.set_total(total);
        }
        let on_progress = |rows| progress.advance_to(rows, String::new());
        let difference = replicate(source.as_mut(), self.to, log, &on_progress).await?;
        self.runs += 1;
        self.written += difference.put + difference.deleted;
        Ok(difference)
    }

    /// Repeats until the target is up to date and the switch is requested.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut is_announced = false;
        loop {
            let begun = now();
            let log = if self.runs == 0 { LogRows::All } else { LogRows::New };
            let difference = self.run(None, log).await?;
            let changes = difference.put + difference.deleted + difference.conflicts;
            let elapsed = begun.elapsed();
            // The first run copies; the next ones find what changed meanwhile.
            if self.runs > 1 && !is_announced {
                is_announced = true;
                writeln!(
                    io::stderr(),
                    "The target is up to date: {changes} rows changed during the last run, which took {elapsed:.1?}. Press \
                     Enter to stop writes to the source and complete the target."
                )?;
            }
            if is_announced && let Ok(line) = timeout(PAUSE, lines.next_line()).await {
                line?;
                return Ok(());
            }
        }
    }

    /// Locks the source, copies the rest and compares everything.
    async fn complete(&mut self) -> anyhow::Result<Completed> {
        let begun = now();
        let mut lock = self.from.lock_writes().await.context("locking the source")?;
        let key = self.chain_key.clone();
        let mut log = LogRows::New;
        for _ in 0..RUNS_MAX {
            if !self.run(Some(&key), log).await?.is_none() {
                continue;
            }
            match self.compare().await? {
                Comparison::Equal(tables) => {
                    lock.check().await.context(LOST)?;
                    return Ok((lock, begun.elapsed(), tables));
                }
                // Personal data was erased from records that had been copied.
                Comparison::Different { content: Content::Log, .. } if log == LogRows::New => log = LogRows::All,
                Comparison::Different { message, .. } => bail!(message),
            }
        }
        bail!("the databases still differ after {RUNS_MAX} runs: please report this")
    }

    async fn compare(&self) -> anyhow::Result<Comparison> {
        let mut source = self.from.row_reader(Some(&self.chain_key)).await?;
        let mut target = self.to.row_reader(None).await?;
        let mut tables = Vec::new();
        for table in source.tables().to_vec() {
            let (ours, theirs) = tokio::join!(digest(source.as_mut(), &table), digest(target.as_mut(), &table));
            let (ours, theirs) = (ours?, theirs?);
            if ours != theirs {
                let (name, ours, theirs) = (table.name, ours.rows, theirs.rows);
                let message = format!("table {name} differs: {ours} rows in the source, {theirs} in the target");
                return Ok(Comparison::Different { content: table.content, message });
            }
            tables.push((table.name, ours));
        }
        Ok(Comparison::Equal(tables))
    }
}

type Completed = (Box<dyn WriteLock>, Duration, Vec<(String, TableDigest)>);

#[expect(clippy::disallowed_methods, reason = "measures how long the command takes")]
fn now() -> Instant {
    Instant::now()
}
