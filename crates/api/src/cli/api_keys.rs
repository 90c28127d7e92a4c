//! `denizen api-keys`: API keys.

use std::io::Write;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::access::{Permission, Permissions, Subject};
use denizen_domain::api_keys::{self, ApiKey, IssuedKey, KeyFilter, NewApiKey, OVERLAP_DEFAULT_S, OVERLAP_MAX_S};
use denizen_domain::error::Error;
use denizen_domain::id::{ApiKeyId, ServiceAccountId};
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use secrecy::ExposeSecret;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, moment_or, print, print_json, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{UserRef, parse_moment, parse_name, parse_permission, parse_service_account, parse_user};
use crate::http::api_keys::{ApiKeyBody, IssuedKeyBody};
use crate::http::page::List;

const DAY_S: u32 = 24 * 60 * 60;

/// Subcommands of `api-keys`.
#[derive(Subcommand)]
#[command(after_help = "\
The secret of a key is printed only once, when the key is created. Users create their own keys through the API; this
command lists and revokes them. Changes take effect on a running server within a second.

Examples:
  KEY=$(denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci --scope users:read)
  denizen api-keys list --user ada@example.com
  denizen api-keys revoke 019365a8-9f00-7d3e-9d0c-7b1f0a1c2d3e")]
pub(super) enum ApiKeysCommand {
    /// Lists API keys, newest first.
    List(ListArgs),
    /// Creates a key for a service account.
    Create(CreateArgs),
    /// Rotates the secret of a service account's key.
    Rotate(RotateArgs),
    /// Deletes a key; the key and every access token issued for it stop working immediately.
    Revoke(RevokeArgs),
}

/// Owner filter. Default: the keys of all owners.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen api-keys list --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e
  denizen api-keys list --user ada@example.com --output json
  denizen api-keys list --count")]
pub(super) struct ListArgs {
    /// Lists only keys of this service account.
    #[arg(long, value_name = "ID", value_parser = parse_service_account, conflicts_with = "user")]
    service_account: Option<ServiceAccountId>,
    /// Lists only keys of this user.
    #[arg(long, value_name = "ID|EMAIL", value_parser = parse_user)]
    user: Option<UserRef>,
    #[command(flatten)]
    page: PageArgs,
}

/// The key to create.
#[derive(Args)]
#[command(after_help = "\
With text output, only the key is printed to standard output. It cannot be shown again.

Examples:
  KEY=$(denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci --scope users:read)
  denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci \\
    --scope users:read --scope roles:read --expires-in-days 90 --output json
  denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name gateway --no-scopes")]
pub(super) struct CreateArgs {
    /// The service account that will own the key.
    #[arg(long, value_name = "ID", value_parser = parse_service_account)]
    service_account: ServiceAccountId,
    /// Display name.
    #[arg(long, value_parser = parse_name)]
    name: DisplayName,
    /// A permission that the key carries; the role of the service account must hold it. Can be repeated.
    #[arg(
        long = "scope", value_name = "PERMISSION", value_parser = parse_permission, num_args = 1..,
        value_delimiter = ',', conflicts_with = "no_scopes", required_unless_present = "no_scopes",
    )]
    scopes: Vec<Permission>,
    /// Creates a key without scopes. It can only introspect tokens, like every service account.
    #[arg(long)]
    no_scopes: bool,
    /// Expiry time (RFC 3339). Default: the key does not expire.
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "expires_in_days")]
    expires_at: Option<Timestamp>,
    /// Expiry time, in days from now: 1 to 3650.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_in_days: Option<u32>,
}

/// Identifies a key.
#[derive(Args)]
struct WantedKey {
    /// The id of the key.
    #[arg(value_name = "ID")]
    id: String,
}

/// The key to rotate.
#[derive(Args)]
#[command(after_help = "\
With text output, only the new key is printed to standard output. It cannot be shown again. The previous key remains
valid for one day, or as long as --overlap-s specifies.

Examples:
  KEY=$(denizen api-keys rotate 019365a8-9f00-7d3e-9d0c-7b1f0a1c2d3e)
  denizen api-keys rotate 019365a8-9f00-7d3e-9d0c-7b1f0a1c2d3e --overlap-s 0")]
pub(super) struct RotateArgs {
    #[command(flatten)]
    wanted: WantedKey,
    /// How long the previous secret remains valid, in seconds: 0 to 2592000.
    #[arg(
        long, value_name = "SECONDS", default_value_t = OVERLAP_DEFAULT_S,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(OVERLAP_MAX_S)),
    )]
    overlap_s: u32,
}

/// The key to revoke.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen api-keys revoke 019365a8-9f00-7d3e-9d0c-7b1f0a1c2d3e")]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    wanted: WantedKey,
}

impl WantedKey {
    /// Not parsed by clap, whose error message would contain the key itself if the key was passed by mistake.
    fn id(&self) -> Result<ApiKeyId, Failure> {
        let refusal = || Failure::Usage("<ID> must be the id of an API key, not the key itself".to_owned());
        ApiKeyId::parse(&self.id).ok_or_else(refusal)
    }
}

impl ApiKeysCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List(_) => Access::Read,
            Self::Create(_) | Self::Rotate(_) | Self::Revoke(_) => Access::Change,
        }
    }

    /// Checks that need only the arguments.
    fn check(&self) -> Result<(), Failure> {
        match self {
            Self::List(_) | Self::Create(_) => Ok(()),
            Self::Rotate(args) => args.wanted.id().map(drop),
            Self::Revoke(args) => args.wanted.id().map(drop),
        }
    }
}

pub(super) async fn run(globals: &Globals, command: ApiKeysCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    command.check()?;
    let ctx = operator::open(globals, &config, command.access()).await?;
    let output = globals.output;
    let outcome = match command {
        ApiKeysCommand::List(args) => list(&ctx, &args, output).await,
        ApiKeysCommand::Create(args) => create(&ctx, args, output).await,
        ApiKeysCommand::Rotate(args) => rotate(&ctx, &args, output).await,
        ApiKeysCommand::Revoke(args) => revoke(&ctx, &args).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::ApiKeys)?;
    let filter = match (&args.user, args.service_account) {
        (Some(user), _) => KeyFilter::Owner(Subject::User(user.find(ctx).await?.id)),
        (None, Some(account)) => KeyFilter::Owner(Subject::ServiceAccount(account)),
        (None, None) => KeyFilter::All,
    };
    let listed = api_keys::list(ctx, filter, page, total).await?;
    print_page(ctx, List::ApiKeys, listed, output, ApiKeyBody::from, keys_table)
}

async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let CreateArgs { service_account, name, scopes, no_scopes: _, expires_at, expires_in_days } = args;
    let expires_at = expires_at.or_else(|| expires_in_days.map(|days| ctx.now().plus_seconds(days * DAY_S)));
    let scopes = Permissions::of(&scopes);
    let new = NewApiKey { name, scopes, expires_at, service_account: Some(service_account) };
    let issued = api_keys::create(ctx, new).await?;
    let about = format!("expires: {}", moment_or(issued.key.expires_at, "never"));
    print_issued(issued, output, &about)
}

async fn rotate(ctx: &Ctx, args: &RotateArgs, output: Output) -> Result<(), Failure> {
    let refused = |error: Error| match error {
        Error::Forbidden => {
            anyhow!("this key belongs to a user, and only that user can see a new secret; revoke the key instead")
                .into()
        }
        other => Failure::from(other),
    };
    let issued = api_keys::rotate(ctx, args.wanted.id()?, args.overlap_s, None).await.map_err(refused)?;
    let until = issued.key.rotated_at.map(|at| at.plus_seconds(args.overlap_s));
    let about = format!("the previous key remains valid until {}", moment_or(until, "now"));
    print_issued(issued, output, &about)
}

async fn revoke(ctx: &Ctx, args: &RevokeArgs) -> Result<(), Failure> {
    let id = args.wanted.id()?;
    api_keys::revoke(ctx, id, None).await?;
    print(&format!("revoked {id}\n"))
}

/// Prints the key on its own line, so that a shell can assign it to a variable.
fn print_issued(issued: IssuedKey, output: Output, about: &str) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&IssuedKeyBody::of(issued));
    }
    let IssuedKey { key, secret } = issued;
    let said = format!("this is the key {} ({}); it cannot be shown again; {about}", key.id, key.name);
    print(&format!("{}\n", secret.expose_secret()))?;
    writeln!(std::io::stderr(), "{said}")?;
    Ok(())
}

fn keys_table(keys: &[ApiKey]) -> String {
    let head = ["ID", "NAME", "OWNER", "SCOPES", "CREATED", "EXPIRES", "LAST USED"].map(str::to_owned);
    let row = |key: &ApiKey| {
        let owner = match key.owner {
            Subject::User(id) => format!("user {id}"),
            Subject::ServiceAccount(id) => format!("service account {id}"),
        };
        [
            key.id.to_string(),
            key.name.to_string(),
            owner,
            if key.scopes == Permissions::NONE { "none".to_owned() } else { key.scopes.to_string() },
            key.created_at.to_string(),
            moment_or(key.expires_at, "never"),
            moment_or(key.last_used_at, "never"),
        ]
    };
    table(std::iter::once(head).chain(keys.iter().map(row)))
}
