//! The log, a page at a time.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use denizen_domain::events::{self, EventFilter, EventPage};
use denizen_domain::ports::Vault;
use http::header::LINK;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::{EventBody, cursor, position};
use crate::http::Shared;
use crate::http::answers::{Always, BadInput, CursorExpired, Permitted, SignedIn};
use crate::http::extract::{Caller, Query};
use crate::http::page::next_link;
use crate::http::problem::Problem;

/// Which events, and from where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// The cursor of the last event already received. If omitted, starts at the oldest retained event.
    after: Option<String>,
    /// Comma-separated event types. A trailing `*` matches a prefix: `session.*`.
    #[param(example = "user.created,session.*")]
    types: Option<String>,
    /// Maximum number of items: 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 20)]
    limit: Option<String>,
}

/// What they ask for.
struct Asked {
    filter: EventFilter,
    after: Option<i64>,
    limit: Option<u32>,
}

impl EventParams {
    fn read(&self, vault: &dyn Vault) -> Result<Asked, FieldError> {
        let number =
            |raw: &str| raw.parse().map_err(|_| FieldError::new("limit", "wrong_type", "must be a whole number"));
        Ok(Asked {
            filter: EventFilter {
                kinds: self.types.as_deref().map(EventFilter::parse_types).transpose()?,
                about: None,
            },
            after: self.after.as_deref().map(|after| position(vault, "after", after)).transpose()?,
            limit: self.limit.as_deref().map(number).transpose()?,
        })
    }
}

/// List events.
///
/// Returns all events, oldest first. A page may be shorter than `limit`, or empty, although more events follow: use the
/// `Link` header.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "events.list",
    params(EventParams),
    responses(
        (status = 200, description = "A page of events.", body = [EventBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
        )),
        BadInput, SignedIn, Permitted, CursorExpired, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    uri: Uri,
    Query(params): Query<EventParams>,
) -> Result<Response, Problem> {
    let asked = params.read(shared.services.vault.as_ref())?;
    let page = events::list(&ctx, &asked.filter, asked.after, asked.limit).await?;
    Ok(respond(&shared, &uri, page))
}

/// List events about the caller.
///
/// Returns the events about the caller's own account, oldest first.
#[utoipa::path(
    get, path = "/api/v1/me/events", tag = "events", operation_id = "me.events",
    params(EventParams),
    responses(
        (status = 200, description = "A page of events.", body = [EventBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
        )),
        BadInput, SignedIn, Permitted, CursorExpired, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list_own(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    uri: Uri,
    Query(params): Query<EventParams>,
) -> Result<Response, Problem> {
    let asked = params.read(shared.services.vault.as_ref())?;
    let page = events::list_own(&ctx, &asked.filter, asked.after, asked.limit).await?;
    Ok(respond(&shared, &uri, page))
}

fn respond(shared: &Shared, uri: &Uri, page: EventPage) -> Response {
    let vault = shared.services.vault.as_ref();
    let mut headers = HeaderMap::new();
    let next = page.has_more.then(|| cursor(vault, page.read_to));
    if let Some(link) = next.and_then(|cursor| next_link(uri, &cursor)) {
        headers.insert(LINK, link);
    }
    let bodies: Vec<EventBody> = page.events.into_iter().map(|event| EventBody::new(vault, event)).collect();
    (headers, Json(bodies)).into_response()
}
