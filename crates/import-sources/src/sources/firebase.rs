//! Firebase Authentication: `firebase auth:export users.json` (or `users.csv`, which has no header).
//!
//! Format: <https://firebase.google.com/docs/cli/auth>, and `src/accountExporter.ts` of firebase-tools: 28 columns, and
//! identities at Google, Facebook, Twitter and GitHub only. The parameters of the hashes are those of the project.

use serde_json::Value;

use super::without_address;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::{Format, Paths};

const COLUMNS: [&str; 28] = [
    "localId",
    "email",
    "emailVerified",
    "passwordHash",
    "salt",
    "displayName",
    "photoUrl",
    "google.com",
    "google.com email",
    "",
    "",
    "facebook.com",
    "facebook.com email",
    "",
    "",
    "twitter.com",
    "twitter.com email",
    "",
    "",
    "github.com",
    "github.com email",
    "",
    "",
    "createdAt",
    "lastSignedInAt",
    "phoneNumber",
    "disabled",
    "customAttributes",
];

pub(super) struct Firebase;

impl Convert for Firebase {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["users", "*"]]
    }

    fn csv(&self) -> Format<'_> {
        Format { columns: Some(&COLUMNS), delimiter: Some(b','), ..Format::default() }
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let Some(id) = fields::text(record, "localId") else { return Kind::Unknown };
        let Some(email) = fields::text(record, "email") else { return without_address(draft) };
        draft.email(Some(email));
        draft.id(Some(id));
        draft.record.email_verified = Some(fields::flag(record, "emailVerified").unwrap_or(false));
        draft.disable_if(fields::flag(record, "disabled") == Some(true));
        draft.name(fields::text(record, "displayName"));
        draft.attribute("picture", fields::value(record, "photoUrl").cloned());
        draft.phone(fields::text(record, "phoneNumber"), None);
        draft.created_at(fields::value(record, "createdAt"));
        draft.last_sign_in_at(fields::value(record, "lastSignedInAt").or_else(|| fields::value(record, "lastLoginAt")));
        hash(record, draft);
        claims(record, draft);
        for provider in fields::objects(record, "providerUserInfo") {
            let name = fields::text(&provider, "providerId").unwrap_or_default();
            if !matches!(name.as_str(), "password" | "phone") {
                let details = Details { email: fields::text(&provider, "email"), ..Details::default() };
                draft.identity(&name, fields::text(&provider, "rawId"), details);
            }
        }
        for name in ["google.com", "facebook.com", "twitter.com", "github.com"] {
            let details = Details { email: fields::text(record, &format!("{name} email")), ..Details::default() };
            draft.identity(name, fields::text(record, name), details);
        }
        draft.omit_many("second factors: only TOTP can be imported", fields::list(record, "mfaInfo").len());
        Kind::User
    }
}

fn hash(record: &Object, draft: &mut Draft<'_>) {
    let Some(hash) = fields::text(record, "passwordHash") else { return };
    let Some(config) = draft.options.firebase.clone() else {
        draft.fault("password_hash", "needs the parameters of the project: add --firebase-hash-config");
        return;
    };
    let mut parameters = config.0;
    parameters.insert("passwordHash".to_owned(), hash.into());
    parameters.insert("salt".to_owned(), fields::text(record, "salt").unwrap_or_default().into());
    draft.password_hash(Some(Value::Object(parameters).to_string()));
}

/// Custom claims. `role`, `roles` and claims that are true, such as `admin`, are roles.
fn claims(record: &Object, draft: &mut Draft<'_>) {
    for (name, value) in fields::object(record, "customAttributes") {
        match &value {
            Value::Bool(true) => draft.role(name.clone()),
            value if matches!(name.as_str(), "role" | "roles" | "groups") => draft.roles_in(Some(value)),
            _ => {}
        }
        draft.app_attribute(&name, Some(value));
    }
}
