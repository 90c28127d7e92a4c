//! What the converters of all systems share: a record under construction.

use serde_json::Value;

use crate::fields::{self, Object};
use crate::options::Options;
use crate::record::{Identity, Record, Totp};
use crate::report::Report;
use crate::rows::Fault;
use crate::{Error, input, issuers, moment};

/// Reads the records of one system.
pub(crate) trait Convert: Send {
    /// Where its JSON files contain records.
    fn paths(&self) -> input::Paths {
        &[&[], &["*"]]
    }

    /// How its CSV files are read.
    fn csv(&self) -> input::Format<'_> {
        input::Format::default()
    }

    /// Checks the columns of a CSV file.
    fn check_columns(&mut self, _columns: &[String]) {}

    /// Whether all files are read once before the users: something is joined to them.
    fn joins(&self, files: usize) -> bool {
        files > 1
    }

    /// Keeps what is joined to users.
    fn learn(&mut self, _kind: &str, _record: &Object) {}

    /// Checks what was learned, before any user is converted.
    fn check(&mut self, _options: &Options) -> Result<(), Error> {
        Ok(())
    }

    /// Fills the draft of a user.
    fn convert(&mut self, kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind;

    /// Counts what was learned and joined to no user.
    fn finish(&mut self, _report: &mut Report) {}
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user.
    User,
    /// Something that is joined to users, or read for them.
    Joined,
    /// A user who is left out; counted already.
    LeftOut,
    /// Something else.
    Unknown,
}

/// A user under construction.
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
        let record = Record { status: "active", ..Record::default() };
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

    /// Counts something that is not carried over.
    pub(crate) fn lose(&mut self, kind: &str) {
        self.report.count(kind);
    }

    pub(crate) fn lose_many(&mut self, kind: &str, count: usize) {
        self.report.count_many(kind, count as u64);
    }

    pub(crate) fn email(&mut self, email: Option<String>) {
        self.record.email = email.unwrap_or_default();
    }

    /// The id in the other system: as the id if it is a UUID, otherwise as the attribute `previous_id`.
    pub(crate) fn id(&mut self, id: Option<String>) {
        match id {
            Some(id) if is_uuid(&id) => self.record.id = Some(id.to_ascii_lowercase()),
            Some(id) => self.app_attribute("previous_id", Some(id.into())),
            None => {}
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

    /// Attributes of the same names, as they are.
    pub(crate) fn attributes_from(&mut self, record: &Object, names: &[&str]) {
        for name in names {
            self.attribute(name, fields::value(record, name).cloned());
        }
    }

    pub(crate) fn disable_if(&mut self, is_disabled: bool) {
        if is_disabled {
            self.record.status = "disabled";
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
        match moment::rfc3339(value?) {
            Ok(moment) => moment,
            Err(moment::NotATime) => {
                self.fault(field, "is not a time");
                None
            }
        }
    }

    /// A password hash. An empty one is none.
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
                if let Some(name) = fields::first_text(object, &["name", "value", "display"]) {
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

    /// An identity at a provider that the other system calls `name`. Counted as lost if its issuer is unknown.
    pub(crate) fn identity(&mut self, name: &str, subject: Option<String>, details: Details<'_>) {
        let Some(subject) = subject else { return };
        let mapped = self.options.map.issuers.get(name).map(|issuer| (None, issuer.as_str()));
        let known = issuers::known(name).map(|(preset, issuer)| (Some(preset), issuer));
        let given = details.issuer.map(|issuer| (None, issuer));
        let Some((provider, issuer)) = mapped.or(known).or(given) else {
            self.lose(&format!("identities at {name}: the issuer is unknown; add it under [issuers] to --map"));
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
        if !self.record.identities.iter().any(|other| other.issuer == identity.issuer && other.subject == identity.subject)
        {
            self.record.identities.push(identity);
        }
    }

    /// A TOTP secret in base32. Counted as lost if it is not one.
    pub(crate) fn totp(&mut self, secret: &str, confirmed_at: Option<String>) {
        let secret: String = secret.chars().filter(|at| !matches!(at, ' ' | '-' | '=')).collect();
        let secret = secret.to_ascii_uppercase();
        if secret.is_empty() || !secret.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
            self.lose("TOTP secrets: not base32");
        } else if self.record.totp.is_some() {
            self.lose("TOTP secrets: only the first one of a user is imported");
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
            self.lose(&format!("users with the role or group {name}: no --role-map for it"));
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

    fn apply_map(&mut self, source: &Object) {
        let map = &self.options.map;
        for (name, selector) in &map.attributes {
            self.attribute(name, selected(source, selector.names()));
        }
        for (name, selector) in &map.app_attributes {
            self.app_attribute(name, selected(source, selector.names()));
        }
        for (name, selector) in &map.fields {
            if let Some(value) = selected(source, selector.names()) {
                self.set_field(name, &value);
            }
        }
    }

    /// Sets a field of a map or of a generic CSV file.
    pub(crate) fn set_field(&mut self, name: &str, value: &Value) {
        let text = fields::as_text(value);
        let flag = fields::as_flag(value);
        match name {
            "id" => self.id(text),
            "email" => self.email(text),
            "name" => self.name(text),
            "password_hash" => self.password_hash(text),
            "email_verified" => self.record.email_verified = self.is_true("email_verified", value),
            "role" => self.roles_in(Some(value)),
            "status" => self.set_status(value),
            "disabled" => self.disable_if(flag != Some(false)),
            "enabled" => self.disable_if(flag != Some(true)),
            "locale" => self.locale(text),
            "created_at" => self.created_at(Some(value)),
            "updated_at" => self.updated_at(Some(value)),
            "last_sign_in_at" => self.last_sign_in_at(Some(value)),
            "phone" => self.attribute("phone", text.map(Value::from)),
            "phone_verified" => self.attribute("phone_verified", flag.map(Value::from)),
            "username" => self.username(text),
            "totp_secret" => {
                if let Some(secret) = text {
                    self.totp(&secret, None);
                }
            }
            _ => {}
        }
    }

    /// A boolean; or a time, which says that it happened.
    fn is_true(&mut self, field: &'static str, value: &Value) -> bool {
        match fields::as_flag(value) {
            Some(flag) => flag,
            None => self.moment(field, Some(value)).is_some(),
        }
    }

    fn set_status(&mut self, value: &Value) {
        let text = fields::as_text(value).unwrap_or_default();
        if self.options.map.disabled.iter().any(|disabled| disabled.eq_ignore_ascii_case(&text)) {
            return self.disable_if(true);
        }
        match text.to_ascii_lowercase().as_str() {
            "active" | "enabled" | "confirmed" => {}
            "disabled" | "inactive" | "blocked" | "banned" | "suspended" | "locked" | "deactivated" | "deleted" => {
                self.disable_if(true);
            }
            // With a list of what means disabled, everything else means active.
            _ if !self.options.map.disabled.is_empty() => {}
            _ => self.fault("status", "is unknown; list the values that mean disabled under disabled in --map"),
        }
    }
}

/// What is known of an identity.
#[derive(Default)]
pub(crate) struct Details<'a> {
    pub(crate) issuer: Option<&'a str>,
    pub(crate) email: Option<String>,
    pub(crate) created_at: Option<&'a Value>,
}

fn selected(source: &Object, names: &[String]) -> Option<Value> {
    if let [name] = names {
        return fields::value(source, name).cloned();
    }
    let texts: Vec<String> = names.iter().filter_map(|name| fields::text(source, name)).collect();
    (!texts.is_empty()).then(|| texts.join(" ").into())
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
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
