//! Auth0: the user export (`POST /api/v2/jobs/users-exports`, format `json` or `csv`), and the password hashes that its
//! support exports on request, which are joined by id. A hash whose id matches no user is joined by address, if exactly
//! one account of a database connection has that address.
//!
//! Formats: <https://auth0.com/docs/manage-users/user-migration/bulk-user-exports>,
//! <https://auth0.com/docs/manage-users/users/user-profiles/user-profile-structure>, and "How to Use the Password Hashes
//! Export from Auth0" in the Auth0 support center. `custom_password_hash` and `mfa_factors` are those of the bulk import.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::without_address;
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;
use crate::report::Report;

#[derive(Default)]
pub(super) struct Auth0 {
    /// Hashes by id without its provider, and by address.
    hashes: HashMap<String, Hash>,
    by_email: HashMap<String, Vec<String>>,
    /// Ids of users at database connections, without the prefix `auth0|`.
    ids: HashSet<String>,
    /// The number of accounts of database connections, by address.
    accounts: HashMap<String, usize>,
    users: usize,
    /// Whether any user has the field `blocked`, which an export contains only if it was requested.
    has_blocked: bool,
}

struct Hash {
    text: String,
    is_used: bool,
}

impl Convert for Auth0 {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["users", "*"]]
    }

    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        if self.users == 0 && !self.hashes.is_empty() && !options.assume_active {
            return Err(Error::NoStatus("add the user export of Auth0, with the field blocked"));
        }
        Ok(())
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        let Some(id) = id_of_hash(record) else {
            self.users += 1;
            self.has_blocked |= record.contains_key("blocked");
            self.read_account(record);
            return;
        };
        let Some(text) = fields::text(record, "passwordHash") else { return };
        if let Some(email) = email_of(record) {
            let ids = self.by_email.entry(email.to_lowercase()).or_default();
            if !ids.contains(&id) {
                ids.push(id.clone());
            }
        }
        self.hashes.insert(id, Hash { text, is_used: false });
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let id_of_hash = id_of_hash(record);
        if id_of_hash.is_some() && self.users > 0 {
            return Kind::Joined;
        }
        let id = id_of(record);
        if id.is_none() && id_of_hash.is_none() && !record.contains_key("email") {
            return Kind::Unknown;
        }
        let Some(email) = email_of(record) else { return without_address(draft) };
        draft.email(Some(email.clone()));
        draft.id(id.clone().or_else(|| id_of_hash.map(|id| format!("auth0|{id}"))));
        let joined = if self.users > 0 { self.take_hash(record, &email) } else { None };
        let hash = joined.or_else(|| own_hash(record));
        draft.password_hash(hash);
        draft.record.email_verified = Some(is_verified(record, &email));
        draft.disable_if(fields::flag(record, "blocked") == Some(true));
        // Auth0 writes the address as the name of users who have none.
        draft.name(fields::text(record, "name").filter(|name| !name.eq_ignore_ascii_case(&email)));
        draft.name_parts(fields::text(record, "given_name"), fields::text(record, "family_name"));
        draft.username(fields::text(record, "username"));
        draft.phone(fields::text(record, "phone_number"), fields::flag(record, "phone_verified"));
        draft.attributes_from(record, &["nickname", "picture"]);
        draft.locale(fields::text(record, "locale"));
        for (name, value) in fields::object(record, "user_metadata") {
            draft.attribute(&name, Some(value));
        }
        let metadata = fields::object(record, "app_metadata");
        draft.roles_in(metadata.get("roles").or_else(|| fields::value(&metadata, "/authorization/roles")));
        draft.roles_in(fields::value(record, "roles"));
        for (name, value) in metadata {
            draft.app_attribute(&name, Some(value));
        }
        draft.created_at(fields::value(record, "created_at"));
        draft.updated_at(fields::value(record, "updated_at"));
        draft.last_sign_in_at(fields::value(record, "last_login"));
        identities(record, draft);
        factors(record, draft);
        Kind::User
    }

    fn finish(&mut self, report: &mut Report) {
        let unused = self.hashes.values().filter(|hash| !hash.is_used).count();
        if self.users > 0 {
            report.count_many("password hashes: no user has their id or address", unused as u64);
            if !self.has_blocked {
                report.count_many("users without the field blocked: imported as active", self.users as u64);
            }
        }
    }
}

impl Auth0 {
    fn read_account(&mut self, record: &Object) {
        let id = id_of(record);
        self.ids.extend(database_ids(record));
        if let Some(email) = email_of(record).filter(|_| is_of_database(id.as_deref())) {
            *self.accounts.entry(email.to_lowercase()).or_default() += 1;
        }
    }

    fn take_hash(&mut self, record: &Object, email: &str) -> Option<String> {
        let own = database_ids(record).into_iter().find(|id| self.hashes.contains_key(id));
        let id = match own {
            Some(id) => id,
            None if is_of_database(id_of(record).as_deref()) => self.hash_by_email(email)?.to_owned(),
            None => return None,
        };
        let hash = self.hashes.get_mut(&id)?;
        hash.is_used = true;
        Some(hash.text.clone())
    }

    /// The hash with this address, if it is the only one whose id matches no user, and one account has the address.
    fn hash_by_email(&self, email: &str) -> Option<&str> {
        let email = email.to_lowercase();
        let mut unowned = self.by_email.get(&email)?.iter().filter(|id| !self.ids.contains(*id));
        let id = unowned.next().filter(|_| self.accounts.get(&email) == Some(&1))?;
        unowned.next().is_none().then_some(id)
    }
}

fn id_of(record: &Object) -> Option<String> {
    fields::first_text(record, &["user_id", "Id"])
}

/// The ids of a user at database connections: its own, and those of linked accounts.
fn database_ids(record: &Object) -> Vec<String> {
    let own = id_of(record).and_then(|id| id_of_database(&id).map(str::to_owned));
    let identities = fields::objects(record, "identities").into_iter();
    let linked = identities.filter(|at| at.get("provider").is_some_and(|provider| provider == "auth0"));
    own.into_iter().chain(linked.filter_map(|at| fields::text(&at, "user_id"))).collect()
}

/// The id without its provider, if that is a database connection.
fn id_of_database(id: &str) -> Option<&str> {
    id.strip_prefix("auth0|")
}

/// Whether a user can have a password at Auth0. One without an id can.
fn is_of_database(id: Option<&str>) -> bool {
    id.is_none_or(|id| id_of_database(id).is_some())
}

/// The id of an entry in the export of hashes: `alt_id`, or the id of the database.
fn id_of_hash(record: &Object) -> Option<String> {
    let id = fields::text(record, "/_id/$oid")?;
    Some(fields::text(record, "alt_id").unwrap_or(id))
}

fn email_of(record: &Object) -> Option<String> {
    fields::first_text(record, &["email", "Email"])
        .or_else(|| identifier(record)?.get("value").and_then(fields::as_text))
}

/// The address among `identifiers`, if it is not in the user itself.
fn identifier(record: &Object) -> Option<Object> {
    fields::objects(record, "identifiers").into_iter().find(|at| at.get("type").is_some_and(|kind| kind == "email"))
}

fn is_verified(record: &Object, email: &str) -> bool {
    let of_user = fields::flag(record, "email_verified").or_else(|| fields::flag(record, "Email Verified"));
    let of_identifier = || {
        let identifier = identifier(record).filter(|at| fields::text(at, "value").as_deref() == Some(email))?;
        fields::flag(&identifier, "verified")
    };
    of_user.or_else(of_identifier).unwrap_or(false)
}

fn own_hash(record: &Object) -> Option<String> {
    if let Some(custom) = record.get("custom_password_hash").filter(|custom| custom.is_object()) {
        return Some(custom.to_string());
    }
    fields::first_text(record, &["password_hash", "passwordHash"])
}

fn identities(record: &Object, draft: &mut Draft<'_>) {
    for identity in fields::objects(record, "identities") {
        let Some(provider) = fields::text(&identity, "provider") else { continue };
        // Accounts of Auth0 itself: database and passwordless connections.
        if matches!(provider.as_str(), "auth0" | "email" | "sms") {
            continue;
        }
        let connection = fields::text(&identity, "connection").unwrap_or_default();
        let Some(subject) = fields::text(&identity, "user_id") else { continue };
        let subject = subject.strip_prefix(&format!("{connection}|")).unwrap_or(&subject).to_owned();
        // Enterprise connections have custom names.
        let is_generic = matches!(provider.as_str(), "oidc" | "oauth2" | "samlp" | "waad" | "adfs" | "okta");
        let name = if is_generic && !connection.is_empty() { connection } else { provider };
        let email = fields::text(&identity, "/profileData/email");
        draft.identity(&name, Some(subject), Details { email, ..Details::default() });
    }
}

fn factors(record: &Object, draft: &mut Draft<'_>) {
    for factor in fields::objects(record, "mfa_factors") {
        match fields::text(&factor, "/totp/secret") {
            Some(secret) => draft.totp(&secret, None),
            None => draft.omit("second factors by phone or email: not supported"),
        }
    }
    let named = fields::list(record, "multifactor").iter().filter(|name| matches!(name, Value::String(_))).count();
    if !record.contains_key("mfa_factors") {
        draft.omit_many("second factors: not exported by Auth0", named);
    }
}
