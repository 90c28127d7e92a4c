//! `GET /api/v1/audit`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::audit::{self, AuditFilter, RawFilter};
use denizen_domain::error::FieldError;
use http::header::LINK;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::RecordBody;
use crate::http::Shared;
use crate::http::answers::{Always, BadInput, CursorExpired, Permitted, SignedIn};
use crate::http::events::body::{cursor, position};
use crate::http::extract::{Caller, Query};
use crate::http::page::next_link;
use crate::http::problem::Problem;

/// Which records, and from where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
    /// Returns only records of this actor: the id of a user or service account.
    #[param(value_type = Option<String>, format = Uuid)]
    actor: Option<String>,
    /// Returns only records about this resource: the id of a user, service account, role or signing key.
    subject: Option<String>,
    /// Comma-separated event types. A trailing `*` matches a prefix: `session.*`.
    #[param(example = "user.created,session.*")]
    types: Option<String>,
    /// Lower bound of the time range, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Upper bound of the time range, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// The cursor of the last record already received. If omitted, starts at the oldest retained record.
    after: Option<String>,
    /// Maximum number of items: 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 20)]
    limit: Option<String>,
}

/// List audit records.
///
/// Returns all records of the audit log, oldest first: actor, subject, time, client address and credential. A page may
/// be shorter than `limit`, or empty, although more records follow: use the `Link` header.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", operation_id = "audit.list",
    params(AuditParams),
    responses(
        (status = 200, description = "A page of records.", body = [RecordBody], headers(
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
    Query(params): Query<AuditParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    let filter = AuditFilter::parse(RawFilter {
        actor: params.actor.as_deref(),
        subject: params.subject.as_deref(),
        types: params.types.as_deref(),
        from: params.from.as_deref(),
        until: params.until.as_deref(),
    })?;
    let number = |raw: &str| raw.parse().map_err(|_| FieldError::new("limit", "wrong_type", "must be a whole number"));
    let limit = params.limit.as_deref().map(number).transpose()?;
    let after = params.after.as_deref().map(|after| position(vault, "after", after)).transpose()?;
    let page = audit::list(&ctx, &filter, after, limit).await?;
    let mut headers = HeaderMap::new();
    let next = page.has_more.then(|| cursor(vault, page.read_to));
    if let Some(link) = next.and_then(|cursor| next_link(&uri, &cursor)) {
        headers.insert(LINK, link);
    }
    let bodies: Vec<RecordBody> = page.events.into_iter().map(|event| RecordBody::new(vault, event)).collect();
    Ok((headers, Json(bodies)).into_response())
}
