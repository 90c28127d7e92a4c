//! `denizen users list`.

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{self, EmailAddress, Status, User, UserFilter, search_key};

use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::paging::{PageArgs, print_page};
use crate::cli::wanted::{parse_email, parse_moment, parse_role, parse_status};
use crate::http::body::UserBody;
use crate::http::page::List;

/// The longest prefix to search for, in characters; the same as in the REST API.
const PREFIX_CHARS_MAX: usize = 200;

/// Filters and pagination.
#[derive(Args)]
#[command(after_help = "\
If more users follow, the last line on standard error contains the option to continue.

Examples:
  denizen users list --role admin --status active
  denizen users list --q ada --limit 5 --output json
  denizen users list --created-after 2026-01-01T00:00:00Z --count")]
pub(crate) struct ListArgs {
    /// Only the user with this email address.
    #[arg(long, value_parser = parse_email)]
    email: Option<EmailAddress>,
    /// Only users whose email address or name starts with this text, case-insensitively.
    #[arg(long = "q", value_name = "PREFIX", value_parser = parse_prefix)]
    prefix: Option<String>,
    /// Only users with this role.
    #[arg(long, value_parser = parse_role)]
    role: Option<RoleName>,
    /// Only users with this status: active, disabled or invited.
    #[arg(long, value_parser = parse_status)]
    status: Option<Status>,
    /// Only users created after this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    created_after: Option<Timestamp>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn list(ctx: &Ctx, args: ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::Users)?;
    let ListArgs { email, prefix, role, status, created_after, page: _ } = args;
    let filter = UserFilter { email, prefix, role, status, created_after };
    let listed = users::list(ctx, &filter, page, total).await?;
    print_page(ctx, List::Users, listed, output, UserBody::from, users_table)
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
