//! Arguments that name users and their parts, parsed at the edge.

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::error::{Error, Resource, RuleBroken};
use denizen_domain::id::UserId;
use denizen_domain::page::Page;
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{self, DisplayName, EmailAddress, Status, Total, User, UserFilter};

use crate::cli::failure::Failure;

/// Which user is meant.
#[derive(Args)]
pub(super) struct Wanted {
    /// The id or the email address of the user.
    #[arg(value_name = "ID|EMAIL", value_parser = parse_user)]
    user: UserRef,
}

#[derive(Clone)]
enum UserRef {
    Id(UserId),
    Email(EmailAddress),
}

impl Wanted {
    /// The user as they are now.
    pub(super) async fn find(&self, ctx: &Ctx) -> Result<User, Failure> {
        match &self.user {
            UserRef::Id(id) => Ok(users::get(ctx, *id).await?),
            UserRef::Email(email) => {
                let filter = UserFilter { email: Some(email.clone()), ..UserFilter::default() };
                let page = Page::new(Some(1), None, None).map_err(Error::from)?;
                let found = users::list(ctx, &filter, page, Total::Skip).await?;
                Ok(found.items.into_iter().next().ok_or(Error::NotFound(Resource::User))?)
            }
        }
    }
}

fn parse_user(raw: &str) -> Result<UserRef, &'static str> {
    let by_email = || EmailAddress::parse(raw).ok().map(UserRef::Email);
    UserId::parse(raw).map(UserRef::Id).or_else(by_email).ok_or("must be the id or the email address of a user")
}

pub(super) fn parse_email(raw: &str) -> Result<EmailAddress, RuleBroken> {
    EmailAddress::parse(raw)
}

pub(super) fn parse_name(raw: &str) -> Result<DisplayName, RuleBroken> {
    DisplayName::parse(raw)
}

pub(super) fn parse_role(raw: &str) -> Result<RoleName, RuleBroken> {
    RoleName::parse(raw)
}

pub(super) fn parse_status(raw: &str) -> Result<Status, &'static str> {
    Status::parse(raw).ok_or("must be active, disabled or invited")
}

pub(super) fn parse_moment(raw: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(raw).ok_or("must be an RFC 3339 moment like 2026-01-31T00:00:00Z")
}
