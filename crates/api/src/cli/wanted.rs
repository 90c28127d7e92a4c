//! Arguments that identify users and resources, parsed by clap.

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::access::Permission;
use denizen_domain::error::{Error, Resource, RuleBroken};
use denizen_domain::id::{RoleId, ServiceAccountId, SessionId, UserId};
use denizen_domain::page::{Page, Total};
use denizen_domain::roles::{Description, RoleKey, RoleName, SecondFactorPolicy};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{self, Attributes, DisplayName, EmailAddress, Locale, Status, User, UserFilter};
use denizen_domain::value::{Object, object_or_null};

use super::failure::Failure;

/// Identifies a user.
#[derive(Args)]
pub(super) struct Wanted {
    /// The id or email address of the user.
    #[arg(value_name = "ID|EMAIL", value_parser = parse_user)]
    user: UserRef,
}

/// A user, by id or email address.
#[derive(Clone)]
pub(super) enum UserRef {
    Id(UserId),
    Email(EmailAddress),
}

impl Wanted {
    /// The user as they are now.
    pub(super) async fn find(&self, ctx: &Ctx) -> Result<User, Failure> {
        self.user.find(ctx).await
    }
}

impl UserRef {
    /// The user as they are now.
    pub(super) async fn find(&self, ctx: &Ctx) -> Result<User, Failure> {
        match self {
            Self::Id(id) => Ok(users::get(ctx, *id).await?),
            Self::Email(email) => {
                let filter = UserFilter { email: Some(email.clone()), ..UserFilter::default() };
                let page = Page::new(Some(1), None, None).map_err(Error::from)?;
                let found = users::list(ctx, &filter, page, Total::Skip).await?;
                Ok(found.items.into_iter().next().ok_or(Error::NotFound(Resource::User))?)
            }
        }
    }
}

pub(super) fn parse_user(raw: &str) -> Result<UserRef, &'static str> {
    let by_email = || EmailAddress::parse(raw).ok().map(UserRef::Email);
    UserId::parse(raw).map(UserRef::Id).or_else(by_email).ok_or("must be the id or email address of a user")
}

pub(super) fn parse_session(raw: &str) -> Result<SessionId, &'static str> {
    SessionId::parse(raw).ok_or("must be the id of a session")
}

pub(super) fn parse_service_account(raw: &str) -> Result<ServiceAccountId, &'static str> {
    ServiceAccountId::parse(raw).ok_or("must be the id of a service account")
}

pub(super) fn parse_role_key(raw: &str) -> Result<RoleKey, RuleBroken> {
    RoleId::parse(raw).map_or_else(|| parse_role(raw).map(RoleKey::Name), |id| Ok(RoleKey::Id(id)))
}

pub(super) fn parse_email(raw: &str) -> Result<EmailAddress, RuleBroken> {
    EmailAddress::parse(raw)
}

pub(super) fn parse_name(raw: &str) -> Result<DisplayName, RuleBroken> {
    DisplayName::parse(raw)
}

pub(super) fn parse_description(raw: &str) -> Result<Description, RuleBroken> {
    Description::parse(raw)
}

/// A policy on second factors.
pub(super) fn parse_second_factor(raw: &str) -> Result<SecondFactorPolicy, &'static str> {
    SecondFactorPolicy::parse(raw).ok_or("must be optional, required or passkey")
}

/// A language.
pub(super) fn parse_locale(raw: &str) -> Result<Locale, RuleBroken> {
    Locale::parse(raw)
}

/// Attributes as they were typed: a JSON object.
pub(super) fn parse_attributes(raw: &str) -> Result<Attributes, RuleBroken> {
    Attributes::parse(parse_patch(raw)?.0)
}

/// A change of attributes: a JSON Merge Patch (RFC 7396).
#[derive(Clone)]
pub(super) struct AttributesPatch(pub(super) Object);

/// A change of attributes as it was typed.
pub(super) fn parse_patch(raw: &str) -> Result<AttributesPatch, RuleBroken> {
    let mut json = serde_json::Deserializer::from_str(raw);
    let object = object_or_null(&mut json).and_then(|object| json.end().map(|()| object));
    let object = object.ok().flatten().map(AttributesPatch);
    object.ok_or_else(|| RuleBroken { code: "wrong_type", message: "must be a JSON object".to_owned() })
}

/// The name of an existing role.
pub(super) fn parse_role(raw: &str) -> Result<RoleName, RuleBroken> {
    RoleName::reference(raw)
}

/// The name of a new role.
pub(super) fn parse_new_role(raw: &str) -> Result<RoleName, RuleBroken> {
    RoleName::parse(raw)
}

pub(super) fn parse_permission(raw: &str) -> Result<Permission, &'static str> {
    Permission::parse(raw).ok_or("must be a permission; run `denizen roles permissions` for a list")
}

pub(super) fn parse_status(raw: &str) -> Result<Status, &'static str> {
    Status::parse(raw).ok_or("must be active, disabled or invited")
}

pub(super) fn parse_moment(raw: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(raw).ok_or("must be an RFC 3339 time such as 2026-01-31T00:00:00Z")
}
