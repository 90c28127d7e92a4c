//! One line of an import: a user as another system knew them. The same over REST and on the command line.

use denizen_domain::Services;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::ports::HashRefusal;
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, ImportUser, Locale, Status};
use denizen_domain::value::{Object, object_or_null};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::json_form::{self, Fields, FormError};

/// A user to import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.com", "name": "Ada Lovelace", "email_verified": true, "role": "user",
    "password_hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk",
}))]
pub struct ImportLine {
    /// The email address; a taken one is told and skipped.
    #[schema(format = Email, max_length = 254)]
    pub(crate) email: String,
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// Their password hash as the other system kept it. Without one, or with a marker such as `!`, they have no password.
    #[schema(value_type = Option<String>)]
    pub(crate) password_hash: Option<SecretString>,
    /// Whether the other system had verified the address; `false` when nothing is said.
    pub(crate) email_verified: Option<bool>,
    /// Their role; `user` when nothing is said.
    pub(crate) role: Option<String>,
    /// `active`, `disabled` or `invited`; `active` when nothing is said.
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
    /// When the account was first made (RFC 3339); now when nothing is said.
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
}

/// Reads one line, without its line feed.
///
/// # Errors
/// Every field that breaks a rule; or the first one that has the wrong form. Never quotes a value.
pub fn parse_line(line: &[u8], services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    parse(deserialize(line)?, services)
}

/// Checks what was read of one user.
pub(crate) fn parse(raw: ImportLine, services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&raw.email));
    let name = fields.check("name", DisplayName::parse(&raw.name));
    let role = raw.role.map_or(Ok(RoleName::user()), |role| RoleName::reference(&role));
    let role = fields.check("role", role);
    let attributes = fields.check("attributes", Attributes::parse(raw.attributes.unwrap_or_default()));
    let app_attributes = fields.check("app_attributes", Attributes::parse(raw.app_attributes.unwrap_or_default()));
    if let (Some(attributes), Some(app_attributes)) = (&attributes, &app_attributes) {
        fields.check_all(services.attributes_schemas.check(attributes, app_attributes));
    }
    let locale = fields.check("locale", raw.locale.as_deref().map(Locale::parse).transpose());
    let broken = |code, message: &str| RuleBroken { code, message: message.to_owned() };
    let status = raw.status.map_or(Some(Status::Active), |status| Status::parse(&status));
    let status = status.ok_or_else(|| broken("invalid_value", "must be active, disabled or invited"));
    let status = fields.check("status", status);
    let created_at = raw.created_at.map(|moment| match Timestamp::parse(&moment) {
        None => Err(broken("invalid_value", "must be an RFC 3339 time")),
        Some(moment) if moment > services.clock.now() => Err(broken("out_of_range", "must not be in the future")),
        Some(past) => Ok(past),
    });
    let created_at = fields.check("created_at", created_at.transpose());
    let adopt = |hash: SecretString| services.hasher.adopt(hash.expose_secret());
    let password_hash = raw.password_hash.map(adopt).transpose().map(Option::flatten);
    let password_hash = password_hash.map_err(|refusal| match refusal {
        HashRefusal::Unsupported(reason) => broken("unsupported_hash", reason),
        HashRefusal::TooCostly(reason) => broken("hash_too_costly", reason),
    });
    let password_hash = fields.check("password_hash", password_hash);

    let user = (|| {
        Some(ImportUser {
            email: email?,
            name: name?,
            password_hash: password_hash?,
            email_verified: raw.email_verified.unwrap_or(false),
            role: role?,
            status: status?,
            locale: locale?,
            attributes: attributes?,
            app_attributes: app_attributes?,
            created_at: created_at?,
        })
    })();
    fields.finish(user)
}

fn deserialize(line: &[u8]) -> Result<ImportLine, Vec<FieldError>> {
    json_form::read(line).map_err(|error| match error {
        FormError::Empty => vec![FieldError::new("line", "invalid_json", "must be a JSON object; it is empty")],
        FormError::Syntax { column, .. } => {
            let message = format!("must be a JSON object; syntax error at column {column}");
            vec![FieldError::new("line", "invalid_json", message)]
        }
        FormError::Fields(mut faults) => {
            faults.iter_mut().filter(|at| at.field.is_empty()).for_each(|at| "line".clone_into(&mut at.field));
            faults
        }
    })
}

#[cfg(test)]
mod tests {
    use super::deserialize;

    fn check(line: &str, field: &str, code: &str) {
        let error = deserialize(line.as_bytes()).err().unwrap().remove(0);
        assert_eq!((error.field.as_str(), error.code), (field, code), "{line}: {error:?}");
        assert!(!error.message.contains("hunter2"), "{line}: {error:?}");
    }

    #[test]
    fn a_line_of_the_wrong_form_names_its_field() {
        check("", "line", "invalid_json");
        check("{", "line", "invalid_json");
        check(r#"{"email":"a@example.com","name":"A"} x"#, "line", "invalid_json");
        check("\u{1}", "line", "invalid_json");
        check("[]", "line", "wrong_type");
        check(r#"["a@example.com","A",null,null,null,null,null,null]"#, "line", "wrong_type");
        check(r#""hunter2""#, "line", "wrong_type");
        check("{}", "email", "required");
        check(r#"{"email":"a@example.com"}"#, "name", "required");
        check(r#"{"email":"a@example.com","name":"A","password":"hunter2"}"#, "password", "unknown_field");
        check(r#"{"email":"a@example.com","email":"a@example.com","name":"A"}"#, "email", "duplicate");
        check(r#"{"email":"a@example.com","name":"A","password_hash":["hunter2"]}"#, "password_hash", "wrong_type");
        check(r#"{"email":"a@example.com","name":"A","email_verified":"hunter2"}"#, "email_verified", "wrong_type");
        check(r#"{"email":"a@example.com","name":"A","attributes":"hunter2"}"#, "attributes", "wrong_type");
        let deep = format!(r#"{{"email":"a@example.com","name":"A","attributes":{{"a":{}}}}}"#, "[".repeat(500));
        check(&deep, "line", "invalid_json");
    }

    #[test]
    fn a_line_of_the_right_form_is_read() {
        let least = deserialize(br#"{"email":"a@example.com","name":"A"}"#).unwrap();
        assert!(least.password_hash.is_none() && least.role.is_none());
        let nulls = br#"{"email":"a@example.com","name":"A","role":null,"created_at":null,"attributes":null} "#;
        assert!(deserialize(nulls).unwrap().attributes.is_none());
    }
}
