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
const APP_ATTRIBUTE: &str = "app_attributes.";
const KNOWN: [&str; 9] =
    ["email", "name", "role", "status", "locale", "attributes", ATTRIBUTE, "app_attributes", APP_ATTRIBUTE];

/// The change that the mask picks out of a user. Everything at fault is told together.
pub(super) fn change(user: v1::User, mask: Option<FieldMask>) -> Result<UserChange, Vec<FieldError>> {
    let mask = Mask::read(mask, &KNOWN).map_err(|field| vec![field])?;
    let mut fields = Fields::default();
    let means_email = mask.means("email", !user.email.is_empty());
    let means_name = mask.means("name", !user.name.is_empty());
    let means_role = mask.means_if_said("role", !user.role.is_empty());
    let means_status = mask.means_if_said("status", user.status != 0);
    let means_locale = mask.means("locale", user.locale.is_some());
    let attributes = Members {
        field: "attributes",
        one: ATTRIBUTE,
        is_replaced: mask.means("attributes", user.attributes.is_some()),
        from: user.attributes,
    };
    let app_attributes = Members {
        field: "app_attributes",
        one: APP_ATTRIBUTE,
        is_replaced: mask.means_if_said("app_attributes", user.app_attributes.is_some()),
        from: user.app_attributes,
    };
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
        attributes: attributes.read(&mask, &mut fields),
        app_attributes: app_attributes.read(&mask, &mut fields),
    };
    fields.finish(Some(change))
}

fn status(number: i32, fields: &mut Fields) -> Option<denizen_domain::users::Status> {
    let status = convert::read_settable_status(number);
    let missing = || convert::broken("invalid_value", "must be active or disabled");
    fields.check("status", status.and_then(|status| status.ok_or_else(missing)))
}

/// Attributes as they were sent.
struct Members {
    field: &'static str,
    /// The start of the path of one attribute in a mask.
    one: &'static str,
    is_replaced: bool,
    from: Option<Struct>,
}

impl Members {
    fn read(self, mask: &Mask, fields: &mut Fields) -> Option<AttributesChange> {
        let mut members = self.from.unwrap_or_default();
        if self.is_replaced {
            let attributes = convert::read_object(members).and_then(Attributes::parse);
            return fields.check(self.field, attributes).map(AttributesChange::Replace);
        }
        let mut patch = Object::new();
        for name in mask.parts(self.one) {
            let value = members.fields.remove(name).map_or(Ok(Value::Null), convert::read_value);
            patch.insert(name.to_owned(), fields.check(self.field, value)?);
        }
        (!patch.is_empty()).then_some(AttributesChange::Merge(patch))
    }
}
