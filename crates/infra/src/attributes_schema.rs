//! JSON Schemas (draft 2020-12) for the attributes of users.

use std::collections::BTreeMap;

use denizen_domain::error::FieldError;
use denizen_domain::users::AttributesSchema;
use denizen_domain::value::Object;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// The largest schema, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// The maximum number of reported violations.
const VIOLATIONS_MAX: usize = 32;
/// The maximum memory of one compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// The maximum length of the library's message in an error, in characters.
const PROBLEM_CHARS_MAX: usize = 200;
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A compiled schema. References can only refer to the same schema.
pub struct JsonSchema(Validator);

/// Why a text is not a schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is longer than [`SCHEMA_BYTES_MAX`].
    #[error("a schema of at most {} KiB", SCHEMA_BYTES_MAX / 1024)]
    TooLong,
    /// It is not JSON.
    #[error("JSON: syntax error at line {line}, column {column}")]
    Syntax {
        /// The line, starting at 1.
        line: usize,
        /// The column, starting at 1.
        column: usize,
    },
    /// Its `$schema` is another dialect.
    #[error("a JSON Schema of draft 2020-12: $schema names another dialect")]
    Dialect,
    /// It is invalid at a location.
    #[error("a JSON Schema of draft 2020-12: at {location}: {problem}")]
    Invalid {
        /// The location, as a JSON Pointer (RFC 6901); `the root` for the schema as a whole.
        location: String,
        /// The problem.
        problem: String,
    },
}

impl JsonSchema {
    /// Compiles a schema. Patterns are matched in linear time, and formats are validated.
    ///
    /// # Errors
    /// The text is not a schema, or a reference does not refer to the same schema.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLong);
        }
        let schema: Value = serde_json::from_str(text)
            .map_err(|error| SchemaError::Syntax { line: error.line(), column: error.column() })?;
        let dialect = schema.get("$schema").map(|named| named.as_str().unwrap_or_default());
        if dialect.is_some_and(|named| named.trim_end_matches('#') != DIALECT) {
            return Err(SchemaError::Dialect);
        }
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .build(&schema)
            .map(Self)
            .map_err(|error| invalid(&error))
    }
}

fn invalid(error: &ValidationError<'_>) -> SchemaError {
    let location = error.instance_path().as_str();
    let location = if location.is_empty() { "the root".to_owned() } else { location.to_owned() };
    let problem = match error.kind() {
        Kind::Referencing(_) => "a $ref must refer to the same schema".to_owned(),
        _ => error.to_string().replace(char::is_control, " ").chars().take(PROBLEM_CHARS_MAX).collect(),
    };
    SchemaError::Invalid { location, problem }
}

impl AttributesSchema for JsonSchema {
    fn violations(&self, field: &str, attributes: &Object) -> Vec<FieldError> {
        let Ok(attributes) = serde_json::to_value(attributes) else {
            return vec![FieldError::new(field, "invalid_value", "must be a JSON object")];
        };
        let mut by_path = BTreeMap::new();
        for violation in self.0.iter_errors(&attributes).flat_map(|error| violations_of(field, &error)) {
            by_path.entry(violation.field.clone()).or_insert(violation);
        }
        by_path.into_values().take(VIOLATIONS_MAX).collect()
    }
}

/// The violations of a validation error. Messages contain limits of the schema, never values of the user.
fn violations_of(field: &str, error: &ValidationError<'_>) -> Vec<FieldError> {
    let path = path_of(field, error.instance_path());
    let one = |code, message: String| vec![FieldError::new(path.clone(), code, message)];
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError::new(format!("{path}.{name}"), "required", "is required")]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let unknown =
                |name: &String| FieldError::new(format!("{path}.{name}"), "unknown_field", "is not a known field");
            unexpected.iter().map(unknown).collect()
        }
        Kind::Type { kind: TypeKind::Single(kind) } => one("wrong_type", format!("must be of type {kind}")),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<_> = kinds.iter().map(jsonschema::JsonType::as_str).collect();
            one("wrong_type", format!("must be of type {}", kinds.join(" or ")))
        }
        Kind::MinLength { limit } => one("too_short", format!("must be at least {limit} characters long")),
        Kind::MaxLength { limit } => one("too_long", format!("must be at most {limit} characters long")),
        Kind::Minimum { limit } => one("out_of_range", format!("must be at least {limit}")),
        Kind::Maximum { limit } => one("out_of_range", format!("must be at most {limit}")),
        Kind::ExclusiveMinimum { limit } => one("out_of_range", format!("must be greater than {limit}")),
        Kind::ExclusiveMaximum { limit } => one("out_of_range", format!("must be less than {limit}")),
        Kind::MinItems { limit } => one("out_of_range", format!("must have at least {limit} items")),
        Kind::MaxItems { limit } => one("out_of_range", format!("must have at most {limit} items")),
        Kind::MinProperties { limit } => one("out_of_range", format!("must have at least {limit} members")),
        Kind::MaxProperties { limit } => one("out_of_range", format!("must have at most {limit} members")),
        Kind::Enum { .. } | Kind::Constant { .. } => {
            one("invalid_value", "must be a value that the schema lists".to_owned())
        }
        Kind::Format { format } => one("invalid_value", format!("must have the format {format}")),
        other => one("invalid_value", format!("must satisfy `{}` of the schema", other.keyword())),
    }
}

/// The path of a value, such as `attributes.tags[0]`.
fn path_of(field: &str, location: &Location) -> String {
    location.iter().fold(field.to_owned(), |path, segment| match segment {
        LocationSegment::Index(index) => format!("{path}[{index}]"),
        LocationSegment::Property(name) => format!("{path}.{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{JsonSchema, SCHEMA_BYTES_MAX};
    use denizen_domain::users::AttributesSchema;
    use denizen_domain::value::Object;

    fn object(json: &str) -> Object {
        denizen_domain::value::object_or_null(&mut serde_json::Deserializer::from_str(json)).unwrap().unwrap()
    }

    /// The violations of a schema as `path: code`.
    fn check(schema: &str, json: &str, expected: &[&str]) {
        let violations = JsonSchema::compile(schema).ok().unwrap().violations("attributes", &object(json));
        let found: Vec<_> = violations.iter().map(|fault| format!("{}: {}", fault.field, fault.code)).collect();
        assert_eq!(found, expected, "{schema} {json} {violations:?}");
        assert!(!format!("{violations:?}").contains("hunter2"), "{violations:?}");
    }

    fn refused(schema: &str, expected: &str) {
        let error = JsonSchema::compile(schema).err().unwrap().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{schema}: {error}");
    }

    #[test]
    fn violations_have_the_path_of_the_value() {
        let schema = r##"{"type":"object","additionalProperties":false,"required":["plan"],"properties":{
            "plan":{"enum":["free","pro"]},"seats":{"type":"integer","minimum":1,"maximum":9},
            "tags":{"type":"array","items":{"type":"string","maxLength":3},"maxItems":2,"uniqueItems":true},
            "owner":{"$ref":"#/$defs/person"},"code":{"pattern":"^[a-z]+$"},"mail":{"format":"email"}},
            "$defs":{"person":{"type":"object","properties":{"name":{"type":["string","null"],"minLength":2}}}}}"##;
        check(
            schema,
            r#"{"plan":"pro","seats":3,"tags":["a"],"owner":{"name":null},"code":"abc","mail":"a@example.com"}"#,
            &[],
        );
        check(schema, r#"{"seats":0}"#, &["attributes.plan: required", "attributes.seats: out_of_range"]);
        check(
            schema,
            r#"{"plan":"hunter2","x":"hunter2"}"#,
            &["attributes.plan: invalid_value", "attributes.x: unknown_field"],
        );
        check(schema, r#"{"plan":"pro","seats":"hunter2"}"#, &["attributes.seats: wrong_type"]);
        check(
            schema,
            r#"{"plan":"pro","tags":["hunter2",7]}"#,
            &["attributes.tags[0]: too_long", "attributes.tags[1]: wrong_type"],
        );
        check(schema, r#"{"plan":"pro","tags":["a","a"]}"#, &["attributes.tags: invalid_value"]);
        check(schema, r#"{"plan":"pro","owner":{"name":"x"}}"#, &["attributes.owner.name: too_short"]);
        check(
            schema,
            r#"{"plan":"pro","code":"hunter2","mail":"hunter2"}"#,
            &["attributes.code: invalid_value", "attributes.mail: invalid_value"],
        );
    }

    #[test]
    fn invalid_schemas_are_refused() {
        refused("{", "line 1, column 1");
        refused(r#"{"type":"strin"}"#, "/type");
        refused(r#"{"properties":{"a":{"pattern":"("}}}"#, "pattern");
        refused(r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#, "dialect");
        refused(r#"{"$ref":"https://example.com/other.json"}"#, "same schema");
        refused(r#"{"$ref":"file:///etc/passwd"}"#, "same schema");
        refused(r##"{"$ref":"#/$defs/missing"}"##, "same schema");
        refused("7", "at the root");
        refused(&format!(r#"{{"description":"{}"}}"#, "x".repeat(SCHEMA_BYTES_MAX)), "64 KiB");
    }

    #[test]
    fn recursion_and_patterns_are_bounded() {
        check(r##"{"$ref":"#"}"##, r#"{"a":1}"#, &[]);
        check(
            r##"{"properties":{"a":{"$ref":"#"}},"maxProperties":1}"##,
            r#"{"a":{"a":{"b":1,"c":2}}}"#,
            &["attributes.a.a: out_of_range"],
        );
        // A backtracking engine would not finish.
        let long = format!(r#"{{"a":"{}!"}}"#, "a".repeat(10_000));
        check(r#"{"properties":{"a":{"pattern":"^(a+)+$"}}}"#, &long, &["attributes.a: invalid_value"]);
        refused(r#"{"properties":{"a":{"pattern":"(?:a{1000}){1000}"}}}"#, "pattern");
        let many: Vec<_> = (0..100).map(|n| format!(r#""k{n}":1"#)).collect();
        let violations = JsonSchema::compile(r#"{"properties":{"z":{}},"additionalProperties":false}"#).ok().unwrap();
        assert_eq!(violations.violations("attributes", &object(&format!("{{{}}}", many.join(",")))).len(), 32);
    }
}
