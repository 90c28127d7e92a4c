//! Token responses as providers write them, brought into the form of RFC 6749 §5.

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::fetch::json_object;
use crate::outside::Answer;

/// The longest error code that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 64;

/// Why there are no tokens.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// The provider answered with an error (RFC 6749 §5.2). The description may quote anything: it is matched, never shown.
    Answered { status: u16, error: String, description: String },
    /// Anything else.
    Failed(Failure),
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Failed(failure) => failure,
            ExchangeError::Answered { status, error, .. } => {
                Self::because("token_request", format!("status {status}, error \"{error}\""))
            }
        }
    }
}

/// The members of a successful response.
pub(super) fn parse(answer: &Answer) -> Result<Value, ExchangeError> {
    let is_success = answer.status.is_success();
    let mut document = match json_object(answer, "token_response") {
        Ok(document) => document,
        // An error page still says by its status that the request was refused.
        Err(_) if !is_success => json!({"error": "unknown"}),
        Err(failure) => return Err(ExchangeError::Failed(failure)),
    };
    // GitHub and Slack answer errors with status 200.
    if !is_success || document.get("error").is_some_and(|error| !error.is_null()) {
        return Err(error(answer.status.as_u16(), &document));
    }
    let Some(members) = document.as_object_mut() else {
        return Err(ExchangeError::Failed(Failure::refused("token_response")));
    };
    // Twitch lists the scopes in an array, and others write the lifetime as text.
    replace(members, "scope", |value| match value {
        Value::String(_) => Some(value.clone()),
        Value::Array(scopes) => Some(scopes.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.join(" ").into()),
        _ => None,
    });
    replace(members, "expires_in", |value| match value {
        Value::String(text) => text.trim().parse::<u64>().ok().map(Value::from),
        other => other.as_u64().map(Value::from),
    });
    replace(members, "refresh_token", |value| value.as_str().filter(|token| !token.is_empty()).map(Value::from));
    members.entry("token_type").or_insert_with(|| json!("bearer"));
    Ok(document)
}

/// Brings a member into the form of RFC 6749, or removes it.
fn replace(members: &mut Map<String, Value>, name: &str, standard: impl Fn(&Value) -> Option<Value>) {
    if let Some(value) = members.remove(name).and_then(|value| standard(&value)) {
        members.insert(name.to_owned(), value);
    }
}

/// Facebook nests the error in an object, and Twitch has only a message.
fn error(status: u16, document: &Value) -> ExchangeError {
    let text = |pointers: &[&str]| {
        let found = pointers.iter().find_map(|pointer| document.pointer(pointer).and_then(Value::as_str));
        found.unwrap_or_default().to_owned()
    };
    let error = text(&["/error", "/error/type", "/code"]);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_code = (1..=ERROR_BYTES_MAX).contains(&error.len()) && error.bytes().all(is_plain);
    ExchangeError::Answered {
        status,
        error: if is_code { error } else { "unknown".to_owned() },
        description: text(&["/error_description", "/error/message", "/message", "/reason"]).to_lowercase(),
    }
}
