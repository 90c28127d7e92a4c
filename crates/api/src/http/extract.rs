//! Typed extractors: what a handler is given has been read, bounded and checked.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::UserId;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The context of the request, laid by the auth layer.
pub(crate) struct Caller(pub(crate) Ctx);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent only if a route is mounted outside the auth layer, which is a defect.
        parts.extensions.get::<Ctx>().cloned().map(Self).ok_or_else(Problem::internal)
    }
}

/// The `{id}` of a path that names a user.
pub(crate) struct UserPath(pub(crate) UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let id = params.ok().and_then(|params| {
            let raw = params.iter().find(|(name, _)| *name == "id")?.1;
            UserId::parse(raw)
        });
        id.map(Self).ok_or_else(|| FieldError::new("id", "invalid_id", "must be a UUID").into())
    }
}

/// The query string as a struct of optional texts. Unknown and repeated parameters are refused.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|error| {
            let text = error.to_string();
            let name = text.split('`').nth(1).unwrap_or("query");
            let field = if text.starts_with("unknown field") {
                FieldError::new(name, "unknown_field", "is not a parameter of this operation")
            } else if text.starts_with("duplicate field") {
                FieldError::new(name, "duplicate", "must be given once")
            } else {
                FieldError::new("query", "malformed", "must be an application/x-www-form-urlencoded query")
            };
            field.into()
        })
    }
}

/// A JSON body. Unknown fields, fields said twice, other media types and encodings are refused.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let bytes = request.into_body().collect().await.map_err(|error| read_problem(&error))?.to_bytes();
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let body = serde_path_to_error::deserialize(&mut json).map_err(|error| json_problem(&error))?;
        json.end().map_err(|error| syntax_problem(&error))?;
        Ok(Self(body))
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |message| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message);
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported("Send the body without a content encoding."));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/json", "application/merge-patch+json"].iter().any(|known| essence.eq_ignore_ascii_case(known));
    if is_json { Ok(()) } else { Err(unsupported("Send the body as application/json.")) }
}

pub(crate) fn read_problem(error: &axum::Error) -> Problem {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.is::<LengthLimitError>() {
            return Problem::too_large();
        }
        source = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", "The request body ended early or could not be read.")
}

fn syntax_problem(error: &serde_json::Error) -> Problem {
    let message = format!("The body is not valid JSON at line {}, column {}.", error.line(), error.column());
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message)
}

/// Names the field and the rule without quoting what was sent: it may be a secret.
fn json_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if !inner.is_data() {
        return syntax_problem(inner);
    }
    let text = inner.to_string();
    let path = match error.path().to_string() {
        root if root == "." => String::new(),
        path => path,
    };
    let quoted = text.split('`').nth(1).unwrap_or_default();
    let below = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let field = if text.starts_with("unknown field") {
        FieldError::new(below(quoted), "unknown_field", "is not a field of this request")
    } else if text.starts_with("missing field") {
        FieldError::new(below(quoted), "required", "must be given")
    } else if text.starts_with("duplicate field") {
        FieldError::new(below(quoted), "duplicate", "must be given once")
    } else {
        let expected = text.rsplit_once(", expected ").map(|(_, tail)| tail.split(" at line ").next().unwrap_or(tail));
        let message = expected.map_or_else(|| "has the wrong form".to_owned(), |expected| format!("must be {expected}"));
        let field = if path.is_empty() { "body".to_owned() } else { path };
        FieldError::new(field, "wrong_type", message)
    };
    field.into()
}

/// Collects the fields at fault, so that a client learns of all of them at once.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// The value, or a note of the rule that the field breaks.
    pub(crate) fn check<T>(&mut self, field: &str, parsed: Result<T, RuleBroken>) -> Option<T> {
        parsed.map_err(|rule| self.0.push(rule.at(field))).ok()
    }

    /// Notes a field at fault.
    pub(crate) fn refuse(&mut self, field: FieldError) {
        self.0.push(field);
    }

    /// The assembled value when no field was at fault.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}
