//! SCIM 2.0: the responses of `GET /Users` (`ListResponse`), an array of users, or one user on each line.
//!
//! Format: RFC 7643 §4.1 and RFC 7644 §3.4.2. Passwords are never returned (RFC 7643 §7).

use super::without_address;
use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::fields::{self, Object};
use crate::input::Paths;

pub(super) struct Scim;

impl Convert for Scim {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["Resources", "*"]]
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        // Names of attributes ignore case (RFC 7643 §2.1); the usual spelling is assumed, apart from "active".
        let user_name = fields::text(record, "userName");
        let emails = fields::objects(record, "emails");
        if user_name.is_none() && emails.is_empty() {
            return Kind::Unknown;
        }
        let primary = emails.iter().find(|at| fields::flag(at, "primary") == Some(true)).or(emails.first());
        let email = primary.and_then(|at| fields::text(at, "value"));
        let email = email.or_else(|| user_name.clone().filter(|name| name.contains('@')));
        if email.is_none() {
            return without_address(draft);
        }
        draft.email(email);
        draft.id(fields::text(record, "id"));
        draft.app_attribute("external_id", fields::value(record, "externalId").cloned());
        if !record.contains_key("active") {
            draft.record.status = None;
        }
        draft.disable_if(fields::flag(record, "active") == Some(false));
        draft.name(fields::first_text(record, &["displayName", "/name/formatted"]));
        draft.name_parts(fields::text(record, "/name/givenName"), fields::text(record, "/name/familyName"));
        draft.username(user_name);
        let phones = fields::objects(record, "phoneNumbers");
        let phone = phones.iter().find(|at| fields::flag(at, "primary") == Some(true)).or(phones.first());
        draft.phone(phone.and_then(|at| fields::text(at, "value")), None);
        draft.locale(fields::first_text(record, &["preferredLanguage", "locale"]));
        let photo = fields::objects(record, "photos").into_iter().next();
        draft.attribute("picture", photo.and_then(|at| at.get("value").cloned()));
        draft.attribute("nickname", fields::value(record, "nickName").cloned());
        for name in ["title", "userType", "timezone", "profileUrl"] {
            draft.app_attribute(name, fields::value(record, name).cloned());
        }
        // Extensions, such as the enterprise user of RFC 7643 §4.3.
        let extensions = record.iter().filter(|(name, _)| name.starts_with("urn:"));
        for (name, value) in extensions.filter_map(|(_, value)| value.as_object()).flatten() {
            draft.app_attribute(name, Some(value.clone()));
        }
        for role in fields::objects(record, "roles") {
            draft.roles_in(fields::value(&role, "value"));
        }
        draft.roles_in(fields::value(record, "groups"));
        draft.created_at(fields::value(record, "/meta/created"));
        draft.updated_at(fields::value(record, "/meta/lastModified"));
        draft.omit("passwords: never returned by SCIM");
        draft.omit_many("further email addresses: a user has one", emails.len().saturating_sub(1));
        Kind::User
    }
}
