//! Okta: the response of `GET /api/v1/users`, or a CSV file with the columns of *Reports → People* or of the import.
//!
//! Format: the object `User` of <https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/>. Okta
//! exports neither password hashes nor second factors.

use super::without_address;
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;

#[derive(Default)]
pub(super) struct Okta {
    lacks_status: bool,
}

/// Fields of a profile that are not copied to attributes.
const KNOWN: [&str; 9] = [
    "login",
    "email",
    "firstName",
    "lastName",
    "displayName",
    "mobilePhone",
    "locale",
    "preferredLanguage",
    "nickName",
];

impl Convert for Okta {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["users", "*"]]
    }

    fn check_columns(&mut self, columns: &[String]) {
        self.lacks_status |= !columns.iter().any(|column| column.to_ascii_lowercase().ends_with("status"));
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        if self.lacks_status && !options.assume_active {
            return Err(Error::NoStatus("use the JSON of GET /api/v1/users, or add a column status"));
        }
        Ok(())
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let profile = match fields::object(record, "profile") {
            profile if profile.is_empty() => record.clone(),
            profile => profile,
        };
        let login = fields::first_text(&profile, &["login", "Username", "user.login"]);
        let email = fields::first_text(&profile, &["email", "Primary email", "user.email"]);
        let email = email.or_else(|| login.clone().filter(|login| login.contains('@')));
        if email.is_none() && login.is_none() {
            return Kind::Unknown;
        }
        if email.is_none() {
            return without_address(draft);
        }
        draft.email(email);
        draft.id(fields::first_text(record, &["id", "User Id", "user.id"]));
        let status = fields::first_text(record, &["status", "Status", "User status", "user.status"]);
        let status = status.unwrap_or_default().to_ascii_uppercase();
        // Okta verifies the address when the user activates the account.
        let verified = ["ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED"];
        draft.record.email_verified = Some(verified.contains(&status.as_str()));
        draft.disable_if(matches!(status.as_str(), "SUSPENDED" | "DEPROVISIONED" | "DEACTIVATED" | "LOCKED_OUT"));
        draft.name(fields::text(&profile, "displayName"));
        draft.name_parts(
            fields::first_text(&profile, &["firstName", "First name", "user.firstName"]),
            fields::first_text(&profile, &["lastName", "Last name", "user.lastName"]),
        );
        draft.username(login);
        draft.phone(fields::text(&profile, "mobilePhone"), None);
        draft.locale(fields::first_text(&profile, &["preferredLanguage", "locale"]));
        draft.attribute("nickname", fields::value(&profile, "nickName").cloned());
        if record.contains_key("profile") {
            // Administrators manage the profile.
            for (name, value) in profile.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
                draft.app_attribute(name, Some(value.clone()));
            }
        }
        draft.created_at(fields::value(record, "created"));
        draft.updated_at(fields::value(record, "lastUpdated"));
        draft.last_sign_in_at(fields::value(record, "lastLogin"));
        draft.roles_in(fields::value(record, "groups"));
        match fields::text(record, "/credentials/provider/type").as_deref() {
            None | Some("OKTA" | "IMPORT") => draft.omit("passwords: not exported by Okta"),
            Some(_) => draft.omit("identities at other providers: Okta does not export their subjects"),
        }
        Kind::User
    }
}
