//! `denizen service-accounts`: service accounts.

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::{self, NewServiceAccount, ServiceAccount, ServiceAccountChange};
use denizen_domain::users::{DisplayName, Status};

use super::Globals;
use super::confirm::confirm;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json, record, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{parse_description, parse_name, parse_role, parse_service_account};
use crate::http::page::List;
use crate::http::service_accounts::ServiceAccountBody;

/// Subcommands of `service-accounts`.
#[derive(Subcommand)]
#[command(after_help = "\
A service account cannot authenticate until it has an API key. Changes take effect for its keys and access tokens
within a second.

Examples:
  denizen service-accounts create --name \"Billing\" --role support
  denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci --scope users:read
  denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --status disabled")]
pub(super) enum ServiceAccountsCommand {
    /// Lists service accounts, newest first.
    List(ListArgs),
    /// Prints a service account.
    Get(GetArgs),
    /// Creates a service account.
    Create(CreateArgs),
    /// Updates a service account.
    Set(SetArgs),
    /// Permanently deletes a service account and its keys.
    Delete(DeleteArgs),
}

/// Pagination.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen service-accounts list
  denizen service-accounts list --limit 100 --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
}

/// Identifies a service account.
#[derive(Args)]
struct WantedAccount {
    /// The id of the service account.
    #[arg(value_name = "ID", value_parser = parse_service_account)]
    id: ServiceAccountId,
}

/// The service account to print.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen service-accounts get 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")]
pub(super) struct GetArgs {
    #[command(flatten)]
    wanted: WantedAccount,
}

/// The service account to create.
#[derive(Args)]
#[command(after_help = "\
With text output, only the id is printed to standard output.

Examples:
  denizen service-accounts create --name Billing --role support --description \"Nightly invoices\"
  ID=$(denizen service-accounts create --name Billing --role support)")]
pub(super) struct CreateArgs {
    /// Display name.
    #[arg(long, value_parser = parse_name)]
    name: DisplayName,
    /// The name of the role.
    #[arg(long, value_parser = parse_role)]
    role: RoleName,
    /// Description.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
}

/// The update; options that are omitted leave the value unchanged.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --status disabled
  denizen service-accounts set 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --role user --name \"Billing, old\"")]
pub(super) struct SetArgs {
    #[command(flatten)]
    wanted: WantedAccount,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// The new display name.
    #[arg(long, value_parser = parse_name)]
    name: Option<DisplayName>,
    /// The name of the new role.
    #[arg(long, value_parser = parse_role)]
    role: Option<RoleName>,
    /// The description; an empty value removes it.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
    /// The status: active or disabled.
    #[arg(long, value_parser = parse_status)]
    status: Option<Status>,
}

/// The service account to delete.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen service-accounts delete 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --yes")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    wanted: WantedAccount,
    /// Skips the confirmation; required without a terminal.
    #[arg(long)]
    yes: bool,
}

impl ServiceAccountsCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List(_) | Self::Get(_) => Access::Read,
            Self::Create(_) => Access::Create,
            Self::Set(_) | Self::Delete(_) => Access::Change,
        }
    }
}

pub(super) async fn run(globals: &Globals, command: ServiceAccountsCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    if let ServiceAccountsCommand::Delete(args) = &command {
        confirm(args.yes, "deleting a service account and its keys cannot be undone")?;
    }
    let ctx = operator::open(globals, &config, command.access()).await?;
    let output = globals.output;
    let outcome = match command {
        ServiceAccountsCommand::List(args) => list(&ctx, &args, output).await,
        ServiceAccountsCommand::Get(args) => get(&ctx, args.wanted.id, output).await,
        ServiceAccountsCommand::Create(args) => create(&ctx, args, output).await,
        ServiceAccountsCommand::Set(args) => set(&ctx, args, output).await,
        ServiceAccountsCommand::Delete(args) => delete(&ctx, args.wanted.id).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::ServiceAccounts)?;
    let listed = service_accounts::list(ctx, page, total).await?;
    print_page(ctx, List::ServiceAccounts, listed, output, ServiceAccountBody::from, accounts_table)
}

async fn get(ctx: &Ctx, id: ServiceAccountId, output: Output) -> Result<(), Failure> {
    print_account(service_accounts::get(ctx, id).await?, output)
}

async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let CreateArgs { name, role, description } = args;
    let description = description.unwrap_or_default();
    let new = NewServiceAccount { name, description, role, status: Status::Active };
    let account = service_accounts::create(ctx, new).await?;
    match output {
        Output::Json => print_account(account, output),
        Output::Text => print(&format!("{}\n", account.id)),
    }
}

async fn set(ctx: &Ctx, args: SetArgs, output: Output) -> Result<(), Failure> {
    let ChangeArgs { name, role, description, status } = args.change;
    let change = ServiceAccountChange { name, description, role, status };
    print_account(service_accounts::update(ctx, args.wanted.id, change, None).await?, output)
}

async fn delete(ctx: &Ctx, id: ServiceAccountId) -> Result<(), Failure> {
    service_accounts::delete(ctx, id, None).await?;
    print(&format!("deleted {id} and its keys\n"))
}

fn print_account(account: ServiceAccount, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&ServiceAccountBody::from(account));
    }
    print(&record([
        ("id", account.id.to_string()),
        ("name", account.name.to_string()),
        ("description", account.description.as_str().to_owned()),
        ("role", account.role.to_string()),
        ("status", account.status.as_str().to_owned()),
        ("created", account.created_at.to_string()),
        ("updated", account.updated_at.to_string()),
    ]))
}

fn accounts_table(accounts: &[ServiceAccount]) -> String {
    let head = ["ID", "NAME", "ROLE", "STATUS", "CREATED"].map(str::to_owned);
    let row = |account: &ServiceAccount| {
        [
            account.id.to_string(),
            account.name.to_string(),
            account.role.to_string(),
            account.status.as_str().to_owned(),
            account.created_at.to_string(),
        ]
    };
    table(std::iter::once(head).chain(accounts.iter().map(row)))
}

/// The status; service accounts cannot be `invited`.
fn parse_status(raw: &str) -> Result<Status, &'static str> {
    Status::parse(raw).filter(|status| *status != Status::Invited).ok_or("must be active or disabled")
}
