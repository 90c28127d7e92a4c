//! Clerk: the CSV file of *Settings → Export all users*, and the JSON of `GET /v1/users` of the Backend API,
//! which contains bans, metadata, identities and times, missing from the CSV file. Each can be used alone.
//!
//! Formats: <https://clerk.com/docs/guides/development/migrating/overview>, the samples of clerk/migration-tool, and the
//! object `User` of <https://clerk.com/docs/reference/backend-api>.

use std::collections::HashMap;

use super::{hex_digest, without_address};
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;

#[derive(Default)]
pub(super) struct Clerk {
    /// Users of the API, by id.
    users: HashMap<String, Object>,
    has_csv: bool,
    has_api: bool,
}

impl Convert for Clerk {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["data", "*"], &["users", "*"]]
    }

    fn check_columns(&mut self, columns: &[String]) {
        // A CSV file with the column `banned` does not require the second file.
        self.has_csv |= !columns.iter().any(|column| column == "banned");
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        if is_of_api(record)
            && let Some(id) = fields::text(record, "id")
        {
            self.has_api = true;
            self.users.insert(id, record.clone());
        }
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        if self.has_csv && !self.has_api && !options.assume_active {
            return Err(Error::NoStatus("add the JSON of GET /v1/users of Clerk's Backend API"));
        }
        Ok(())
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let Some(id) = fields::text(record, "id") else { return Kind::Unknown };
        if is_of_api(record) {
            if self.has_csv {
                return Kind::Joined;
            }
            return convert(record, record, draft);
        }
        let of_api = self.users.get(&id).cloned().unwrap_or_default();
        convert(record, &of_api, draft)
    }
}

fn is_of_api(record: &Object) -> bool {
    record.contains_key("email_addresses")
}

/// Hashes and secrets are only in the CSV file; everything else is read from the API if it is there.
fn convert(csv: &Object, api: &Object, draft: &mut Draft<'_>) -> Kind {
    let either = |name: &str| fields::text(api, name).or_else(|| fields::text(csv, name));
    let (email, is_verified) = address(api).unwrap_or_else(|| address_of_csv(csv));
    if email.is_none() {
        return without_address(draft);
    }
    draft.email(email);
    draft.id(either("id"));
    draft.record.email_verified = Some(is_verified);
    let is_set = |name| fields::flag(api, name).or_else(|| fields::flag(csv, name)) == Some(true);
    draft.disable_if(is_set("banned") || is_set("locked"));
    draft.name_parts(either("first_name"), either("last_name"));
    draft.username(either("username"));
    draft.attribute("picture", fields::value(api, "image_url").cloned());
    phone(csv, api, draft);
    draft.created_at(fields::value(api, "created_at").or_else(|| fields::value(csv, "created_at")));
    draft.updated_at(fields::value(api, "updated_at").or_else(|| fields::value(csv, "updated_at")));
    draft.last_sign_in_at(fields::value(api, "last_sign_in_at"));
    metadata(csv, api, draft);
    for account in fields::objects(api, "external_accounts") {
        let name = fields::text(&account, "provider").unwrap_or_default();
        let subject = fields::first_text(&account, &["provider_user_id", "google_id", "facebook_id", "external_id"]);
        let details = Details { email: fields::text(&account, "email_address"), ..Details::default() };
        draft.identity(&name, subject, details);
    }
    if let Some(digest) = fields::text(csv, "password_digest") {
        let hasher = fields::text(csv, "password_hasher").unwrap_or_default();
        draft.password_hash(Some(password_hash(&hasher, digest)));
    } else if fields::flag(api, "password_enabled") == Some(true) {
        draft.omit("passwords: not in the Backend API; use the CSV export too");
    }
    match fields::text(csv, "totp_secret") {
        Some(secret) => draft.totp(&secret, None),
        None if fields::flag(api, "totp_enabled") == Some(true) => {
            draft.omit("TOTP secrets: not in the Backend API; use the CSV export too");
        }
        None => {}
    }
    if is_set_either(csv, api, "backup_code_enabled") || fields::flag(csv, "backup_codes_enabled") == Some(true) {
        draft.omit("backup codes: users get new ones");
    }
    draft.omit_many("passkeys: not exported by Clerk", fields::list(api, "passkeys").len());
    Kind::User
}

fn is_set_either(csv: &Object, api: &Object, name: &str) -> bool {
    [csv, api].iter().any(|object| fields::flag(object, name) == Some(true))
}

fn address(api: &Object) -> Option<(Option<String>, bool)> {
    let primary = fields::text(api, "primary_email_address_id");
    let addresses = fields::objects(api, "email_addresses");
    let found = addresses.iter().find(|at| fields::text(at, "id") == primary).or(addresses.first())?;
    let status = fields::text(found, "/verification/status");
    Some((fields::text(found, "email_address"), status.is_some_and(|status| status == "verified")))
}

fn address_of_csv(csv: &Object) -> (Option<String>, bool) {
    let list = |name| split(fields::text(csv, name));
    let verified = list("verified_email_addresses");
    let email = fields::text(csv, "primary_email_address");
    let email = email.or_else(|| verified.first().cloned());
    let email = email.or_else(|| list("unverified_email_addresses").first().cloned());
    let is_verified = email.as_ref().is_some_and(|email| verified.contains(email));
    (email, is_verified)
}

fn phone(csv: &Object, api: &Object, draft: &mut Draft<'_>) {
    let primary = fields::text(api, "primary_phone_number_id");
    let numbers = fields::objects(api, "phone_numbers");
    if let Some(number) = numbers.iter().find(|at| fields::text(at, "id") == primary).or(numbers.first()) {
        let is_verified = fields::text(number, "/verification/status").is_some_and(|status| status == "verified");
        return draft.phone(fields::text(number, "phone_number"), Some(is_verified));
    }
    let verified = split(fields::text(csv, "verified_phone_numbers"));
    let number = fields::text(csv, "primary_phone_number").or_else(|| verified.first().cloned());
    let is_verified = number.as_ref().is_some_and(|number| verified.contains(number));
    draft.phone(number, Some(is_verified));
}

/// Lists in the CSV file are separated by `|` or a comma.
fn split(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_default();
    list.split(['|', ',']).map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

fn metadata(csv: &Object, api: &Object, draft: &mut Draft<'_>) {
    let either = |name| {
        let found = fields::object(api, name);
        if found.is_empty() { fields::object(csv, name) } else { found }
    };
    for (name, value) in either("unsafe_metadata") {
        draft.attribute(&name, Some(value));
    }
    // Only backends write both. The public one can be read in the browser.
    for kind in ["private_metadata", "public_metadata"] {
        for (name, value) in either(kind) {
            if matches!(name.as_str(), "role" | "roles") {
                draft.roles_in(Some(&value));
            }
            draft.app_attribute(&name, Some(value));
        }
    }
}

/// Clerk stores hashes as they were imported, in the format that `password_hasher` names.
fn password_hash(hasher: &str, digest: String) -> String {
    let is_hex = !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match hasher {
        "md5" if is_hex => hex_digest("md5", &digest),
        "sha256" if is_hex => hex_digest("sha256", &digest),
        "sha512" if is_hex => hex_digest("sha512", &digest),
        "scrypt_firebase" => firebase(&digest).unwrap_or(digest),
        _ => digest,
    }
}

/// `hash$salt$signer key$salt separator$rounds$memory cost`.
fn firebase(digest: &str) -> Option<String> {
    let parts: Vec<&str> = digest.split('$').collect();
    let &[hash, salt, signer_key, separator, rounds, mem_cost] = parts.as_slice() else { return None };
    let parameters = serde_json::json!({
        "passwordHash": hash, "salt": salt, "base64_signer_key": signer_key, "base64_salt_separator": separator,
        "rounds": rounds.parse::<u32>().ok()?, "mem_cost": mem_cost.parse::<u32>().ok()?,
    });
    Some(parameters.to_string())
}
