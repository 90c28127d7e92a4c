//! `denizen webhooks`: webhooks and deliveries.

use anyhow::anyhow;
use clap::{Args, Subcommand, value_parser};
use denizen_domain::Ctx;
use denizen_domain::id::WebhookId;
use denizen_domain::roles::Description;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::{
    self, Attempt, Creator, Delivery, DeliveryState, EventTypes, IssuedWebhook, NewWebhook, OVERLAP_DEFAULT_S,
    OVERLAP_MAX_S, Ping, Range, Webhook, WebhookChange, WebhookStatus, WebhookUrl,
};
use secrecy::ExposeSecret;

use super::Globals;
use super::confirm::confirm;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, moment_or, print, print_json, record, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{parse_description, parse_moment};
use crate::http::page::List;
use crate::http::webhooks::{DeliveryBody, IssuedWebhookBody, TestedBody, WebhookBody, ping_body};

/// Subcommands of `webhooks`.
#[derive(Subcommand)]
#[command(after_help = "\
The signing secret is printed only once, when the webhook is created.

Examples:
  denizen webhooks create --url https://crm.example.com/hooks/denizen --type 'user.*' --type session.ended
  denizen webhooks test 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e
  denizen webhooks deliveries 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --state parked")]
pub(super) enum WebhooksCommand {
    /// Lists webhooks, newest first.
    List(ListArgs),
    /// Prints a webhook.
    Get(GetArgs),
    /// Creates a webhook.
    Create(CreateArgs),
    /// Changes, enables or disables a webhook.
    Update(UpdateArgs),
    /// Permanently deletes a webhook and its delivery history.
    Delete(DeleteArgs),
    /// Sends a test request immediately and prints the result.
    Test(TestArgs),
    /// Replaces the signing secret of a webhook, and prints the new one.
    RotateSecret(RotateSecretArgs),
    /// Lists deliveries of a webhook, newest first.
    Deliveries(DeliveriesArgs),
    /// Schedules parked deliveries again; a running server sends them.
    Replay(ReplayArgs),
}

/// Pagination.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks list --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
}

/// The webhook to create.
#[derive(Args)]
#[command(after_help = "\
With text output, only the id and the secret are printed to standard output, one per line. The secret cannot be shown
again.

Example:
  denizen webhooks create --url https://crm.example.com/hooks/denizen --type 'user.*' --description CRM")]
pub(super) struct CreateArgs {
    /// The https URL that receives the events.
    #[arg(long, value_name = "URL")]
    url: String,
    /// An event type to deliver; a trailing * matches a prefix. Can be repeated. Default: all types.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Description.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
}

/// The webhook to print.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks get 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --output json")]
pub(super) struct GetArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
}

/// The webhook to change, and the changes; what is not given stays as it is.
#[derive(Args)]
#[command(after_help = "\
Events that occur while a webhook is disabled are not delivered to it.

Examples:
  denizen webhooks update 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --url https://crm.example.com/hooks/v2
  denizen webhooks update 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --type 'user.*' --type session.ended
  denizen webhooks update 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --status disabled")]
#[group(id = "change", required = true, multiple = true, args = ["url", "types", "all_types", "description", "status"])]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// The https URL that receives the events.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// An event type to deliver; a trailing * matches a prefix. Can be repeated. Replaces all present types.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Delivers all event types.
    #[arg(long, conflicts_with = "types")]
    all_types: bool,
    /// Description.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
    /// active or disabled.
    #[arg(long, value_parser = parse_status)]
    status: Option<WebhookStatus>,
}

/// Identifies a webhook.
#[derive(Args)]
struct WantedWebhook {
    /// The id of the webhook.
    #[arg(value_name = "ID", value_parser = parse_webhook)]
    id: WebhookId,
}

/// The webhook to delete.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks delete 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --yes")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Skips the confirmation; required without a terminal.
    #[arg(long)]
    yes: bool,
}

/// The webhook to test.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen webhooks test 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")]
pub(super) struct TestArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
}

/// The webhook whose secret is replaced.
#[derive(Args)]
#[command(
    after_help = "Example:\n  denizen webhooks rotate-secret 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --overlap-s 3600"
)]
pub(super) struct RotateSecretArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// How long requests are also signed with the previous secret, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = OVERLAP_DEFAULT_S)]
    #[arg(value_parser = value_parser!(u32).range(..=i64::from(OVERLAP_MAX_S)))]
    overlap_s: u32,
}

/// Filter and pagination.
#[derive(Args)]
#[command(after_help = "\
Example:
  denizen webhooks deliveries 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --state parked --output json")]
pub(super) struct DeliveriesArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Only deliveries in this state: pending, delivered or parked.
    #[arg(long, value_parser = parse_state)]
    state: Option<DeliveryState>,
    #[command(flatten)]
    page: PageArgs,
}

/// The deliveries to replay.
#[derive(Args)]
#[command(after_help = "\
Example:
  denizen webhooks replay 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --from 2026-11-22T12:00:00Z")]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    wanted: WantedWebhook,
    /// Lower bound of the creation time, inclusive (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    from: Option<Timestamp>,
    /// Upper bound of the creation time, exclusive (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<Timestamp>,
    /// Replays delivered deliveries instead of parked ones.
    #[arg(long)]
    delivered: bool,
}

impl WebhooksCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List(_) | Self::Get(_) | Self::Deliveries(_) => Access::Read,
            Self::Create(_) => Access::Create,
            Self::Update(_) | Self::Delete(_) | Self::Test(_) | Self::RotateSecret(_) | Self::Replay(_) => {
                Access::Change
            }
        }
    }
}

pub(super) async fn run(globals: &Globals, command: WebhooksCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    if let WebhooksCommand::Delete(args) = &command {
        confirm(args.yes, "deleting a webhook and its deliveries cannot be undone")?;
    }
    let ctx = operator::open(globals, &config, command.access()).await?;
    let output = globals.output;
    let outcome = match command {
        WebhooksCommand::List(args) => list(&ctx, &args, output).await,
        WebhooksCommand::Get(args) => get(&ctx, args.wanted.id, output).await,
        WebhooksCommand::Create(args) => create(&ctx, args, output).await,
        WebhooksCommand::Update(args) => update(&ctx, args, output).await,
        WebhooksCommand::Delete(args) => delete(&ctx, args.wanted.id).await,
        WebhooksCommand::Test(args) => test(&ctx, args.wanted.id, output).await,
        WebhooksCommand::RotateSecret(args) => rotate_secret(&ctx, &args, output).await,
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

async fn get(ctx: &Ctx, id: WebhookId, output: Output) -> Result<(), Failure> {
    print_webhook(webhooks::get(ctx, id).await?, output)
}

async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let (url, types) = (parse_url(&args.url)?, parse_types(&args.types)?);
    let description = args.description.unwrap_or_default();
    let new = NewWebhook { url, types, description, status: WebhookStatus::Active };
    print_issued(webhooks::create(ctx, new).await?, output)
}

fn print_issued(issued: IssuedWebhook, output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => print_json(&IssuedWebhookBody::of(issued)),
        Output::Text => print(&format!("{}\n{}\n", issued.webhook.id, issued.secret.expose_secret())),
    }
}

async fn rotate_secret(ctx: &Ctx, args: &RotateSecretArgs, output: Output) -> Result<(), Failure> {
    print_issued(webhooks::rotate_secret(ctx, args.wanted.id, args.overlap_s, None).await?, output)
}

async fn update(ctx: &Ctx, args: UpdateArgs, output: Output) -> Result<(), Failure> {
    let is_about_types = args.all_types || !args.types.is_empty();
    let change = WebhookChange {
        url: args.url.as_deref().map(parse_url).transpose()?,
        description: args.description,
        types: is_about_types.then(|| parse_types(&args.types)).transpose()?,
        status: args.status,
    };
    print_webhook(webhooks::update(ctx, args.wanted.id, change, None).await?, output)
}

async fn delete(ctx: &Ctx, id: WebhookId) -> Result<(), Failure> {
    webhooks::delete(ctx, id, None).await?;
    print(&format!("deleted {id} and its deliveries\n"))
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
        (Some(status), _) => format!("returned {status}"),
        (None, Some(error)) => format!("failed: {error}"),
        (None, None) => "sent".to_owned(),
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
        Output::Text => print(&format!("scheduled deliveries: {count}\n")),
    }
}

fn print_webhook(webhook: Webhook, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&WebhookBody::from(webhook));
    }
    print(&record([
        ("id", webhook.id.to_string()),
        ("url", webhook.url.as_str().to_owned()),
        ("description", webhook.description.as_str().to_owned()),
        ("types", types_of(&webhook)),
        ("status", status_of(&webhook)),
        ("failures", webhook.health.failures.to_string()),
        ("paused until", moment_or(webhook.health.paused_until, "-")),
        ("created", webhook.created_at.to_string()),
        ("created by", creator_of(&webhook)),
        ("updated", webhook.updated_at.to_string()),
    ]))
}

fn types_of(webhook: &Webhook) -> String {
    let types = webhook.types.to_stored();
    if types.is_empty() { "*".to_owned() } else { types }
}

fn status_of(webhook: &Webhook) -> String {
    match webhook.disabled_reason {
        Some(reason) => format!("{} ({})", webhook.status.as_str(), reason.as_str()),
        None => webhook.status.as_str().to_owned(),
    }
}

fn creator_of(webhook: &Webhook) -> String {
    match webhook.created_by {
        Some(Creator::Account(subject)) => subject.to_string(),
        Some(Creator::Operator) => "operator".to_owned(),
        None => "-".to_owned(),
    }
}

fn webhooks_table(webhooks: &[Webhook]) -> String {
    let head = ["ID", "URL", "TYPES", "STATUS", "FAILURES", "CREATED", "CREATED BY"].map(str::to_owned);
    let row = |webhook: &Webhook| {
        [
            webhook.id.to_string(),
            webhook.url.as_str().to_owned(),
            types_of(webhook),
            status_of(webhook),
            webhook.health.failures.to_string(),
            webhook.created_at.to_string(),
            creator_of(webhook),
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

fn parse_url(raw: &str) -> Result<WebhookUrl, Failure> {
    WebhookUrl::parse(raw).map_err(|broken| Failure::Usage(format!("--url {}", broken.message)))
}

fn parse_types(raw: &[String]) -> Result<EventTypes, Failure> {
    EventTypes::parse(raw).map_err(|broken| Failure::Usage(format!("--type {}", broken.message)))
}

fn parse_status(raw: &str) -> Result<WebhookStatus, &'static str> {
    WebhookStatus::parse(raw).ok_or("must be active or disabled")
}

fn parse_state(raw: &str) -> Result<DeliveryState, &'static str> {
    DeliveryState::parse(raw).ok_or("must be pending, delivered or parked")
}
