//! `denizen users`: users.

mod data;
mod export;
mod from;
mod import;
mod list;
mod manage;
mod password;

use clap::Subcommand;
use denizen_domain::users::User;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, moment_or, print, print_json, record};
use crate::http::body::UserBody;

/// Subcommands of `users`.
#[derive(Subcommand)]
#[command(after_help = "\
Changes are written to the configured database. A running server does not need to be stopped; changes take effect on it
within a second.

Examples:
  denizen users list --q ada
  denizen users get ada@example.com --output json
  denizen users disable ada@example.com")]
pub(super) enum UsersCommand {
    /// Creates a user.
    Create(manage::CreateArgs),
    /// Lists users, newest first.
    List(list::ListArgs),
    /// Prints a user.
    Get(manage::GetArgs),
    /// Changes the role of a user; takes effect for open sessions too.
    SetRole(manage::SetRoleArgs),
    /// Changes attributes of a user that the user cannot change.
    SetAppAttributes(manage::SetAppAttributesArgs),
    /// Sets the password of a user and ends all sessions of the user.
    SetPassword(manage::SetPasswordArgs),
    /// Disables a user and ends all sessions of the user.
    Disable(manage::DisableArgs),
    /// Enables a user.
    Enable(manage::EnableArgs),
    /// Invites a user by mail; the link sets the password.
    Invite(manage::InviteArgs),
    /// Removes the second factor of a user who has lost it, and ends all sessions of the user.
    RemoveFactors(manage::RemoveFactorsArgs),
    /// Cancels the scheduled deletion of a user.
    Restore(manage::RestoreArgs),
    /// Permanently deletes a user, after the grace period if there is one.
    Delete(manage::DeleteArgs),
    /// Exports the data that is stored about a user, as JSON.
    Data(data::DataArgs),
    /// Imports users from newline-delimited JSON.
    Import(import::ImportArgs),
    /// Exports all users as newline-delimited JSON, newest first.
    Export(export::ExportArgs),
}

pub(super) async fn run(globals: &Globals, command: UsersCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    // What needs no database is refused before one is made.
    command.check()?;
    if let UsersCommand::Import(args) = &command {
        return import::run(globals, &config, args).await;
    }
    let ctx = operator::open(globals, &config, command.access()).await?;
    let output = globals.output;
    let outcome = match command {
        UsersCommand::Import(_) => Ok(()),
        UsersCommand::Create(args) => manage::create(&ctx, args, output).await,
        UsersCommand::List(args) => list::list(&ctx, args, output).await,
        UsersCommand::Get(args) => manage::get(&ctx, &args, output).await,
        UsersCommand::SetRole(args) => manage::set_role(&ctx, args, output).await,
        UsersCommand::SetAppAttributes(args) => manage::set_app_attributes(&ctx, args, output).await,
        UsersCommand::SetPassword(args) => manage::set_password(&ctx, &args).await,
        UsersCommand::Disable(args) => manage::disable(&ctx, &args, output).await,
        UsersCommand::Enable(args) => manage::enable(&ctx, &args, output).await,
        UsersCommand::Invite(args) => manage::invite(&ctx, args, output).await,
        UsersCommand::RemoveFactors(args) => manage::remove_factors(&ctx, &args).await,
        UsersCommand::Restore(args) => manage::restore(&ctx, &args, output).await,
        UsersCommand::Delete(args) => manage::delete(&ctx, &args).await,
        UsersCommand::Data(args) => data::data(&ctx, &args).await,
        UsersCommand::Export(args) => export::export(&ctx, &args).await,
    };
    ctx.store().close().await;
    outcome
}

impl UsersCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::Export(args) if args.is_recorded() => Access::Change,
            Self::List(_) | Self::Get(_) | Self::Data(_) | Self::Export(_) => Access::Read,
            Self::SetRole(_)
            | Self::SetAppAttributes(_)
            | Self::SetPassword(_)
            | Self::Disable(_)
            | Self::Enable(_)
            | Self::RemoveFactors(_)
            | Self::Restore(_)
            | Self::Delete(_) => Access::Change,
            Self::Import(args) => args.access(),
            Self::Create(_) | Self::Invite(_) => Access::Create,
        }
    }

    /// Checks that need only the arguments.
    fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => args.check(),
            Self::SetPassword(args) => args.check(),
            Self::Delete(args) => args.check(),
            Self::Export(args) => args.check(),
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
    let app_attributes = serde_json::to_string(user.app_attributes.as_object()).map_err(anyhow::Error::from)?;
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
        ("app attributes", app_attributes),
        ("deletion", user.deletion.map_or_else(|| "not scheduled".to_owned(), |deletion| deletion.after.to_string())),
    ]))
}
