//! `denizen events`: the event log.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::error::Error;
use denizen_domain::events::{self, EventFilter, EventPage, EventType};
use denizen_domain::page::PAGE_MAX;
use denizen_domain::store::StoreError;
use tokio::time::sleep;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json, print_json_line, table};
use crate::http::events::body::{EventBody, cursor, position};

/// Poll interval of `follow`.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How long to wait for an unavailable database.
const AWAY_WAIT: Duration = Duration::from_secs(2);

/// Subcommands of `events`.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  denizen events list --types user.deleted,session.*
  denizen events follow --types 'role.*'")]
pub(super) enum EventsCommand {
    /// Lists events, oldest first.
    List(ListArgs),
    /// Prints new events as one JSON document per line, until it is interrupted.
    Follow(FollowArgs),
}

/// Filter and pagination.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen events list --limit 100
  denizen events list --types user.created --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Maximum number of items: 1 to 200.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
}

/// Filter and start of the stream.
#[derive(Args)]
#[command(after_help = "\
Without --after, starts with new events.

Example:
  denizen events follow --types 'session.*' | jq .subject")]
pub(super) struct FollowArgs {
    #[command(flatten)]
    which: WhichArgs,
}

/// Filter and start.
#[derive(Args)]
struct WhichArgs {
    /// Starts after the event with this cursor.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Comma-separated event types. A trailing * matches a prefix: session.*
    #[arg(long, value_name = "TYPES", value_parser = parse_types)]
    types: Option<Types>,
}

/// The selected event types.
#[derive(Clone)]
struct Types(Vec<EventType>);

fn parse_types(raw: &str) -> Result<Types, String> {
    EventFilter::parse_types(raw).map(Types).map_err(|error| error.message)
}

impl WhichArgs {
    fn filter(&self) -> EventFilter {
        EventFilter { kinds: self.types.as_ref().map(|types| types.0.clone()), about: None }
    }

    fn after(&self, ctx: &Ctx) -> Result<Option<i64>, Failure> {
        let read = |raw: &str| position(ctx.services().vault.as_ref(), "--after", raw);
        Ok(self.after.as_deref().map(read).transpose().map_err(Error::from)?)
    }
}

pub(super) async fn run(globals: &Globals, command: EventsCommand) -> Result<(), Failure> {
    let ctx = operator::open(globals, &globals.config()?, Access::Read).await?;
    let outcome = match command {
        EventsCommand::List(args) => list(&ctx, &args, globals.output).await,
        EventsCommand::Follow(args) => follow(&ctx, &args.which).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let vault = ctx.services().vault.as_ref();
    let EventPage { events, read_to, has_more } =
        events::list(ctx, &args.which.filter(), args.which.after(ctx)?, Some(args.limit)).await?;
    let bodies: Vec<EventBody> = events.into_iter().map(|event| EventBody::new(vault, event)).collect();
    match output {
        Output::Json => print_json(&bodies)?,
        Output::Text => print(&events_table(&bodies))?,
    }
    if has_more {
        writeln!(std::io::stderr(), "more: --after {}", cursor(vault, read_to))?;
    }
    Ok(())
}

fn events_table(bodies: &[EventBody]) -> String {
    let head = ["OCCURRED AT", "TYPE", "SUBJECT", "ACTOR", "CURSOR"].map(str::to_owned);
    let row = |body: &EventBody| {
        let subject = body.subject.clone().unwrap_or_else(|| "-".to_owned());
        [body.occurred_at.to_string(), body.kind.clone(), subject, body.actor.to_string(), body.cursor.clone()]
    };
    table(std::iter::once(head).chain(bodies.iter().map(row)))
}

async fn follow(ctx: &Ctx, which: &WhichArgs) -> Result<(), Failure> {
    let filter = which.filter();
    let mut after = match which.after(ctx)? {
        Some(after) => after,
        None => end_of_log(ctx).await?,
    };
    loop {
        match events::list(ctx, &filter, Some(after), Some(PAGE_MAX)).await {
            Ok(page) => {
                after = page.read_to;
                for event in page.events {
                    print_json_line(&EventBody::new(ctx.services().vault.as_ref(), event))?;
                }
                if !page.has_more {
                    sleep(POLL_EVERY).await;
                }
            }
            Err(Error::Store(StoreError::Unavailable(_))) => sleep(AWAY_WAIT).await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn end_of_log(ctx: &Ctx) -> Result<i64, Failure> {
    let bounds = async {
        ctx.store().seal_events().await?;
        ctx.store().read().await?.log_bounds().await
    };
    Ok(bounds.await.map_err(Error::from)?.head)
}
