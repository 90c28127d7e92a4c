//! What became of what there was to tell, and telling it again.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use denizen_domain::error::RuleBroken;
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
    /// Returns only deliveries in this state: `pending`, `delivered` or `parked`.
    #[param(pattern = "^(pending|delivered|parked)$")]
    state: Option<String>,
}

fn read_state(raw: &str) -> Result<DeliveryState, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_value", message: "must be pending, delivered or parked".to_owned() };
    DeliveryState::parse(raw).ok_or_else(broken)
}

/// List deliveries of a webhook, newest first.
///
/// Returns deliveries of the last 7 days and all pending ones. The caller must hold `webhooks:read` and `events:read`,
/// because deliveries reveal events.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "webhooks.deliveries",
    params(("id" = String, Path, format = Uuid, description = "The id of the webhook."), PageParams, DeliveryParams),
    responses(
        (status = 200, description = "A page of deliveries.", body = [DeliveryBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, up to 10,000, with `count=true`."),
            ("X-Total-Count-Limited" = bool, description = "`true` if there are more items; absent otherwise."),
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
    let state = filter.state.as_deref().map(read_state).transpose().map_err(|broken| broken.at("state"))?;
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
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("delivery_id" = String, Path, format = Uuid, description = "The id of the delivery."),
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

/// Retry a delivery.
///
/// Schedules the delivery again, whatever its state, with the same `webhook-id`. A delivery that waits for an earlier
/// one about the same subject continues to wait, and a delivery of a disabled webhook waits until the webhook is
/// active. The caller must hold `webhooks:write` and `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}/retry", tag = "webhooks",
    operation_id = "webhooks.retry",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("delivery_id" = String, Path, format = Uuid, description = "The id of the delivery."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours."),
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

/// The deliveries to replay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}))]
pub(super) struct ReplayBody {
    /// Lower bound of the creation time, inclusive. Default: the oldest retained delivery.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Upper bound of the creation time, exclusive. Default: no upper bound.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// `parked` (default) or `delivered`.
    #[schema(pattern = "^(parked|delivered)$")]
    state: Option<String>,
}

/// The number of deliveries to replay.
#[derive(Serialize, ToSchema)]
pub(super) struct ReplayedBody {
    /// The number of scheduled deliveries. If it is 50,000, there may be more: repeat the request.
    #[schema(maximum = 50_000)]
    count: u64,
}

/// Replay deliveries of a time range.
///
/// Each delivery has the same `webhook-id` as before. For each subject, deliveries are sent in the order of the log,
/// among the waiting ones and after the one in progress. At most 50,000 per request, oldest first. Deliveries of a
/// disabled webhook wait until it is active. The caller must hold `webhooks:write` and `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks", operation_id = "webhooks.replay",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours."),
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
    let state = body.state.as_deref().and_then(|raw| fields.check("state", read_state(raw)));
    let range = Range {
        from: body.from.and_then(|raw| fields.check("from", moment(&raw))),
        to: body.to.and_then(|raw| fields.check("to", moment(&raw))),
        state: state.unwrap_or(DeliveryState::Parked),
    };
    let count = webhooks::replay(&ctx, id, fields.finish(Some(range))?).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayedBody { count })))
}
