//! One line of an import: a user of another system. The rules are the same over REST, gRPC and on the command line.

use denizen_domain::Services;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::UserId;
use denizen_domain::ports::HashRefusal;
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, ImportUser, Locale, Status};
use denizen_domain::value::{Object, object_or_null};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::json_form::{self, Fields};

pub(crate) mod credentials;
mod faults;

use credentials::{ApiKeyBody, IdentityBody, PasskeyBody, TotpBody};

/// A user to import.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.com", "name": "Ada Lovelace", "email_verified": true, "role": "user",
    "password_hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk",
}))]
pub struct ImportLine {
    /// The id in the other system: a UUID. Used with `keep_ids` only.
    #[schema(format = Uuid)]
    pub(crate) id: Option<String>,
    /// The email address.
    #[schema(format = Email, max_length = 254)]
    pub(crate) email: String,
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// The password hash of the other system. Without one, or with a marker such as `!`, a new user has no password.
    #[schema(value_type = Option<String>)]
    pub(crate) password_hash: Option<SecretString>,
    /// Whether the other system had verified the address. Default: `false`.
    pub(crate) email_verified: Option<bool>,
    /// The role. Default: `user`.
    pub(crate) role: Option<String>,
    /// `active`, `disabled` or `invited`. Default: `active`.
    pub(crate) status: Option<String>,
    /// Preferred language (BCP 47).
    #[schema(max_length = 35)]
    pub(crate) locale: Option<String>,
    /// Preferences, which users can change afterwards: never decide by them what a user may do or has paid for.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    pub(crate) attributes: Option<Object>,
    /// Custom attributes that users cannot change.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    pub(crate) app_attributes: Option<Object>,
    /// When the account was created (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
    /// When the account was last changed (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) updated_at: Option<String>,
    /// When the user last signed in (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) last_sign_in_at: Option<String>,
    /// When the user is deleted (RFC 3339), if `status` is `disabled`.
    #[schema(format = DateTime)]
    pub(crate) delete_after: Option<String>,
    /// A secret for time-based one-time passwords.
    pub(crate) totp: Option<TotpBody>,
    /// The unused recovery codes, in the form of an export. They are bound to the id of the user.
    #[schema(max_items = 100)]
    pub(crate) recovery_codes: Option<Vec<String>>,
    /// Passkeys and security keys, in the form of an export.
    #[schema(max_items = 20)]
    pub(crate) passkeys: Option<Vec<PasskeyBody>>,
    /// Identities at outside providers.
    #[schema(max_items = 20)]
    pub(crate) identities: Option<Vec<IdentityBody>>,
    /// API keys, in the form of an export.
    #[schema(max_items = 200)]
    pub(crate) api_keys: Option<Vec<ApiKeyBody>>,
}

/// Reads one line, without its line feed.
///
/// # Errors
/// Every field that breaks a rule or has the wrong form. Never quotes a value.
pub fn parse_line(line: &[u8], services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    match json_form::read(line) {
        Ok(raw) => parse(raw, services),
        Err(error) => Err(faults::all(line, error, |raw| parse(raw, services).err().unwrap_or_default())),
    }
}

/// Parses a line without validating its values.
///
/// # Errors
/// Every field of the wrong form.
pub(crate) fn read_form(line: &[u8]) -> Result<ImportLine, Vec<FieldError>> {
    json_form::read(line).map_err(|error| faults::all(line, error, |_| Vec::new()))
}

/// Checks what was read of one user.
pub(crate) fn parse(raw: ImportLine, services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    let mut fields = Fields::default();
    let now = services.clock.now();
    let id = raw.id.as_deref().map(|id| UserId::parse(id).ok_or_else(not_a_uuid));
    let id = fields.check("id", id.transpose());
    let email = fields.check("email", EmailAddress::parse(&raw.email));
    let name = fields.check("name", DisplayName::parse(&raw.name));
    let role = fields.check("role", raw.role.as_deref().map(RoleName::reference).transpose());
    let attributes = fields.check("attributes", raw.attributes.map(Attributes::parse).transpose());
    let app_attributes = fields.check("app_attributes", raw.app_attributes.map(Attributes::parse).transpose());
    if let (Some(attributes), Some(app_attributes)) = (&attributes, &app_attributes) {
        let none = Attributes::default();
        let (attributes, app_attributes) =
            (attributes.as_ref().unwrap_or(&none), app_attributes.as_ref().unwrap_or(&none));
        fields.check_all(services.attributes_schemas.check(attributes, app_attributes));
    }
    let locale = fields.check("locale", raw.locale.as_deref().map(Locale::parse).transpose());
    let not_a_status = || rule("invalid_value", "must be active, disabled or invited");
    let status = raw.status.map(|status| Status::parse(&status).ok_or_else(not_a_status));
    let status = fields.check("status", status.transpose());
    let created_at = fields.check("created_at", past(raw.created_at.as_deref(), now));
    let updated_at = fields.check("updated_at", past(raw.updated_at.as_deref(), now));
    let last_sign_in_at = fields.check("last_sign_in_at", past(raw.last_sign_in_at.as_deref(), now));
    let delete_after = fields.check("delete_after", moment(raw.delete_after.as_deref()));
    let adopt = |hash: SecretString| services.hasher.adopt(hash.expose_secret());
    let password_hash = raw.password_hash.map(adopt).transpose().map(Option::flatten);
    let password_hash = password_hash.map_err(|refusal| match refusal {
        HashRefusal::Unsupported(reason) => rule("unsupported_hash", reason),
        HashRefusal::TooCostly(reason) => rule("hash_too_costly", reason),
    });
    let password_hash = fields.check("password_hash", password_hash);
    let given = credentials::Given {
        totp: raw.totp,
        recovery_codes: raw.recovery_codes,
        passkeys: raw.passkeys,
        identities: raw.identities,
        api_keys: raw.api_keys,
    };
    let credentials = fields.check_all(credentials::parse(given, services));

    let user = (|| {
        Some(ImportUser {
            id: id?,
            email: email?,
            name: name?,
            password_hash: password_hash?,
            email_verified: raw.email_verified,
            role: role?,
            status: status?,
            locale: locale?,
            attributes: attributes?,
            app_attributes: app_attributes?,
            created_at: created_at?,
            updated_at: updated_at?,
            last_sign_in_at: last_sign_in_at?,
            delete_after: delete_after?,
            credentials: credentials?,
        })
    })();
    fields.finish(user)
}

fn rule(code: &'static str, message: &str) -> RuleBroken {
    RuleBroken { code, message: message.to_owned() }
}

fn not_a_uuid() -> RuleBroken {
    rule("invalid_value", "must be a UUID")
}

/// A time that has passed.
fn past(raw: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, RuleBroken> {
    match moment(raw)? {
        Some(moment) if moment > now => Err(rule("out_of_range", "must not be in the future")),
        moment => Ok(moment),
    }
}

fn moment(raw: Option<&str>) -> Result<Option<Timestamp>, RuleBroken> {
    let parse = |raw| Timestamp::parse(raw).ok_or_else(|| rule("invalid_value", "must be an RFC 3339 time"));
    raw.map(parse).transpose()
}

#[cfg(test)]
mod tests;
