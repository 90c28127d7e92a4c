//! Collects all faults of a line that cannot be deserialized. The fields at fault are removed, and the rest is
//! deserialized and validated again, so that one fault does not hide the others.

use denizen_domain::error::FieldError;
use serde_json::{Map, Value};

use super::ImportLine;
use crate::json_form::{self, FormError};

/// How many faults of a line are reported.
const FAULTS_MAX: usize = 200;
/// How often a line is deserialized: each time, at least one field is removed.
const PASSES_MAX: usize = 200;

/// How many characters of a field name are reported: the name of an unknown field can be as long as the line.
const FIELD_CHARS_MAX: usize = 128;

/// All faults of a line, including those of the failed deserialization.
pub(super) fn all(
    line: &[u8],
    error: FormError,
    rules_broken: impl Fn(ImportLine) -> Vec<FieldError>,
) -> Vec<FieldError> {
    let mut faults = collect(line, error, rules_broken);
    for fault in &mut faults {
        if let Some((end, _)) = fault.field.char_indices().nth(FIELD_CHARS_MAX) {
            fault.field.truncate(end);
        }
    }
    faults
}

fn collect(line: &[u8], error: FormError, rules_broken: impl Fn(ImportLine) -> Vec<FieldError>) -> Vec<FieldError> {
    let mut faults = match error {
        FormError::Empty => {
            return vec![FieldError::new("line", "invalid_json", "must be a JSON object; it is empty")];
        }
        FormError::Syntax { column, .. } => {
            let message = format!("must be a JSON object; syntax error at column {column}");
            return vec![FieldError::new("line", "invalid_json", message)];
        }
        FormError::Fields(mut faults) => {
            faults.iter_mut().filter(|at| at.field.is_empty()).for_each(|at| "line".clone_into(&mut at.field));
            faults
        }
    };
    let Ok(Value::Object(mut body)) = serde_json::from_slice(line) else { return faults };
    for fault in &faults {
        remove_field(&mut body, fault);
    }
    for _ in 0..PASSES_MAX {
        let more = match read(&body) {
            Ok(raw) => {
                add(&mut faults, rules_broken(raw));
                break;
            }
            Err(FormError::Fields(more)) if faults.len() < FAULTS_MAX => more,
            Err(_) => break,
        };
        for fault in &more {
            remove_field(&mut body, fault);
        }
        add(&mut faults, more);
    }
    faults.truncate(FAULTS_MAX);
    faults
}

fn read(body: &Map<String, Value>) -> Result<ImportLine, FormError> {
    json_form::read(serde_json::to_string(body).unwrap_or_default().as_bytes())
}

/// Removes the field at fault. A required one gets a valid value in its place.
fn remove_field(body: &mut Map<String, Value>, fault: &FieldError) {
    let field = fault.field.split(['.', '[']).next().unwrap_or_default();
    match field {
        "email" => drop(body.insert(field.to_owned(), "a@example.com".into())),
        "name" => drop(body.insert(field.to_owned(), "A".into())),
        // Long names are truncated in faults.
        _ => match field.strip_suffix('…') {
            Some(beginning) => body.retain(|name, _| !name.starts_with(beginning)),
            None => drop(body.remove(field)),
        },
    }
}

fn add(faults: &mut Vec<FieldError>, more: Vec<FieldError>) {
    for fault in more {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
}
