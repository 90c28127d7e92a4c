//! Supabase Auth: the tables `auth.users`, and with it `auth.identities` and `auth.mfa_factors`, as CSV or JSON; or the
//! response of `GET /auth/v1/admin/users`, which has no hashes.
//!
//! Format: the migrations of supabase/auth (`migrations/`), and `internal/models/user.go`.

use std::collections::HashMap;

use serde_json::Value;

use super::without_address;
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;

#[derive(Default)]
pub(super) struct Supabase {
    /// By user.
    identities: HashMap<String, Vec<Object>>,
    factors: HashMap<String, Vec<Object>>,
    lacks_status: bool,
}

/// Providers of accounts at Supabase itself.
const OWN_PROVIDERS: [&str; 3] = ["email", "phone", "anonymous"];

impl Convert for Supabase {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["users", "*"]]
    }

    fn check_columns(&mut self, columns: &[String]) {
        let has = |name: &str| columns.iter().any(|column| column == name);
        self.lacks_status |= has("email") && has("raw_user_meta_data") && !has("banned_until");
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        let Some(user) = fields::text(record, "user_id") else { return };
        if record.contains_key("identity_data") {
            self.identities.entry(user).or_default().push(record.clone());
        } else if record.contains_key("factor_type") {
            self.factors.entry(user).or_default().push(record.clone());
        }
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        if self.lacks_status && !options.assume_active {
            return Err(Error::NoStatus("export auth.users with the column banned_until"));
        }
        Ok(())
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        if record.contains_key("identity_data") || record.contains_key("factor_type") {
            return Kind::Joined;
        }
        let Some(id) = fields::text(record, "id") else { return Kind::Unknown };
        if fields::value(record, "deleted_at").is_some() {
            draft.omit("deleted users: left out");
            return Kind::LeftOut;
        }
        let Some(email) = fields::text(record, "email") else { return without_address(draft) };
        draft.email(Some(email));
        draft.record.email_verified = Some(is_email_confirmed(record));
        // Disabled even if the ban has ended: an administrator can enable the user.
        draft.disable_if(is_set(record, "banned_until"));
        draft.password_hash(fields::text(record, "encrypted_password"));
        // Supabase stores numbers without the plus sign of E.164.
        let is_bare = |phone: &String| phone.bytes().all(|byte| byte.is_ascii_digit());
        let phone =
            fields::text(record, "phone").map(|phone| if is_bare(&phone) { format!("+{phone}") } else { phone });
        draft.phone(phone, Some(is_set(record, "phone_confirmed_at")));
        draft.created_at(fields::value(record, "created_at"));
        draft.updated_at(fields::value(record, "updated_at"));
        draft.last_sign_in_at(fields::value(record, "last_sign_in_at"));
        metadata(record, draft);
        let mut identities = self.identities.remove(&id).unwrap_or_default();
        identities.extend(fields::objects(record, "identities"));
        for at in &identities {
            identity(at, draft);
        }
        let mut factors = self.factors.remove(&id).unwrap_or_default();
        factors.extend(fields::objects(record, "factors"));
        for at in &factors {
            factor(at, draft);
        }
        draft.id(Some(id));
        Kind::User
    }
}

/// `confirmed_at` is the earlier one of `email_confirmed_at` and `phone_confirmed_at`. Older versions have only
/// `confirmed_at`.
fn is_email_confirmed(record: &Object) -> bool {
    if record.contains_key("email_confirmed_at") {
        return is_set(record, "email_confirmed_at");
    }
    is_set(record, "confirmed_at") && !is_set(record, "phone_confirmed_at")
}

/// Whether a time is set. Permanent bans have the value `infinity` of PostgreSQL.
fn is_set(record: &Object, name: &str) -> bool {
    fields::value(record, name).is_some_and(|value| *value != Value::Bool(false))
}

/// Metadata that providers set, which is not copied to attributes.
const KNOWN: [&str; 18] = [
    "full_name",
    "name",
    "display_name",
    "given_name",
    "first_name",
    "family_name",
    "last_name",
    "picture",
    "avatar_url",
    "locale",
    "email",
    "email_verified",
    "phone_verified",
    "iss",
    "sub",
    "provider_id",
    "custom_claims",
    "phone",
];

fn metadata(record: &Object, draft: &mut Draft<'_>) {
    let either = |database, api| {
        let found = fields::object(record, database);
        if found.is_empty() { fields::object(record, api) } else { found }
    };
    let user = either("raw_user_meta_data", "user_metadata");
    draft.name(fields::first_text(&user, &["full_name", "name", "display_name"]));
    draft.name_parts(
        fields::first_text(&user, &["given_name", "first_name"]),
        fields::first_text(&user, &["family_name", "last_name"]),
    );
    draft.attribute("picture", user.get("picture").or_else(|| user.get("avatar_url")).cloned());
    draft.locale(fields::text(&user, "locale"));
    for (name, value) in user {
        if !KNOWN.contains(&name.as_str()) {
            draft.attribute(&name, Some(value));
        }
    }
    for (name, value) in either("raw_app_meta_data", "app_metadata") {
        match name.as_str() {
            "provider" | "providers" => {}
            "role" | "roles" | "groups" => {
                draft.roles_in(Some(&value));
                draft.app_attribute(&name, Some(value));
            }
            _ => draft.app_attribute(&name, Some(value)),
        }
    }
}

fn identity(identity: &Object, draft: &mut Draft<'_>) {
    let provider = fields::text(identity, "provider").unwrap_or_default();
    if OWN_PROVIDERS.contains(&provider.as_str()) {
        return;
    }
    let data = fields::object(identity, "identity_data");
    // `id` was the subject before the column `provider_id` existed.
    let subject = fields::text(&data, "sub")
        .or_else(|| fields::text(identity, "provider_id"))
        .or_else(|| fields::text(identity, "id"));
    let issuer = fields::text(&data, "iss");
    let details = Details {
        issuer: issuer.as_deref(),
        email: fields::text(&data, "email"),
        created_at: fields::value(identity, "created_at"),
    };
    draft.identity(&provider, subject, details);
}

fn factor(factor: &Object, draft: &mut Draft<'_>) {
    if fields::text(factor, "status").is_some_and(|status| status != "verified") {
        return;
    }
    let is_totp = fields::text(factor, "factor_type").is_some_and(|kind| kind == "totp");
    match fields::text(factor, "secret") {
        _ if !is_totp => draft.omit("second factors by phone or WebAuthn: not supported"),
        None => draft.omit("TOTP secrets: not in the file; add the table auth.mfa_factors"),
        Some(secret) => {
            let confirmed_at = draft.moment("totp", fields::value(factor, "created_at"));
            draft.totp(&secret, confirmed_at);
        }
    }
}
