//! One line of an import: a user as another system knew them. The same over REST and on the command line.

use denizen_domain::Services;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, ImportUser, Status};
use denizen_domain::value::Object;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

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
    email: String,
    /// What to call them: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Their password hash as the other system kept it. Without one they cannot sign in by password.
    #[schema(value_type = Option<String>)]
    password_hash: Option<SecretString>,
    /// Whether the other system had verified the address; `false` when nothing is said.
    email_verified: Option<bool>,
    /// Their role; `user` when nothing is said.
    role: Option<String>,
    /// `active`, `disabled` or `invited`; `active` when nothing is said.
    status: Option<String>,
    /// A JSON object that the product owns.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Object>,
    /// When the account was first made (RFC 3339); now when nothing is said.
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

/// Reads one line, without its line feed.
///
/// # Errors
/// Every field that breaks a rule; or the first one that has the wrong form. Never quotes a value.
pub fn parse_line(line: &[u8], services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    let raw = deserialize(line).map_err(|field| vec![field])?;
    let mut errors = Vec::new();

    let email = check(&mut errors, "email", EmailAddress::parse(&raw.email));
    let name = check(&mut errors, "name", DisplayName::parse(&raw.name));
    let role = raw.role.map_or(Ok(RoleName::user()), |role| RoleName::parse(&role));
    let role = check(&mut errors, "role", role);
    let attributes = check(&mut errors, "attributes", Attributes::parse(raw.attributes.unwrap_or_default()));
    let status = raw.status.map_or(Some(Status::Active), |status| Status::parse(&status));
    if status.is_none() {
        errors.push(FieldError::new("status", "invalid_value", "must be active, disabled or invited"));
    }
    let created_at = raw.created_at.map(|moment| Timestamp::parse(&moment)).map_or(Ok(None), |moment| match moment {
        None => Err(FieldError::new("created_at", "invalid_value", "must be an RFC 3339 moment")),
        Some(moment) if moment > services.clock.now() => {
            Err(FieldError::new("created_at", "out_of_range", "must not be in the future"))
        }
        past => Ok(past),
    });
    let created_at = created_at.map_err(|field| errors.push(field)).ok();
    let adopt = |hash: SecretString| services.hasher.adopt(hash.expose_secret());
    let password_hash = raw.password_hash.map(adopt).transpose();
    let password_hash =
        password_hash.map_err(|why| errors.push(FieldError::new("password_hash", "unsupported_hash", why))).ok();

    let user = (|| {
        Some(ImportUser {
            email: email?,
            name: name?,
            password_hash: password_hash?,
            email_verified: raw.email_verified.unwrap_or(false),
            role: role?,
            status: status?,
            attributes: attributes?,
            created_at: created_at?,
        })
    })();
    user.ok_or(errors)
}

fn check<T>(errors: &mut Vec<FieldError>, field: &str, parsed: Result<T, RuleBroken>) -> Option<T> {
    parsed.map_err(|rule| errors.push(rule.at(field))).ok()
}

fn deserialize(line: &[u8]) -> Result<ImportLine, FieldError> {
    // A derived reader also takes an array for a struct, by position.
    if line.trim_ascii_start().first() == Some(&b'[') {
        return Err(FieldError::new("line", "wrong_type", "must be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        form_error(&path, error.inner())
    });
    let line = read?;
    json.end().map_err(|error| form_error(".", &error))?;
    Ok(line)
}

/// Names the field and the form it should have. The values in serde's message stay out of it.
fn form_error(path: &str, error: &serde_json::Error) -> FieldError {
    if !error.is_data() {
        return FieldError::new("line", "invalid_json", format!("must be a JSON object; it breaks at column {}", error.column()));
    }
    let text = error.to_string();
    let named = text.split('`').nth(1).unwrap_or_default();
    let path = if path == "." { "line" } else { path };
    if text.starts_with("unknown field") {
        FieldError::new(named, "unknown_field", "is not a field of an import")
    } else if text.starts_with("missing field") {
        FieldError::new(named, "required", "must be given")
    } else if text.starts_with("duplicate field") {
        FieldError::new(named, "duplicate", "must be given once")
    } else {
        let expected = text.rsplit_once(", expected ").and_then(|(_, rest)| rest.split(" at line ").next());
        let expected = if path == "line" { Some("a JSON object") } else { expected };
        FieldError::new(path, "wrong_type", format!("must be {}", expected.unwrap_or("of another form")))
    }
}

#[cfg(test)]
mod tests {
    use super::deserialize;

    fn check(line: &str, field: &str, code: &str) {
        let error = deserialize(line.as_bytes()).err().unwrap();
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
