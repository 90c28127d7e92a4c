//! `denizen users`: the use cases of REST, by the operator.

mod export;
mod import;
mod list;
mod manage;
mod password;

use clap::Subcommand;
use denizen_domain::users::User;

use super::failure::Failure;
use super::output::{Output, moment_or, print, print_json, record};
use super::{Globals, operator};
use crate::http::body::UserBody;

/// What to do with accounts.
#[derive(Subcommand)]
#[command(after_help = "\
Accounts are changed in the configured database; a running server need not be stopped, and sees it
within a second.

Examples:
  denizen users list --q ada
  denizen users get ada@example.com --output json
  denizen users disable ada@example.com")]
pub(super) enum UsersCommand {
    /// Creates an account.
    Create(manage::CreateArgs),
    /// Lists accounts, newest first.
    List(list::ListArgs),
    /// Shows one account.
    Get(manage::GetArgs),
    /// Gives an account another role; its open sessions follow.
    SetRole(manage::SetRoleArgs),
    /// Sets the password of an account; its sessions end.
    SetPassword(manage::SetPasswordArgs),
    /// Disables an account; its sessions end.
    Disable(manage::DisableArgs),
    /// Enables an account.
    Enable(manage::EnableArgs),
    /// Invites somebody by mail; the link in it sets their password.
    Invite(manage::InviteArgs),
    /// Removes the second factor of somebody who has lost it; their sessions end.
    RemoveFactors(manage::RemoveFactorsArgs),
    /// Deletes an account for good.
    Delete(manage::DeleteArgs),
    /// Takes over accounts from newline-delimited JSON.
    Import(import::ImportArgs),
    /// Writes every account as newline-delimited JSON, newest first.
    Export(export::ExportArgs),
}

pub(super) async fn run(globals: &Globals, command: UsersCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    // What needs no database is refused before one is made.
    command.check()?;
    let ctx = operator::open(&config).await?;
    let output = globals.output;
    let outcome = match command {
        UsersCommand::Create(args) => manage::create(&ctx, args, output).await,
        UsersCommand::List(args) => list::list(&ctx, args, output).await,
        UsersCommand::Get(args) => manage::get(&ctx, &args, output).await,
        UsersCommand::SetRole(args) => manage::set_role(&ctx, args, output).await,
        UsersCommand::SetPassword(args) => manage::set_password(&ctx, &args).await,
        UsersCommand::Disable(args) => manage::disable(&ctx, &args, output).await,
        UsersCommand::Enable(args) => manage::enable(&ctx, &args, output).await,
        UsersCommand::Invite(args) => manage::invite(&ctx, args, output).await,
        UsersCommand::RemoveFactors(args) => manage::remove_factors(&ctx, &args).await,
        UsersCommand::Delete(args) => manage::delete(&ctx, &args).await,
        UsersCommand::Import(args) => import::import(&ctx, &args, &config.limits, output).await,
        UsersCommand::Export(args) => export::export(&ctx, &args).await,
    };
    ctx.store().close().await;
    outcome
}

impl UsersCommand {
    /// What the arguments alone can be refused for.
    fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => args.check(),
            Self::SetPassword(args) => args.check(),
            Self::Delete(args) => args.check(),
            _ => Ok(()),
        }
    }
}

/// Prints one user.
fn print_user(user: User, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&UserBody::from(user));
    }
    let attributes = serde_json::to_string(user.attributes.as_object()).map_err(anyhow::Error::from)?;
    print(&record([
        ("id", user.id.to_string()),
        ("email", user.email.to_string()),
        ("email verified", user.email_verified.to_string()),
        ("name", user.name.to_string()),
        ("role", user.role.to_string()),
        ("status", user.status.as_str().to_owned()),
        ("created", user.created_at.to_string()),
        ("updated", user.updated_at.to_string()),
        ("last sign-in", moment_or(user.last_sign_in_at, "never")),
        ("locale", user.locale.map(|locale| locale.to_string()).unwrap_or_default()),
        ("attributes", attributes),
    ]))
}
