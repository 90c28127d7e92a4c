//! `denizen users list`.

use std::io::Write;

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::page::{Page, Position};
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{self, EmailAddress, Status, Total, User, UserFilter, search_key};

use super::wanted::{parse_email, parse_moment, parse_role, parse_status};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, print, print_json, table};
use crate::http::body::UserBody;
use crate::http::page::{self, List};

/// The longest prefix to search for, in characters; the same as over REST.
const PREFIX_CHARS_MAX: usize = 200;

/// Which accounts to list.
#[derive(Args)]
#[command(after_help = "\
When more accounts follow, the last line on standard error says how to go on.

Examples:
  denizen users list --role admin --status active
  denizen users list --q ada --limit 5 --output json
  denizen users list --created-after 2026-01-01T00:00:00Z --count")]
pub(crate) struct ListArgs {
    /// Only the account with this address.
    #[arg(long, value_parser = parse_email)]
    email: Option<EmailAddress>,
    /// Only accounts whose address or name begins with this, in any case.
    #[arg(long = "q", value_name = "PREFIX", value_parser = parse_prefix)]
    prefix: Option<String>,
    /// Only accounts with this role.
    #[arg(long, value_parser = parse_role)]
    role: Option<RoleName>,
    /// Only accounts with this status: active, disabled or invited.
    #[arg(long, value_parser = parse_status)]
    status: Option<Status>,
    /// Only accounts created after this moment (RFC 3339).
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    created_after: Option<Timestamp>,
    /// How many at most: 1 to 200, by default 20.
    #[arg(long)]
    limit: Option<u32>,
    /// How many to skip.
    #[arg(long, conflicts_with = "after")]
    offset: Option<u32>,
    /// Goes on from where an earlier list ended.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Says on standard error how many accounts there are in all.
    #[arg(long)]
    count: bool,
}

pub(super) async fn list(ctx: &Ctx, args: ListArgs, output: Output) -> Result<(), Failure> {
    let page = page(ctx, &args)?;
    let total = if args.count { Total::Count } else { Total::Skip };
    let ListArgs { email, prefix, role, status, created_after, .. } = args;
    let filter = UserFilter { email, prefix, role, status, created_after };
    let listed = users::list(ctx, &filter, page, total).await?;
    match output {
        Output::Json => print_json(&listed.items.into_iter().map(UserBody::from).collect::<Vec<_>>())?,
        Output::Text => print(&users_table(&listed.items))?,
    }
    let mut stderr = std::io::stderr();
    if let Some(total) = listed.total {
        writeln!(stderr, "in all: {total}")?;
    }
    if let Some(position) = listed.next {
        writeln!(stderr, "more: --after {}", page::seal(ctx.services().vault.as_ref(), List::Users, position))?;
    }
    Ok(())
}

fn page(ctx: &Ctx, args: &ListArgs) -> Result<Page, Failure> {
    let usage = |field: FieldError| Failure::Usage(format!("--{} {}", field.field, field.message));
    let after = args.after.as_deref().map(|cursor| open(ctx, cursor)).transpose().map_err(usage)?;
    Page::new(args.limit, args.offset, after).map_err(usage)
}

fn open(ctx: &Ctx, cursor: &str) -> Result<Position, FieldError> {
    let position = page::open(ctx.services().vault.as_ref(), List::Users, cursor);
    position.ok_or_else(|| FieldError::new("after", "invalid_cursor", "must be a cursor of this list"))
}

fn users_table(users: &[User]) -> String {
    let head = ["ID", "EMAIL", "NAME", "ROLE", "STATUS", "CREATED"].map(str::to_owned);
    let row = |user: &User| {
        [
            user.id.to_string(),
            user.email.to_string(),
            user.name.to_string(),
            user.role.to_string(),
            user.status.as_str().to_owned(),
            user.created_at.to_string(),
        ]
    };
    table(std::iter::once(head).chain(users.iter().map(row)))
}

fn parse_prefix(raw: &str) -> Result<String, &'static str> {
    let is_bounded = (1..=PREFIX_CHARS_MAX).contains(&raw.chars().count());
    is_bounded.then(|| search_key(raw)).ok_or("must be 1 to 200 characters long")
}
