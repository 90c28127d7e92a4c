//! The input of a new user, from REST, gRPC, or an application that embeds the server.

use denizen_domain::credentials::NewPassword;
use denizen_domain::ctx::Policy;
use denizen_domain::error::RuleBroken;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, Locale, NewUser};
use secrecy::SecretString;

use crate::json_form::Fields;

/// The fields of a new user as they were sent.
pub(crate) struct RawUser<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: &'a SecretString,
    pub(crate) name: &'a str,
    pub(crate) role: Option<&'a str>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) attributes: Result<Attributes, RuleBroken>,
    pub(crate) app_attributes: Result<Option<Attributes>, RuleBroken>,
}

/// Parses all fields; `None` if one is invalid, which `fields` names.
pub(crate) fn parse(fields: &mut Fields, raw: RawUser<'_>, policy: &Policy) -> Option<NewUser> {
    let email = fields.check("email", EmailAddress::parse(raw.email));
    let password = fields.check("password", NewPassword::parse(raw.password, policy.password_chars_min));
    let name = fields.check("name", DisplayName::parse(raw.name));
    let role = raw.role.map(|role| fields.check("role", RoleName::reference(role)));
    let locale = fields.check("locale", raw.locale.map(Locale::parse).transpose());
    let attributes = fields.check("attributes", raw.attributes);
    let app_attributes = fields.check("app_attributes", raw.app_attributes);
    Some(NewUser {
        email: email?,
        password: password?,
        name: name?,
        role: role.flatten(),
        locale: locale?,
        attributes: attributes?,
        app_attributes: app_attributes?,
    })
}
