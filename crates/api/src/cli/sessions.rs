//! `denizen sessions`: sessions.

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::id::SessionId;
use denizen_domain::sessions::{self, Session};

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{Wanted, parse_session};
use crate::http::page::List;
use crate::http::sessions::{EndedBody, SessionBody};

/// Subcommands of `sessions`.
#[derive(Subcommand)]
#[command(after_help = "\
Changes take effect on a running server within a second.

Examples:
  denizen sessions list ada@example.com
  denizen sessions revoke-all ada@example.com")]
pub(super) enum SessionsCommand {
    /// Lists the active sessions of a user, newest first.
    List(ListArgs),
    /// Ends a session.
    Revoke(RevokeArgs),
    /// Ends all sessions of a user.
    RevokeAll(RevokeAllArgs),
}

/// The user whose sessions to list.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen sessions list ada@example.com
  denizen sessions list ada@example.com --limit 100 --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    page: PageArgs,
}

/// The session to end.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen sessions revoke 019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
pub(super) struct RevokeArgs {
    /// The id of the session (claim `sid` of its tokens).
    #[arg(value_name = "ID", value_parser = parse_session)]
    id: SessionId,
}

/// The user whose sessions to end.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen sessions revoke-all ada@example.com")]
pub(super) struct RevokeAllArgs {
    #[command(flatten)]
    wanted: Wanted,
}

impl SessionsCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List(_) => Access::Read,
            Self::Revoke(_) | Self::RevokeAll(_) => Access::Change,
        }
    }
}

pub(super) async fn run(globals: &Globals, command: SessionsCommand) -> Result<(), Failure> {
    let ctx = operator::open(globals, &globals.config()?, command.access()).await?;
    let output = globals.output;
    let outcome = match command {
        SessionsCommand::List(args) => list(&ctx, &args, output).await,
        SessionsCommand::Revoke(args) => revoke(&ctx, args.id).await,
        SessionsCommand::RevokeAll(args) => revoke_all(&ctx, &args.wanted, output).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::Sessions)?;
    let user = args.wanted.find(ctx).await?;
    let listed = sessions::list(ctx, user.id, page, total).await?;
    let body = |session| SessionBody::of(session, None);
    print_page(ctx, List::Sessions, listed, output, body, sessions_table)
}

async fn revoke(ctx: &Ctx, id: SessionId) -> Result<(), Failure> {
    sessions::end(ctx, id).await?;
    print(&format!("ended session {id}\n"))
}

async fn revoke_all(ctx: &Ctx, wanted: &Wanted, output: Output) -> Result<(), Failure> {
    let user = wanted.find(ctx).await?;
    let ended = sessions::end_of_user(ctx, user.id, None).await?;
    match output {
        Output::Json => print_json(&EndedBody { ended }),
        Output::Text => print(&format!("ended sessions of {}: {ended}\n", user.email)),
    }
}

fn sessions_table(sessions: &[Session]) -> String {
    let head = ["ID", "LABEL", "ADDRESS", "USER AGENT", "CREATED", "LAST USED", "EXPIRES"].map(str::to_owned);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let row = |session: &Session| {
        [
            session.id.to_string(),
            or_dash(session.label.as_ref().map(ToString::to_string)),
            or_dash(session.origin.address.map(|address| address.to_string())),
            or_dash(session.origin.user_agent.clone()),
            session.created_at.to_string(),
            session.last_used_at.to_string(),
            session.idle_expires_at.min(session.expires_at).to_string(),
        ]
    };
    table(std::iter::once(head).chain(sessions.iter().map(row)))
}
