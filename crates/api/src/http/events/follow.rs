//! What every way to follow shares: what is asked for, and how it is said that there is nothing more.

use axum::extract::FromRequestParts;
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::events::{EventFilter, tickets};
use denizen_domain::ports::Vault;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{cursor, position};
use crate::feed::{Over, Wish};
use crate::http::problem::Problem;
use crate::middleware::RequestId;

/// What to follow, and from where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FollowParams {
    /// The cursor of the last event already received. If omitted, the stream starts with new events.
    pub(super) after: Option<String>,
    /// Comma-separated event types. A trailing `*` matches a prefix: `session.*`.
    #[param(example = "user.created,session.*")]
    types: Option<String>,
    /// A ticket from `POST /api/v1/events/tickets`, in place of credentials, for browsers.
    #[param(value_type = Option<String>)]
    ticket: Option<SecretString>,
}

impl FollowParams {
    /// What they ask for; a browser that comes again says in a header where it was.
    pub(super) fn wish(&self, vault: &dyn Vault, headers: &HeaderMap) -> Result<Wish, FieldError> {
        let after = begin(vault, headers, self.after.as_deref())?;
        let kinds = self.types.as_deref().map(EventFilter::parse_types).transpose()?;
        Ok(Wish { filter: EventFilter { kinds, about: None }, after })
    }

    /// Who follows: whoever the ticket stands for, which it does once, or else whoever asks.
    pub(super) async fn caller(&self, ctx: Ctx) -> Result<Ctx, Problem> {
        match &self.ticket {
            Some(ticket) => Ok(tickets::redeem(&ctx, ticket).await?),
            None => Ok(ctx),
        }
    }
}

/// Where a follower was. The address is the same each time that a browser comes; what it says in the header is newer.
pub(super) fn begin(vault: &dyn Vault, headers: &HeaderMap, after: Option<&str>) -> Result<Option<i64>, FieldError> {
    match headers.get("last-event-id") {
        // What is no text is no cursor.
        Some(last) if !last.is_empty() => position(vault, "Last-Event-ID", last.to_str().unwrap_or("?")).map(Some),
        _ => after.map(|after| position(vault, "after", after)).transpose(),
    }
}

/// The id of the request, which names the connection in what it is told.
pub(super) struct Named(pub(super) String);

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.extensions.get::<RequestId>().ok_or_else(Problem::internal)?;
        Ok(Self(id.as_str().to_owned()))
    }
}

/// Why there is nothing more, as the last thing that a follower is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct OverBody<'a> {
    /// `error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What is the matter, in the shape of every error.
    error: OverDetail<'a>,
    /// Where to go on; after the last event that came, when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cursor: Option<String>,
}

/// What is the matter.
#[derive(Serialize, ToSchema)]
struct OverDetail<'a> {
    /// The HTTP status that would say so.
    status: u16,
    /// `server_stopping`, `invalid_token`, `forbidden`, `too_slow`, `cursor_expired`, `database_unavailable` or
    /// `too_many_requests`.
    code: &'static str,
    /// Human-readable message; may change between releases.
    message: &'static str,
    /// Names this connection in the logs.
    request_id: &'a str,
    /// None.
    fields: [&'static str; 0],
}

impl<'a> OverBody<'a> {
    pub(super) fn new(over: Over, vault: &dyn Vault, position: i64, request_id: &'a str) -> Self {
        Self { cursor: Some(cursor(vault, position)), ..Self::bare(over, request_id) }
    }

    /// The same to whoever knows themselves where they are.
    pub(super) fn bare(over: Over, request_id: &'a str) -> Self {
        let error = OverDetail {
            status: status_of(over).as_u16(),
            code: over.code(),
            message: over.message(),
            request_id,
            fields: [],
        };
        Self { kind: "error", error, cursor: None }
    }

    /// Its JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("an error serialises")
    }
}

/// The HTTP status that would say so.
pub(crate) const fn status_of(over: Over) -> StatusCode {
    match over {
        Over::Stopping | Over::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Over::Unauthenticated => StatusCode::UNAUTHORIZED,
        Over::Forbidden => StatusCode::FORBIDDEN,
        Over::TooSlow | Over::TooChatty => StatusCode::TOO_MANY_REQUESTS,
        Over::CursorExpired => StatusCode::GONE,
    }
}
