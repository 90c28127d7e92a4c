//! Django: the output of `manage.py dumpdata` (JSON or JSONL), or the tables as CSV files: `auth_user`, and with it
//! `auth_group`, `auth_user_groups`, those of django-allauth (`account_emailaddress`, `socialaccount_socialaccount`,
//! `mfa_authenticator`) and of django-otp (`otp_totp_totpdevice`). User models of other names are recognised by their
//! fields.
//!
//! Formats: <https://docs.djangoproject.com/en/stable/topics/serialization/>, `django/contrib/auth/models.py`, and the
//! models of django-allauth and django-otp.

use std::collections::HashMap;

use serde_json::Value;

use super::without_address;
use crate::base32;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft, UNSUPPORTED_TOTP};
use crate::fields::{self, Object};

#[derive(Default)]
pub(super) struct Django {
    /// Names of groups by id.
    groups: HashMap<String, String>,
    /// Records that are joined to users, by id or name.
    joined: HashMap<Owner, Joined>,
}

/// A foreign key: ids and names are separate, because a user name can equal the id of another user.
#[derive(PartialEq, Eq, Hash)]
enum Owner {
    Id(String),
    /// A natural key.
    Name(String),
}

#[derive(Default)]
struct Joined {
    /// Addresses in lower case, and whether they are verified.
    addresses: Vec<(String, bool)>,
    accounts: Vec<Object>,
    totp_secrets: Vec<Totp>,
    groups: Vec<Owner>,
    other_factors: usize,
}

enum Totp {
    Secret(String),
    Unsupported,
}

/// Fields of a user that are not copied to attributes.
const KNOWN: [&str; 16] = [
    "password",
    "last_login",
    "is_superuser",
    "username",
    "first_name",
    "last_name",
    "name",
    "full_name",
    "email",
    "is_staff",
    "is_active",
    "date_joined",
    "groups",
    "user_permissions",
    "phone",
    "phone_number",
];

impl Convert for Django {
    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        let (fields, _) = fields_of(record);
        if is_user(fields) {
            return;
        }
        if let (Some(user), Some(group)) = (fields::text(fields, "user_id"), fields::text(fields, "group_id")) {
            self.joined.entry(Owner::Id(user)).or_default().groups.push(Owner::Id(group));
        } else if let Some(user) = key(fields.get("user").or_else(|| fields.get("user_id"))) {
            read_record_of_user(self.joined.entry(user).or_default(), fields);
        } else if is_group(record, fields)
            && let (Some(id), Some(name)) = (id_of(record), fields::text(fields, "name"))
        {
            self.groups.insert(id, name);
        }
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let (fields, is_dump) = fields_of(record);
        if !is_user(fields) {
            // A dump contains all models.
            let is_joined = is_dump || fields.contains_key("user_id") || is_group(record, fields);
            return if is_joined { Kind::Joined } else { Kind::Unknown };
        }
        let id = id_of(record);
        let username = fields::text(fields, "username");
        let owners = [id.clone().map(Owner::Id), username.clone().map(Owner::Name)];
        let joined = owners.iter().flatten().find_map(|owner| self.joined.remove(owner)).unwrap_or_default();
        let email = fields::text(fields, "email").or_else(|| joined.addresses.first().map(|(email, _)| email.clone()));
        let Some(email) = email else { return without_address(draft) };
        let is_this = |(address, is_verified): &(String, bool)| *is_verified && *address == email.to_lowercase();
        draft.record.email_verified = Some(joined.addresses.iter().any(is_this));
        draft.email(Some(email));
        draft.password_hash(fields::text(fields, "password"));
        draft.disable_if(fields::flag(fields, "is_active") == Some(false));
        draft.name(fields::first_text(fields, &["full_name", "name"]));
        draft.name_parts(fields::text(fields, "first_name"), fields::text(fields, "last_name"));
        draft.username(username);
        draft.phone(fields::first_text(fields, &["phone", "phone_number"]), None);
        draft.created_at(fields::value(fields, "date_joined"));
        draft.last_sign_in_at(fields::value(fields, "last_login"));
        for (name, value) in fields.iter().filter(|(name, _)| *name != "id" && !KNOWN.contains(&name.as_str())) {
            draft.app_attribute(name, Some(value.clone()));
        }
        draft.id(id);
        self.roles(fields, &joined, draft);
        finish(&joined, draft);
        Kind::User
    }
}

impl Django {
    fn roles(&self, fields: &Object, joined: &Joined, draft: &mut Draft<'_>) {
        for (name, role) in [("is_superuser", "superuser"), ("is_staff", "staff")] {
            if fields::flag(fields, name) == Some(true) {
                draft.role(role.to_owned());
            }
        }
        let ids = fields::list(fields, "groups").iter().filter_map(|group| key(Some(group))).collect::<Vec<_>>();
        for group in ids.iter().chain(&joined.groups) {
            let name = match group {
                Owner::Id(id) => self.groups.get(id).unwrap_or(id),
                Owner::Name(name) => name,
            };
            draft.role(name.clone());
        }
        draft.omit_many("permissions of single users: use roles", fields::list(fields, "user_permissions").len());
    }
}

/// The fields of a record: those of a dump, or the columns of a table.
fn fields_of(record: &Object) -> (&Object, bool) {
    match record.get("fields").and_then(Value::as_object) {
        Some(fields) => (fields, true),
        None => (record, false),
    }
}

fn is_user(fields: &Object) -> bool {
    fields.contains_key("password")
        && ["is_active", "last_login", "email"].iter().any(|name| fields.contains_key(*name))
}

fn is_group(record: &Object, fields: &Object) -> bool {
    match fields::text(record, "model") {
        Some(model) => model == "auth.group",
        None => fields.len() == 2 && fields.contains_key("name"),
    }
}

fn id_of(record: &Object) -> Option<String> {
    fields::first_text(record, &["pk", "id"])
}

/// A foreign key: an id, or a natural key.
fn key(value: Option<&Value>) -> Option<Owner> {
    match value? {
        Value::Array(parts) => parts.first().and_then(fields::as_text).map(Owner::Name),
        value => fields::as_text(value).map(Owner::Id),
    }
}

fn read_record_of_user(joined: &mut Joined, fields: &Object) {
    if fields.contains_key("verified") && fields.contains_key("email") {
        if let Some(email) = fields::text(fields, "email") {
            joined.addresses.push((email.to_lowercase(), fields::flag(fields, "verified") == Some(true)));
        }
    } else if fields.contains_key("uid") && fields.contains_key("provider") {
        joined.accounts.push(fields.clone());
    } else if let Some(key) = fields::text(fields, "key").filter(|_| fields.contains_key("digits")) {
        read_device(joined, fields, &key);
    } else if fields.contains_key("data") && fields.contains_key("type") {
        match fields::text(fields, "type").as_deref() {
            Some("totp") => {
                let secret = fields::text(&fields::object(fields, "data"), "secret");
                joined.totp_secrets.push(secret.map_or(Totp::Unsupported, Totp::Secret));
            }
            _ => joined.other_factors += 1,
        }
    }
}

/// A device of django-otp: the key in hexadecimal digits.
fn read_device(joined: &mut Joined, fields: &Object, key: &str) {
    if fields::flag(fields, "confirmed") == Some(false) {
        return;
    }
    let is_number = |name, expected: &str| fields::text(fields, name).is_none_or(|number| number == expected);
    let is_standard = is_number("digits", "6") && is_number("step", "30") && is_number("t0", "0");
    let bytes = is_standard.then(|| unhex(key)).flatten();
    joined.totp_secrets.push(bytes.map_or(Totp::Unsupported, |bytes| Totp::Secret(base32::encode(&bytes))));
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect()
}

fn finish(joined: &Joined, draft: &mut Draft<'_>) {
    draft.omit_many("further email addresses: a user has one", joined.addresses.len().saturating_sub(1));
    draft.omit_many("recovery codes and WebAuthn credentials: users get new ones", joined.other_factors);
    for account in &joined.accounts {
        let extra = fields::object(account, "extra_data");
        let details = Details {
            issuer: None,
            email: fields::text(&extra, "email"),
            created_at: fields::value(account, "date_joined"),
        };
        draft.identity(&fields::text(account, "provider").unwrap_or_default(), fields::text(account, "uid"), details);
    }
    for totp in &joined.totp_secrets {
        match totp {
            Totp::Secret(secret) => draft.totp(secret, None),
            Totp::Unsupported => draft.omit(UNSUPPORTED_TOTP),
        }
    }
}
