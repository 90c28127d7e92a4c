//! Amazon Cognito: `aws cognito-idp list-users` (JSON), and CSV files with the columns of an import job.
//!
//! Formats: <https://docs.aws.amazon.com/cli/latest/reference/cognito-idp/list-users.html> (`UserType`), and
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-using-import-tool-csv-header.html>.
//! Cognito exports neither password hashes nor secrets of second factors.

use serde_json::Value;

use super::without_address;
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;

#[derive(Default)]
pub(super) struct Cognito {
    lacks_status: bool,
}

impl Convert for Cognito {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["Users", "*"]]
    }

    fn check_columns(&mut self, columns: &[String]) {
        let is_status = |column: &String| matches!(column.as_str(), "Enabled" | "enabled" | "status");
        self.lacks_status |= !columns.iter().any(is_status);
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        let is_mapped = ["status", "enabled", "disabled"].iter().any(|name| options.map.fields.contains_key(*name));
        if self.lacks_status && !options.assume_active && !is_mapped {
            return Err(Error::NoStatus("use the JSON of aws cognito-idp list-users, or add a column Enabled"));
        }
        Ok(())
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        // In JSON, the attributes are a list; in CSV, columns.
        let listed = fields::objects(record, "Attributes").into_iter();
        let listed = listed.filter_map(|at| Some((fields::text(&at, "Name")?, at.get("Value")?.clone())));
        let attributes: Object = if record.contains_key("Attributes") { listed.collect() } else { record.clone() };
        let username = fields::first_text(record, &["Username", "cognito:username"]);
        let Some(email) = fields::text(&attributes, "email") else {
            return if username.is_some() { without_address(draft) } else { Kind::Unknown };
        };
        draft.email(Some(email));
        draft.record.email_verified = Some(fields::flag(&attributes, "email_verified").unwrap_or(false));
        let enabled = fields::flag(record, "Enabled").or_else(|| fields::flag(record, "enabled"));
        draft.disable_if(enabled == Some(false) || fields::flag(record, "status") == Some(false));
        draft.id(fields::text(&attributes, "sub").or_else(|| username.clone()));
        draft.name(fields::text(&attributes, "name"));
        draft.name_parts(fields::text(&attributes, "given_name"), fields::text(&attributes, "family_name"));
        let preferred = fields::text(&attributes, "preferred_username");
        let is_generated = |name: &String| fields::text(&attributes, "sub").as_ref() == Some(name);
        draft.username(preferred.or_else(|| username.filter(|name| !is_generated(name))));
        draft.phone(fields::text(&attributes, "phone_number"), fields::flag(&attributes, "phone_number_verified"));
        draft.locale(fields::text(&attributes, "locale"));
        let standard = ["nickname", "picture", "profile", "website", "gender", "birthdate", "zoneinfo", "address"];
        draft.attributes_from(&attributes, &standard);
        // Only an application can write these, unless the client allows it.
        let custom = attributes.iter().filter_map(|(name, value)| Some((name.strip_prefix("custom:")?, value)));
        for (name, value) in custom {
            draft.app_attribute(name, Some(value.clone()));
        }
        draft.roles_in(fields::value(record, "Groups").or_else(|| fields::value(&attributes, "cognito:groups")));
        draft.created_at(fields::value(record, "UserCreateDate"));
        draft.updated_at(fields::value(record, "UserLastModifiedDate"));
        identities(&attributes, draft);
        let status = fields::first_text(record, &["UserStatus", "cognito:user_status"]);
        if status.is_none_or(|status| status != "EXTERNAL_PROVIDER") {
            draft.omit("passwords: not exported by Amazon Cognito");
        }
        let has_mfa = fields::flag(record, "cognito:mfa_enabled") == Some(true)
            || ["MFAOptions", "UserMFASettingList"].iter().any(|name| fields::value(record, name).is_some());
        if has_mfa {
            draft.omit("second factors: not exported by Amazon Cognito");
        }
        Kind::User
    }
}

/// The attribute `identities` is JSON in a string. Names of social providers are fixed, those of others are free.
fn identities(attributes: &Object, draft: &mut Draft<'_>) {
    for identity in fields::list(attributes, "identities").iter().filter_map(Value::as_object) {
        let name = fields::first_text(identity, &["providerName", "providerType"]).unwrap_or_default();
        let issuer = fields::text(identity, "issuer");
        let details =
            Details { issuer: issuer.as_deref(), email: None, created_at: fields::value(identity, "dateCreated") };
        draft.identity(&name, fields::text(identity, "userId"), details);
    }
}
