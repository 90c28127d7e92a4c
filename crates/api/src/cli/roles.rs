//! `denizen roles`: roles.

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::access::{Permission, Permissions};
use denizen_domain::roles::{self, Description, NewRole, Role, RoleChange, RoleKey, RoleName, SecondFactorPolicy};

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json, record, table};
use super::paging::{PageArgs, print_page};
use super::wanted::{parse_description, parse_new_role, parse_permission, parse_role_key, parse_second_factor};
use crate::http::page::List;
use crate::http::permissions::catalogue;
use crate::http::roles::RoleBody;

/// Subcommands of `roles`.
#[derive(Subcommand)]
#[command(after_help = "\
The roles admin and user are built in. Changes take effect for all holders of a role within a second.

Examples:
  denizen roles create support --permission users:read --permission sessions:read --description \"First level\"
  denizen users set-role ada@example.com support
  denizen roles permissions")]
pub(super) enum RolesCommand {
    /// Lists roles, newest first.
    List(ListArgs),
    /// Prints a role.
    Get(GetArgs),
    /// Creates a role.
    Create(CreateArgs),
    /// Updates the permissions or the description of a role.
    Set(SetArgs),
    /// Deletes a role that is not assigned.
    Delete(DeleteArgs),
    /// Lists all permissions.
    #[command(after_help = "Examples:\n  denizen roles permissions\n  denizen roles permissions --output json")]
    Permissions,
}

/// Pagination.
#[derive(Args)]
#[command(after_help = "Examples:\n  denizen roles list\n  denizen roles list --count --output json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
}

/// Identifies a role.
#[derive(Args)]
struct WantedRole {
    /// The name or id of the role.
    #[arg(value_name = "NAME|ID", value_parser = parse_role_key)]
    role: RoleKey,
}

/// The role to print.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen roles get support --output json")]
pub(super) struct GetArgs {
    #[command(flatten)]
    wanted: WantedRole,
}

/// The role to create.
#[derive(Args)]
#[command(after_help = "\
Examples:
  denizen roles create support --permission users:read,sessions:read --description \"First level\"
  denizen roles create guest --no-permissions")]
pub(super) struct CreateArgs {
    /// The name: a lowercase letter, then up to 63 of a-z, 0-9, - _ . and :
    #[arg(value_name = "NAME", value_parser = parse_new_role)]
    name: RoleName,
    /// A permission of the role. Can be repeated.
    #[arg(
        long = "permission", value_name = "PERMISSION", value_parser = parse_permission, num_args = 1..,
        value_delimiter = ',', conflicts_with = "no_permissions", required_unless_present = "no_permissions",
    )]
    permissions: Vec<Permission>,
    /// The role has no permissions. Its holders can only manage their own account.
    #[arg(long)]
    no_permissions: bool,
    /// Description.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
    /// Whether holders of the role must authenticate with a second factor: optional, required, or passkey (a passkey or a
    /// security key).
    #[arg(long, value_name = "POLICY", value_parser = parse_second_factor, default_value = "optional")]
    second_factor: SecondFactorPolicy,
}

/// The update of a role.
#[derive(Args)]
#[command(after_help = "\
The given permissions replace the previous ones; options that are omitted leave the value unchanged.

Examples:
  denizen roles set support --permission users:read --permission users:write
  denizen roles set support --description \"Second level\"
  denizen roles set admin --second-factor required")]
pub(super) struct SetArgs {
    #[command(flatten)]
    wanted: WantedRole,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// A permission of the role; replaces the previous ones. Can be repeated.
    #[arg(
        long = "permission", value_name = "PERMISSION", value_parser = parse_permission, num_args = 1..,
        value_delimiter = ',', conflicts_with = "no_permissions",
    )]
    permissions: Option<Vec<Permission>>,
    /// The role has no permissions. Its holders can only manage their own account.
    #[arg(long)]
    no_permissions: bool,
    /// The description; an empty value removes it.
    #[arg(long, value_name = "TEXT", value_parser = parse_description)]
    description: Option<Description>,
    /// Whether holders of the role must authenticate with a second factor: optional, required, or passkey (a passkey or a
    /// security key). The only option for
    /// built-in roles.
    #[arg(long, value_name = "POLICY", value_parser = parse_second_factor)]
    second_factor: Option<SecondFactorPolicy>,
}

/// The role to delete.
#[derive(Args)]
#[command(after_help = "Example:\n  denizen roles delete support")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    wanted: WantedRole,
}

impl RolesCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List(_) | Self::Get(_) | Self::Permissions => Access::Read,
            Self::Create(_) => Access::Create,
            Self::Set(_) | Self::Delete(_) => Access::Change,
        }
    }
}

pub(super) async fn run(globals: &Globals, command: RolesCommand) -> Result<(), Failure> {
    let output = globals.output;
    if let RolesCommand::Permissions = command {
        return permissions(output);
    }
    let ctx = operator::open(globals, &globals.config()?, command.access()).await?;
    let outcome = match command {
        RolesCommand::List(args) => list(&ctx, &args, output).await,
        RolesCommand::Get(args) => get(&ctx, &args.wanted.role, output).await,
        RolesCommand::Create(args) => create(&ctx, args, output).await,
        RolesCommand::Set(args) => set(&ctx, args, output).await,
        RolesCommand::Delete(args) => delete(&ctx, &args.wanted.role).await,
        RolesCommand::Permissions => Ok(()),
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, args: &ListArgs, output: Output) -> Result<(), Failure> {
    let (page, total) = args.page.read(ctx, List::Roles)?;
    let listed = roles::list(ctx, page, total).await?;
    print_page(ctx, List::Roles, listed, output, RoleBody::from, roles_table)
}

async fn get(ctx: &Ctx, key: &RoleKey, output: Output) -> Result<(), Failure> {
    let role = roles::get(ctx, key).await?;
    if output == Output::Json {
        return print_json(&RoleBody::from(role));
    }
    print(&record([
        ("id", role.id.to_string()),
        ("name", role.name.to_string()),
        ("description", role.description.as_str().to_owned()),
        ("permissions", named(role.permissions)),
        ("second factor", role.second_factor.as_str().to_owned()),
        ("created", role.created_at.to_string()),
        ("updated", role.updated_at.to_string()),
    ]))
}

async fn create(ctx: &Ctx, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let CreateArgs { name, permissions, no_permissions: _, description, second_factor } = args;
    let permissions = Permissions::of(&permissions);
    let new = NewRole { name, description: description.unwrap_or_default(), permissions, second_factor };
    said(roles::create(ctx, new).await?, output)
}

async fn set(ctx: &Ctx, args: SetArgs, output: Output) -> Result<(), Failure> {
    let ChangeArgs { permissions, no_permissions, description, second_factor } = args.change;
    let before = roles::get(ctx, &args.wanted.role).await?;
    let permissions =
        if no_permissions { Some(Permissions::NONE) } else { permissions.map(|list| Permissions::of(&list)) };
    let change = RoleChange { name: None, description, permissions, second_factor };
    // Nobody may have changed it since we looked.
    let expected = [before.version];
    said(roles::update(ctx, &RoleKey::Id(before.id), change, Some(&expected)).await?, output)
}

async fn delete(ctx: &Ctx, key: &RoleKey) -> Result<(), Failure> {
    let role = roles::get(ctx, key).await?;
    roles::delete(ctx, &RoleKey::Id(role.id), None).await?;
    print(&format!("deleted the role {}\n", role.name))
}

fn permissions(output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&catalogue());
    }
    let head = ["PERMISSION", "ALLOWS TO"].map(str::to_owned);
    let row = |permission: &Permission| [permission.as_str(), permission.description()].map(str::to_owned);
    print(&table(std::iter::once(head).chain(Permission::ALL.iter().map(row))))
}

fn said(role: Role, output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => print_json(&RoleBody::from(role)),
        Output::Text => print(&format!("permissions of {}: {}\n", role.name, named(role.permissions))),
    }
}

fn named(permissions: Permissions) -> String {
    if permissions == Permissions::NONE { "none".to_owned() } else { permissions.to_string() }
}

fn roles_table(roles: &[Role]) -> String {
    let head = ["NAME", "PERMISSIONS", "DESCRIPTION", "CREATED"].map(str::to_owned);
    let row = |role: &Role| {
        [
            role.name.to_string(),
            named(role.permissions),
            role.description.as_str().to_owned(),
            role.created_at.to_string(),
        ]
    };
    table(std::iter::once(head).chain(roles.iter().map(row)))
}
