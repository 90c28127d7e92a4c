//! Typed extractors: what a handler is given has been read, bounded and checked.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::{ApiKeyId, DeliveryId, PasskeyId, ServiceAccountId, SessionId, UserId, WebhookId};
use denizen_domain::time::Timestamp;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError};
use serde::de::DeserializeOwned;

use super::page::PageParams;
use super::problem::Problem;
pub(crate) use crate::json_form::Fields;
use crate::json_form::{self, FormError};

/// The context of the request, laid by the auth layer.
pub(crate) struct Caller(pub(crate) Ctx);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent only if a route is mounted outside the auth layer, which is a defect.
        parts.extensions.remove::<Ctx>().map(Self).ok_or_else(Problem::internal)
    }
}

/// An identifier that a path can name.
pub(crate) trait PathId: Sized {
    /// Reads it; `None` when it is malformed.
    fn parse(raw: &str) -> Option<Self>;
}

macro_rules! path_ids {
    ($($Id:ty),+) => {$(
        impl PathId for $Id {
            fn parse(raw: &str) -> Option<Self> {
                <$Id>::parse(raw)
            }
        }
    )+};
}

path_ids!(UserId, SessionId, ServiceAccountId, ApiKeyId, WebhookId, PasskeyId);

/// The `{id}` and the `{delivery_id}` of a path.
pub(crate) struct DeliveryPath(pub(crate) WebhookId, pub(crate) DeliveryId);

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let IdPath(webhook) = IdPath::from_request_parts(parts, state).await?;
        let id = path_param(parts, state, "delivery_id").await.and_then(|raw| DeliveryId::parse(&raw));
        let id = id.ok_or_else(|| FieldError::new("delivery_id", "invalid_id", "must be a UUID"))?;
        Ok(Self(webhook, id))
    }
}

/// The `{id}` of a path.
pub(crate) struct IdPath<T>(pub(crate) T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_param(parts, state, "id").await.and_then(|raw| T::parse(&raw));
        id.map(Self).ok_or_else(|| FieldError::new("id", "invalid_id", "must be a UUID").into())
    }
}

/// The named parameter of a path.
pub(crate) async fn path_param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(known, _)| *known == name).map(|(_, raw)| raw.to_owned())
}

/// The query string as a struct of optional texts. Unknown and repeated parameters are refused.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    serde_urlencoded::from_str(query).map_err(|error| {
        let text = error.to_string();
        let name = text.split('`').nth(1).filter(|name| !name.is_empty()).unwrap_or("query");
        let field = if text.starts_with("unknown field") {
            FieldError::new(name, "unknown_field", "is not a known parameter")
        } else if text.starts_with("duplicate field") {
            FieldError::new(name, "duplicate", "must not be repeated")
        } else {
            FieldError::new("query", "malformed", "must be an application/x-www-form-urlencoded query")
        };
        field.into()
    })
}

/// Reads a moment from a query. The `+` of an offset stands for a space there.
pub(crate) fn query_moment(raw: &str) -> Result<Timestamp, RuleBroken> {
    let message = if raw.contains(' ') {
        "must be an RFC 3339 time; in a query, encode the + of its offset as %2B"
    } else {
        "must be an RFC 3339 time such as 2026-11-22T17:30:18Z"
    };
    Timestamp::parse(raw).ok_or_else(|| RuleBroken { code: "invalid_value", message: message.to_owned() })
}

/// Refuses a value of a query that holds an email address with a space: a `+` that was not written as `%2B`.
pub(crate) fn check_plus(raw: &str) -> Result<(), RuleBroken> {
    let has_space = |local: &str| local.contains(' ') && !local.ends_with(' ');
    if raw.trim().split_once('@').is_some_and(|(local, _)| has_space(local)) {
        let message = "must not contain a space in an email address; in a query, encode + as %2B".to_owned();
        return Err(RuleBroken { code: "invalid_value", message });
    }
    Ok(())
}

/// The query string of a list: which part of it, and which of its items. Each parameter goes to the one that knows it.
pub(crate) struct ListQuery<F> {
    pub(crate) page: PageParams,
    pub(crate) filter: F,
}

impl<S: Sync, F: DeserializeOwned> FromRequestParts<S> for ListQuery<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = read_query(parts.uri.query().unwrap_or_default())?;
        let (page, filter): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| PageParams::NAMES.contains(&name.as_str()));
        Ok(Self { page: read_pairs(&page)?, filter: read_pairs(&filter)? })
    }
}

fn read_pairs<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Problem> {
    read_query(&serde_urlencoded::to_string(pairs).map_err(|_| Problem::internal())?)
}

/// A JSON body. Unknown fields, fields said twice, other media types and encodings are refused.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let bytes = request.into_body().collect().await.map_err(|error| read_problem(&error))?.to_bytes();
        read_json(&bytes).map(Self)
    }
}

/// A JSON body that may be left out: without one, no media type is needed, and the default is read.
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(|error| read_problem(&error))?.to_bytes();
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        check_media_type(&parts.headers)?;
        read_json(&bytes).map(Self)
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let unreadable = |message| Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message);
    json_form::read(bytes).map_err(|error| match error {
        FormError::Empty => unreadable("The body is empty. Send a JSON object.".to_owned()),
        FormError::Syntax { line, column } => {
            unreadable(format!("The body is not valid JSON at line {line}, column {column}."))
        }
        FormError::Fields(mut faults) => {
            faults.iter_mut().filter(|at| at.field.is_empty()).for_each(|at| "body".clone_into(&mut at.field));
            faults.into()
        }
    })
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |message| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message);
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported("Send the body without a content encoding."));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_json =
        ["application/json", "application/merge-patch+json"].iter().any(|known| essence.eq_ignore_ascii_case(known));
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
    Problem::unreadable()
}
