//! What an update of a user means.

use denizen_domain::error::FieldError;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{Attributes, AttributesChange, DisplayName, EmailAddress, Locale, UserChange};
use denizen_domain::value::{Object, Value};
use denizen_proto::v1;
use prost_types::{FieldMask, Struct};

use super::convert;
use super::mask::Mask;
use crate::json_form::Fields;

const ATTRIBUTE: &str = "attributes.";
const KNOWN: [&str; 7] = ["email", "name", "role", "status", "locale", "attributes", ATTRIBUTE];

/// The change that the mask picks out of a user. Everything at fault is told together.
pub(super) fn change(user: v1::User, mask: Option<FieldMask>) -> Result<UserChange, Vec<FieldError>> {
    let mask = Mask::read(mask, &KNOWN).map_err(|field| vec![field])?;
    let mut fields = Fields::default();
    let means_email = mask.means("email", !user.email.is_empty());
    let means_name = mask.means("name", !user.name.is_empty());
    let means_role = mask.means_if_said("role", !user.role.is_empty());
    let means_status = mask.means_if_said("status", user.status != 0);
    let means_locale = mask.means("locale", user.locale.is_some());
    let change = UserChange {
        email: means_email.then(|| fields.check("email", EmailAddress::parse(&user.email))).flatten(),
        name: means_name.then(|| fields.check("name", DisplayName::parse(&user.name))).flatten(),
        role: means_role.then(|| fields.check("role", RoleName::reference(&user.role))).flatten(),
        status: if means_status { status(user.status, &mut fields) } else { None },
        locale: if means_locale {
            fields.check("locale", user.locale.as_deref().map(Locale::parse).transpose())
        } else {
            None
        },
        attributes: attributes(user.attributes, &mask, &mut fields),
    };
    fields.finish(Some(change))
}

fn status(number: i32, fields: &mut Fields) -> Option<denizen_domain::users::Status> {
    let status = convert::read_settable_status(number);
    let missing = || convert::broken("invalid_value", "must be active or disabled");
    fields.check("status", status.and_then(|status| status.ok_or_else(missing)))
}

fn attributes(from: Option<Struct>, mask: &Mask, fields: &mut Fields) -> Option<AttributesChange> {
    let replaces = mask.means("attributes", from.is_some());
    let mut members = from.unwrap_or_default();
    if replaces {
        let attributes = convert::read_object(members).and_then(Attributes::parse);
        return fields.check("attributes", attributes).map(AttributesChange::Replace);
    }
    let mut patch = Object::new();
    for name in mask.parts(ATTRIBUTE) {
        let value = members.fields.remove(name).map_or(Ok(Value::Null), convert::read_value);
        patch.insert(name.to_owned(), fields.check("attributes", value)?);
    }
    (!patch.is_empty()).then_some(AttributesChange::Merge(patch))
}
