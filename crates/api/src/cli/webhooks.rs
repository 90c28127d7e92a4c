//! `denizen webhooks`: who is told what happens, and what became of it.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::id::WebhookId;
use denizen_domain::roles::Description;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::{
    self, Attempt, Creator, Delivery, DeliveryState, EventTypes, NewWebhook, Ping, Range, Webhook, WebhookUrl,
};
use secrecy::ExposeSecret;

use super::confirm::confirm;
use super::failure::Failure;
use super::output::{Output, moment_or, print, print_json, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{parse_description, parse_moment};
use super::{Globals, operator};
use crate::http::page::List;
use crate::http::webhooks::{DeliveryBody, IssuedWebhookBody, TestedBody, WebhookBody, ping_body};

/// What to do with webhooks.
#[derive(Subcommand)]
#[command(after_help = "\
The secret that requests are signed with is shown once, when a webhook is made.

Examples:
  denizen webhooks create --url https://crm.example.com/hooks/denizen --type 'user.*' --type session.ended
  denizen webhooks test 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e
  denizen webhooks deliveries 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --state parked")]
pub(super) enum WebhooksCommand {
    /// Lists webhooks, newest first.
    List(ListArgs),
    /// Creates a webhook.
    Create(CreateArgs),
    /// Deletes a webhook, and what was delivered to it, for good.
    Delete(DeleteArgs),
    /// Sends a test request at once and says what came of it.
    Test(TestArgs),
    /// Lists deliveries to a webhook, newest first.
    Deliveries(DeliveriesArgs),
    /// Puts parked deliveries of a range back, for a running server to make.
    Replay(ReplayArgs),
}

/// Which webhooks to list.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks list --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
}

/// A new webhook.
#[derive(Args)]
#[command(after_help = "\
With text output its id and its secret, and nothing else, go to standard output, a line each. The secret cannot be
shown again.

Example:
  denizen webhooks create --url https://crm.example.com/hooks/denizen --type 'user.*' --description CRM")]
pub(super) struct CreateArgs {
    /// Where requests are sent: an https address.
    #[arg(long, value_name = "URL")]
    url: String,
    /// What it is told of: a type of event, or the beginning of some with *; may be repeated. Everything, when nothing
    /// is said.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Description.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
}

/// Which webhook is meant.
#[derive(Args)]
struct WantedWebhook {
    /// The id of the webhook.
    #[arg(value_name = "ID", value_parser = parse_webhook)]
    id: WebhookId,
}

/// A webhook to delete.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks delete 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --yes")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Does not ask; needed where there is no terminal.
    #[arg(long)]
    yes: bool,
}

/// A webhook to try.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks test 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")]
pub(super) struct TestArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
}

/// Which deliveries to list.
#[derive(Args)]
#[command(after_help = "\
Example:
  denizen webhooks deliveries 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --state parked --output json")]
pub(super) struct DeliveriesArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Only those that are pending, delivered or parked.
    #[arg(long, value_parser = parse_state)]
    state: Option<DeliveryState>,
    #[command(flatten)]
    page: PageArgs,
}

/// Which deliveries to put back.
#[derive(Args)]
#[command(after_help = "\
Example:
  denizen webhooks replay 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --from 2026-11-22T12:00:00Z")]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Those made at this moment (RFC 3339) or later.
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    from: Option<Timestamp>,
    /// Those made before this moment.
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    to: Option<Timestamp>,
    /// Delivered ones in place of parked ones.
    #[arg(long)]
    delivered: bool,
}

pub(super) async fn run(globals: &Globals, command: WebhooksCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    if let WebhooksCommand::Delete(args) = &command {
        confirm(args.yes, "deleting a webhook and its deliveries cannot be undone")?;
    }
    let ctx = operator::open(&config).await?;
    let output = globals.output;
    let outcome = match command {
        WebhooksCommand::List(args) => list(&ctx, &args, output).await,
        WebhooksCommand::Create(args) => create(&ctx, args, output).await,
        WebhooksCommand::Delete(args) => delete(&ctx, args.wanted.id).await,
        WebhooksCommand::Test(args) => test(&ctx, args.wanted.id, output).await,
        WebhooksCommand::Deliveries(args) => deliveries(&ctx, &args, output).await,
        WebhooksCommand::Replay(args) => replay(&ctx, &args, output).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::Webhooks)?;
    let listed = webhooks::list(ctx, page, total).await?;
    print_page(ctx, List::Webhooks, listed, output, WebhookBody::from, webhooks_table)
}

async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let usage = |name: &str, message: &str| Failure::Usage(format!("--{name} {message}"));
    let url = WebhookUrl::parse(&args.url).map_err(|broken| usage("url", &broken.message))?;
    let types = EventTypes::parse(&args.types).map_err(|broken| usage("type", &broken.message))?;
    let new = NewWebhook { url, types, description: args.description.unwrap_or_default() };
    let issued = webhooks::create(ctx, new).await?;
    match output {
        Output::Json => print_json(&IssuedWebhookBody::of(issued)),
        Output::Text => print(&format!("{}\n{}\n", issued.webhook.id, issued.secret.expose_secret())),
    }
}

async fn delete(ctx: &Ctx, id: WebhookId) -> Result<(), Failure> {
    webhooks::delete(ctx, id, None).await?;
    print(&format!("{id} is deleted, and its deliveries with it\n"))
}

async fn test(ctx: &Ctx, id: WebhookId, output: Output) -> Result<(), Failure> {
    let (ping, attempt) = webhooks::test(ctx, id, |ping| ping_body(ctx, ping)).await?;
    match (output, attempt.is_success()) {
        (Output::Json, _) => print_json(&TestedBody::of(ping, attempt)),
        (Output::Text, true) => print(&said(&ping, &attempt)),
        (Output::Text, false) => Err(anyhow!("{}", said(&ping, &attempt).trim_end()).into()),
    }
}

fn said(ping: &Ping, attempt: &Attempt) -> String {
    let what = match (attempt.status, &attempt.error) {
        (Some(status), _) => format!("was answered {status}"),
        (None, Some(error)) => format!("was not answered: {error}"),
        (None, None) => "was sent".to_owned(),
    };
    format!("{} {what} after {} ms\n", ping.id, attempt.latency_ms)
}

async fn deliveries(ctx: &Ctx, args: &DeliveriesArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::Deliveries)?;
    let listed = webhooks::list_deliveries(ctx, args.wanted.id, args.state, page, total).await?;
    print_page(ctx, List::Deliveries, listed, output, DeliveryBody::from, deliveries_table)
}

async fn replay(ctx: &Ctx, args: &ReplayArgs, output: Output) -> Result<(), Failure> {
    let state = if args.delivered { DeliveryState::Delivered } else { DeliveryState::Parked };
    let count = webhooks::replay(ctx, args.wanted.id, Range { state, from: args.from, to: args.to }).await?;
    match output {
        Output::Json => print_json(&serde_json::json!({ "count": count })),
        Output::Text => print(&format!("pending again: {count}\n")),
    }
}

fn webhooks_table(webhooks: &[Webhook]) -> String {
    let head = ["ID", "URL", "TYPES", "STATUS", "FAILURES", "CREATED", "CREATED BY"].map(str::to_owned);
    let row = |webhook: &Webhook| {
        let types = webhook.types.to_stored();
        [
            webhook.id.to_string(),
            webhook.url.as_str().to_owned(),
            if types.is_empty() { "*".to_owned() } else { types },
            match webhook.disabled_reason {
                Some(reason) => format!("{} ({})", webhook.status.as_str(), reason.as_str()),
                None => webhook.status.as_str().to_owned(),
            },
            webhook.health.failures.to_string(),
            webhook.created_at.to_string(),
            match webhook.created_by {
                Some(Creator::Account(subject)) => subject.to_string(),
                Some(Creator::Operator) => "operator".to_owned(),
                None => "-".to_owned(),
            },
        ]
    };
    table(std::iter::once(head).chain(webhooks.iter().map(row)))
}

fn deliveries_table(deliveries: &[Delivery]) -> String {
    let head = ["ID", "TYPE", "STATE", "ATTEMPTS", "LAST", "LAST ATTEMPT", "CREATED"].map(str::to_owned);
    let row = |delivery: &Delivery| {
        let last = delivery.last.as_ref();
        let status = last.and_then(|last| last.status).map(|status| status.to_string());
        let error = last.and_then(|last| last.error.clone());
        [
            delivery.id.to_string(),
            delivery.kind.clone(),
            delivery.state.as_str().to_owned(),
            delivery.attempts.to_string(),
            status.or(error).unwrap_or_else(|| "-".to_owned()),
            moment_or(last.map(|last| last.at), "never"),
            delivery.created_at.to_string(),
        ]
    };
    table(std::iter::once(head).chain(deliveries.iter().map(row)))
}

fn parse_webhook(raw: &str) -> Result<WebhookId, &'static str> {
    WebhookId::parse(raw).ok_or("must be the id of a webhook")
}

fn parse_state(raw: &str) -> Result<DeliveryState, &'static str> {
    DeliveryState::parse(raw).ok_or("must be pending, delivered or parked")
}
