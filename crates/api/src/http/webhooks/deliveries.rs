//! What became of what there was to tell, and telling it again.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use denizen_domain::error::FieldError;
use denizen_domain::id::WebhookId;
use denizen_domain::webhooks::{self, DeliveryState, Range};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{DeliveryBody, moment};
use crate::http::Shared;
use crate::http::answers::{Always, BadBody, BadInput, DeliveryExists, Permitted, Repeatable, SignedIn, WebhookExists};
use crate::http::extract::{Caller, DeliveryPath, Fields, IdPath, JsonBody, ListQuery};
use crate::http::page::{self, List, PageParams};
use crate::http::problem::Problem;

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryParams {
    /// Only those that are `pending`, `delivered` or `parked`.
    #[param(pattern = "^(pending|delivered|parked)$")]
    state: Option<String>,
}

fn read_state(raw: &str) -> Result<DeliveryState, FieldError> {
    let broken = || FieldError::new("state", "invalid_value", "must be pending, delivered or parked");
    DeliveryState::parse(raw).ok_or_else(broken)
}

/// List deliveries to a webhook, newest first.
///
/// Those of the last 7 days, and those that are pending. The caller must hold `webhooks:read` and `events:read`: they tell
/// what happened, to whom and when.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "webhooks.deliveries",
    params(("id" = String, Path, format = Uuid, description = "The webhook's id."), PageParams, DeliveryParams),
    responses(
        (status = 200, description = "A page of deliveries.", body = [DeliveryBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, when there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "How many there are in all, with `count=true`; at most 10,000 are counted."),
            ("X-Total-Count-Limited" = bool, description = "`true` if there are more than `X-Total-Count`; absent otherwise."),
        )),
        BadInput, SignedIn, Permitted, WebhookExists, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    IdPath(id): IdPath<WebhookId>,
    uri: Uri,
    ListQuery { page: params, filter }: ListQuery<DeliveryParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    let (page, total) = params.read(vault, List::Deliveries)?;
    let state = filter.state.as_deref().map(read_state).transpose()?;
    let listed = webhooks::list_deliveries(&ctx, id, state, page, total).await?;
    Ok(page::respond(vault, List::Deliveries, &uri, listed, DeliveryBody::from))
}

/// Get a delivery.
///
/// The caller must hold `webhooks:read` and `events:read`.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}", tag = "webhooks",
    operation_id = "webhooks.delivery",
    params(
        ("id" = String, Path, format = Uuid, description = "The webhook's id."),
        ("delivery_id" = String, Path, format = Uuid, description = "The delivery's id."),
    ),
    responses(
        (status = 200, description = "The delivery.", body = DeliveryBody),
        BadInput, SignedIn, Permitted, DeliveryExists, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    Caller(ctx): Caller,
    DeliveryPath(webhook, id): DeliveryPath,
) -> Result<Json<DeliveryBody>, Problem> {
    Ok(Json(webhooks::get_delivery(&ctx, webhook, id).await?.into()))
}

/// Make a delivery again.
///
/// Soon, whatever has become of it; with the same `webhook-id`. One that waits for an earlier one about the same subject
/// still does, and one to a webhook that is disabled waits until it is active. The caller must hold `webhooks:write` and
/// `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}/retry", tag = "webhooks",
    operation_id = "webhooks.retry",
    params(
        ("id" = String, Path, format = Uuid, description = "The webhook's id."),
        ("delivery_id" = String, Path, format = Uuid, description = "The delivery's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first answer for 24 hours."),
    ),
    responses(
        (status = 202, description = "The delivery is pending."),
        BadInput, SignedIn, Permitted, DeliveryExists, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn retry(Caller(ctx): Caller, DeliveryPath(webhook, id): DeliveryPath) -> Result<StatusCode, Problem> {
    webhooks::retry(&ctx, webhook, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Which deliveries to make again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}))]
pub(super) struct ReplayBody {
    /// Those made at this moment or later. Unsaid, from the first that is kept.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Those made before this moment. Unsaid, to the last.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// `parked`, which is meant when nothing is said, or `delivered`.
    #[schema(pattern = "^(parked|delivered)$")]
    state: Option<String>,
}

/// How many deliveries are made again.
#[derive(Serialize, ToSchema)]
pub(super) struct ReplayedBody {
    /// How many there are. With 50,000 there may be more: ask again.
    #[schema(maximum = 50_000)]
    count: u64,
}

/// Make the deliveries of a range again.
///
/// Each with the same `webhook-id` as before. They are made in the order of the log for each subject, among those that wait
/// and after the one that is being tried. At most 50,000, the oldest first. Those to a webhook that is disabled wait until it
/// is active. The caller must hold `webhooks:write` and `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks", operation_id = "webhooks.replay",
    params(
        ("id" = String, Path, format = Uuid, description = "The webhook's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first answer for 24 hours."),
    ),
    request_body = ReplayBody,
    responses(
        (status = 202, description = "The deliveries are pending.", body = ReplayedBody),
        BadBody, SignedIn, Permitted, WebhookExists, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn replay(
    Caller(ctx): Caller,
    IdPath(id): IdPath<WebhookId>,
    JsonBody(body): JsonBody<ReplayBody>,
) -> Result<(StatusCode, Json<ReplayedBody>), Problem> {
    let mut fields = Fields::default();
    let range = Range {
        from: body.from.and_then(|raw| fields.check("from", moment(&raw))),
        to: body.to.and_then(|raw| fields.check("to", moment(&raw))),
        state: body.state.as_deref().map_or(Ok(DeliveryState::Parked), read_state)?,
    };
    let count = webhooks::replay(&ctx, id, fields.finish(Some(range))?).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayedBody { count })))
}
