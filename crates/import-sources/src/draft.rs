//! A user under construction.

use serde_json::Value;

use crate::fields::{self, Object};
use crate::options::Options;
use crate::record::{Identity, Record, Totp};
use crate::report::Report;
use crate::rows::Fault;
use crate::{issuers, moment};

/// Counted for TOTP with other parameters.
pub(crate) const UNSUPPORTED_TOTP: &str = "TOTP secrets: only SHA-1 with 6 digits and 30 seconds is supported";

/// A user whose fields are set by a converter.
pub(crate) struct Draft<'a> {
    pub(crate) record: Record,
    pub(crate) faults: Vec<Fault>,
    pub(crate) options: &'a Options,
    report: &'a mut Report,
    roles: Vec<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    username: Option<String>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(options: &'a Options, report: &'a mut Report) -> Self {
        let record = Record { status: Some("active"), ..Record::default() };
        Self {
            record,
            faults: Vec::new(),
            options,
            report,
            roles: Vec::new(),
            given_name: None,
            family_name: None,
            username: None,
        }
    }

    pub(crate) fn fault(&mut self, field: &'static str, reason: impl Into<String>) {
        self.faults.push(Fault { field, reason: reason.into() });
    }

    /// Counts data that is not carried over.
    pub(crate) fn omit(&mut self, kind: &str) {
        self.report.count(kind);
    }

    pub(crate) fn omit_many(&mut self, kind: &str, count: usize) {
        self.report.count_many(kind, count as u64);
    }

    pub(crate) fn email(&mut self, email: Option<String>) {
        self.record.email = email.unwrap_or_default();
    }

    /// The id in the other system: as the id if it is a UUID, otherwise as the attribute `previous_id`.
    pub(crate) fn id(&mut self, id: Option<String>) {
        let Some(id) = id else { return };
        if is_uuid(&id) {
            self.record.id = Some(id.to_ascii_lowercase());
        } else {
            self.app_attribute("previous_id", Some(id.into()));
        }
    }

    pub(crate) fn name(&mut self, name: Option<String>) {
        if let Some(name) = name {
            self.record.name = name;
        }
    }

    /// The parts of a name, also as attributes.
    pub(crate) fn name_parts(&mut self, given: Option<String>, family: Option<String>) {
        self.attribute("given_name", given.clone().map(Value::from));
        self.attribute("family_name", family.clone().map(Value::from));
        self.given_name = given.or(self.given_name.take());
        self.family_name = family.or(self.family_name.take());
    }

    /// The user name: an attribute, and the name of a user who has no other.
    pub(crate) fn username(&mut self, username: Option<String>) {
        // Many systems use the address.
        if username.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(&self.record.email)) {
            self.attribute("username", username.clone().map(Value::from));
            self.username = username;
        }
    }

    pub(crate) fn phone(&mut self, phone: Option<String>, is_verified: Option<bool>) {
        if let Some(phone) = phone {
            self.attribute("phone", Some(phone.into()));
            self.attribute("phone_verified", is_verified.map(Value::from));
        }
    }

    pub(crate) fn attribute(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|value| !fields::is_empty(value)) {
            self.record.attributes.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn app_attribute(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|value| !fields::is_empty(value)) {
            self.record.app_attributes.insert(name.to_owned(), value);
        }
    }

    /// Copies fields to attributes of the same names.
    pub(crate) fn attributes_from(&mut self, record: &Object, names: &[&str]) {
        for name in names {
            self.attribute(name, fields::value(record, name).cloned());
        }
    }

    pub(crate) fn disable_if(&mut self, is_disabled: bool) {
        if is_disabled {
            self.record.status = Some("disabled");
        }
    }

    pub(crate) fn locale(&mut self, locale: Option<String>) {
        // POSIX writes en_US, BCP 47 en-US.
        self.record.locale = locale.map(|locale| locale.replace('_', "-"));
    }

    pub(crate) fn created_at(&mut self, value: Option<&Value>) {
        self.record.created_at = self.moment("created_at", value);
    }

    pub(crate) fn updated_at(&mut self, value: Option<&Value>) {
        self.record.updated_at = self.moment("updated_at", value);
    }

    pub(crate) fn last_sign_in_at(&mut self, value: Option<&Value>) {
        self.record.last_sign_in_at = self.moment("last_sign_in_at", value);
    }

    pub(crate) fn moment(&mut self, field: &'static str, value: Option<&Value>) -> Option<String> {
        let moment = moment::rfc3339(value?);
        if moment.is_err() {
            self.fault(field, "is not a time");
        }
        moment.ok().flatten()
    }

    /// A password hash. Ignored if empty.
    pub(crate) fn password_hash(&mut self, hash: Option<String>) {
        self.record.password_hash = hash;
    }

    pub(crate) fn role(&mut self, name: String) {
        if !self.roles.contains(&name) {
            self.roles.push(name);
        }
    }

    /// Roles in a string or an array of strings or of objects with a name.
    pub(crate) fn roles_in(&mut self, value: Option<&Value>) {
        match value {
            Some(Value::Array(elements)) => elements.iter().for_each(|element| self.roles_in(Some(element))),
            Some(Value::Object(object)) => {
                if let Some(name) = fields::first_text(object, &["name", "display", "value"]) {
                    self.role(name);
                }
            }
            Some(value) => {
                if let Some(name) = fields::as_text(value) {
                    self.role(name);
                }
            }
            None => {}
        }
    }

    /// An identity at a provider that the other system calls `name`. Omitted if its issuer is unknown.
    pub(crate) fn identity(&mut self, name: &str, subject: Option<String>, details: Details<'_>) {
        let Some(subject) = subject else { return };
        let mapped = self.options.map.issuers.get(name).map(|issuer| (None, issuer.as_str()));
        let known = issuers::known(name).map(|(preset, issuer)| (Some(preset), issuer));
        let given = details.issuer.map(|issuer| (None, issuer));
        let Some((provider, issuer)) = mapped.or(known).or(given) else {
            self.omit(&format!("identities at {name}: the issuer is unknown; add it under [issuers] to --map"));
            return;
        };
        let created_at = self.moment("identities", details.created_at);
        let identity = Identity {
            issuer: issuer.to_owned(),
            subject,
            provider: provider.map(str::to_owned),
            email: details.email,
            created_at,
        };
        if !self
            .record
            .identities
            .iter()
            .any(|other| other.issuer == identity.issuer && other.subject == identity.subject)
        {
            self.record.identities.push(identity);
        }
    }

    /// A TOTP secret in base32. Omitted if it is invalid.
    pub(crate) fn totp(&mut self, secret: &str, confirmed_at: Option<String>) {
        let secret: String = secret.chars().filter(|at| !matches!(at, ' ' | '-' | '=')).collect();
        let secret = secret.to_ascii_uppercase();
        if secret.is_empty() || !secret.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
            self.omit("TOTP secrets: not base32");
        } else if self.record.totp.is_some() {
            self.omit("TOTP secrets: only the first one of a user is imported");
        } else {
            self.record.totp = Some(Totp { secret, confirmed_at });
        }
    }

    /// Completes the record: roles, name, and the fields of the map.
    pub(crate) fn finish(mut self, source: &Object) -> (Record, Vec<Fault>) {
        self.apply_map(source);
        self.apply_roles();
        self.apply_name();
        if let Some(totp) = &mut self.record.totp {
            totp.confirmed_at = totp.confirmed_at.take().or_else(|| self.record.created_at.clone());
        }
        if self.record.email.is_empty() {
            self.fault("email", "is missing");
        }
        let has_nul = |text: &str| text.contains('\0');
        if has_nul(&self.record.email) || has_nul(&self.record.name) {
            self.fault("name", "contains a NUL character");
        }
        if contains_nul(&self.record.attributes) || contains_nul(&self.record.app_attributes) {
            self.fault("attributes", "contain a NUL character");
        }
        (self.record, self.faults)
    }

    fn apply_roles(&mut self) {
        if self.record.role.is_some() {
            return;
        }
        let roles = std::mem::take(&mut self.roles);
        let options = self.options;
        let mapped = options.roles.iter().find(|map| roles.contains(&map.source));
        self.record.role = mapped.map(|map| map.role.clone());
        for name in roles.iter().filter(|name| !options.roles.iter().any(|map| map.source == **name)) {
            let name: String = name.chars().take(64).collect();
            self.omit(&format!("users with the role or group {name}: no --role-map for it"));
        }
    }

    fn apply_name(&mut self) {
        if !self.record.name.trim().is_empty() {
            return;
        }
        let parts: Vec<String> = [&self.given_name, &self.family_name].into_iter().flatten().cloned().collect();
        self.record.name = match (parts.is_empty(), self.username.take()) {
            (false, _) => parts.join(" "),
            (true, Some(username)) => username,
            (true, None) => self.record.email.clone(),
        };
    }
}

/// Optional properties of an identity.
#[derive(Default)]
pub(crate) struct Details<'a> {
    pub(crate) issuer: Option<&'a str>,
    pub(crate) email: Option<String>,
    pub(crate) created_at: Option<&'a Value>,
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn contains_nul(object: &Object) -> bool {
    fn is_found(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(elements) => elements.iter().any(is_found),
            Value::Object(object) => contains_nul(object),
            _ => false,
        }
    }
    object.iter().any(|(name, value)| name.contains('\0') || is_found(value))
}
