//! Single users: create, get, update, delete.

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::credentials;
use denizen_domain::factors;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{
    self, Attributes, AttributesChange, DeletionTime, DisplayName, EmailAddress, Invitation, Locale, NewUser, Status,
    User, UserChange,
};

use super::password::PasswordArgs;
use super::print_user;
use crate::cli::confirm::confirm;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, print};
use crate::cli::wanted::{
    AttributesPatch, Wanted, parse_attributes, parse_email, parse_locale, parse_name, parse_patch, parse_role,
};

/// The user to create.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen users create --email ada@example.com --name Ada --role admin
  printf %s \"$PASSWORD\" | denizen users create --email ada@example.com --name Ada --role admin --password-stdin")]
pub(crate) struct CreateArgs {
    /// The email address.
    #[arg(long, value_parser = parse_email)]
    email: EmailAddress,
    /// Display name.
    #[arg(long, value_parser = parse_name)]
    name: DisplayName,
    /// The name of the role: admin, user or one created with `denizen roles create`.
    #[arg(long, default_value = "user", value_parser = parse_role)]
    role: RoleName,
    /// Preferred language (BCP 47), such as de.
    #[arg(long, value_parser = parse_locale)]
    locale: Option<Locale>,
    /// Custom attributes that the user cannot change, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = parse_attributes)]
    app_attributes: Option<Attributes>,
    #[command(flatten)]
    password: PasswordArgs,
}

/// The user to print.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users get ada@example.com --output json")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// The new role.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users set-role ada@example.com admin")]
pub(crate) struct SetRoleArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// The name of the role: admin, user or one created with `denizen roles create`.
    #[arg(value_parser = parse_role)]
    role: RoleName,
}

/// The new attributes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen users set-app-attributes ada@example.com '{\"plan\": \"pro\"}'
  denizen users set-app-attributes ada@example.com '{\"plan\": null}'")]
pub(crate) struct SetAppAttributesArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// A JSON Merge Patch (RFC 7396): other attributes are unchanged, null removes an attribute.
    #[arg(value_name = "JSON", value_parser = parse_patch)]
    patch: AttributesPatch,
}

/// The new password.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen users set-password ada@example.com
  printf %s \"$PASSWORD\" | denizen users set-password ada@example.com --password-stdin")]
pub(crate) struct SetPasswordArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    password: PasswordArgs,
}

/// The user to disable.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users disable ada@example.com")]
pub(crate) struct DisableArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// The user to enable.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users enable ada@example.com")]
pub(crate) struct EnableArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// The user to invite.
#[derive(Args)]
#[command(after_help = "\
Inviting the same address again with the same role sends a new link and invalidates the previous one.

Example:
  denizen users invite --email grace@example.com --name \"Grace Hopper\" --role user --locale en")]
pub(crate) struct InviteArgs {
    /// The email address that the link is sent to.
    #[arg(long, value_parser = parse_email)]
    email: EmailAddress,
    /// Display name, until the user changes it.
    #[arg(long, value_parser = parse_name)]
    name: Option<DisplayName>,
    /// The name of the role.
    #[arg(long, default_value = "user", value_parser = parse_role)]
    role: RoleName,
    /// Preferred language (BCP 47), such as de.
    #[arg(long, value_parser = parse_locale)]
    locale: Option<Locale>,
}

/// The user whose second factor to remove.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users remove-factors ada@example.com")]
pub(crate) struct RemoveFactorsArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// The user to restore.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen users restore ada@example.com")]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// The user to delete.
#[derive(Args)]
#[command(after_help = "\
With users.deletion_grace_days, the user is disabled, and can be restored until the grace period has passed.

Examples:
  denizen users delete ada@example.com --yes
  denizen users delete ada@example.com --now --yes")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// Deletes the user at once, without a grace period.
    #[arg(long)]
    now: bool,
    /// Skips the confirmation; required without a terminal.
    #[arg(long)]
    yes: bool,
}

impl CreateArgs {
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.password.check("create")
    }
}

impl SetPasswordArgs {
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.password.check("set-password")
    }
}

impl DeleteArgs {
    pub(super) fn check(&self) -> Result<(), Failure> {
        confirm(self.yes, "deleting a user cannot be undone")
    }
}

pub(super) async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let CreateArgs { email, name, role, locale, app_attributes, password } = args;
    let password = password.read(ctx)?;
    let attributes = Attributes::default();
    let new = NewUser { email, password, name, role: Some(role), locale, attributes, app_attributes };
    let user = users::create(ctx, new).await?;
    match output {
        Output::Json => print_user(user, output),
        Output::Text => print(&format!("created {} {}\n", user.id, user.email)),
    }
}

pub(super) async fn invite(ctx: &Ctx, args: InviteArgs, output: Output) -> Result<(), Failure> {
    let InviteArgs { email, name, role, locale } = args;
    let user = users::invite(ctx, Invitation { email, name, role: Some(role), locale }).await?;
    said(user, output, |user| format!("invited {}; a mail with the link is being sent\n", user.email))
}

pub(super) async fn remove_factors(ctx: &Ctx, args: &RemoveFactorsArgs) -> Result<(), Failure> {
    let user = args.wanted.find(ctx).await?;
    factors::remove_of(ctx, user.id).await?;
    print(&format!("removed the second factor of {} and ended all sessions\n", user.email))
}

pub(super) async fn get(ctx: &Ctx, args: &GetArgs, output: Output) -> Result<(), Failure> {
    print_user(args.wanted.find(ctx).await?, output)
}

pub(super) async fn set_role(ctx: &Ctx, args: SetRoleArgs, output: Output) -> Result<(), Failure> {
    let change = UserChange { role: Some(args.role), ..UserChange::default() };
    let user = update(ctx, &args.wanted, change).await?;
    said(user, output, |user| format!("{} now has the role {}\n", user.email, user.role))
}

pub(super) async fn set_app_attributes(ctx: &Ctx, args: SetAppAttributesArgs, output: Output) -> Result<(), Failure> {
    let app_attributes = Some(AttributesChange::Merge(args.patch.0));
    let user = update(ctx, &args.wanted, UserChange { app_attributes, ..UserChange::default() }).await?;
    said(user, output, |user| format!("changed the attributes of {}\n", user.email))
}

pub(super) async fn disable(ctx: &Ctx, args: &DisableArgs, output: Output) -> Result<(), Failure> {
    let change = UserChange { status: Some(Status::Disabled), ..UserChange::default() };
    let user = update(ctx, &args.wanted, change).await?;
    said(user, output, |user| format!("disabled {}\n", user.email))
}

pub(super) async fn enable(ctx: &Ctx, args: &EnableArgs, output: Output) -> Result<(), Failure> {
    let change = UserChange { status: Some(Status::Active), ..UserChange::default() };
    let user = update(ctx, &args.wanted, change).await?;
    said(user, output, |user| format!("enabled {}\n", user.email))
}

pub(super) async fn set_password(ctx: &Ctx, args: &SetPasswordArgs) -> Result<(), Failure> {
    let user = args.wanted.find(ctx).await?;
    credentials::set(ctx, user.id, args.password.read(ctx)?).await?;
    print(&format!("set the password of {} and ended all sessions\n", user.email))
}

pub(super) async fn restore(ctx: &Ctx, args: &RestoreArgs, output: Output) -> Result<(), Failure> {
    let user = args.wanted.find(ctx).await?;
    let user = users::restore(ctx, user.id).await?;
    said(user, output, |user| format!("restored {}; the status is {}\n", user.email, user.status.as_str()))
}

pub(super) async fn delete(ctx: &Ctx, args: &DeleteArgs) -> Result<(), Failure> {
    let user = args.wanted.find(ctx).await?;
    let time = if args.now { DeletionTime::Now } else { DeletionTime::AfterGracePeriod };
    match users::delete(ctx, user.id, None, time).await? {
        Some(after) => print(&format!("disabled {}; the user will be deleted after {after}\n", user.email)),
        None => print(&format!("deleted {}\n", user.email)),
    }
}

async fn update(ctx: &Ctx, wanted: &Wanted, change: UserChange) -> Result<User, Failure> {
    let user = wanted.find(ctx).await?;
    Ok(users::update(ctx, user.id, change, None).await?)
}

fn said(user: User, output: Output, line: impl Fn(&User) -> String) -> Result<(), Failure> {
    match output {
        Output::Json => print_user(user, output),
        Output::Text => print(&line(&user)),
    }
}
