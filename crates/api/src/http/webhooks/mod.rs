//! `/api/v1/webhooks`: who is told what happens, and what became of it.

mod body;
mod change;
mod deliveries;
mod test;

pub(crate) use body::{DeliveryBody, IssuedWebhookBody, WebhookBody};
pub(crate) use change::ReplaceWebhookBody;
pub(crate) use test::{TestedBody, ping_body};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use denizen_domain::id::WebhookId;
use denizen_domain::roles::Description;
use denizen_domain::webhooks::{
    self, EventTypes, NewWebhook, OVERLAP_DEFAULT_S, OVERLAP_MAX_S, WebhookStatus, WebhookUrl,
};
use http::header::{CACHE_CONTROL, ETAG, LOCATION};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{Always, BadBody, BadInput, Fresh, Permitted, Repeatable, SignedIn, WebhookExists, WebhookRoom};
use super::extract::{Caller, Fields, IdPath, JsonBody, OptionalJsonBody, Query};
use super::page::{self, List, PageParams};
use super::problem::Problem;
use super::{Shared, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, change::replace, change::patch, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(test::test))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(deliveries::retry))
        .routes(routes!(deliveries::replay))
}

/// List webhooks, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "webhooks.list",
    params(PageParams),
    responses(
        (status = 200, description = "A page of webhooks.", body = [WebhookBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, with `count=true`."),
        )),
        BadInput, SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
async fn list(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    uri: Uri,
    Query(params): Query<PageParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    let (page, total) = params.read(vault, List::Webhooks)?;
    let listed = webhooks::list(&ctx, page, total).await?;
    Ok(page::respond(vault, List::Webhooks, &uri, listed, WebhookBody::from))
}

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://crm.example.com/hooks/denizen", "types": ["user.*"]}))]
struct CreateWebhookBody {
    /// The URL that receives the events: an `https` URL with a public host, without credentials and without a fragment.
    #[schema(max_length = 2048)]
    url: String,
    /// The event types to deliver; a trailing `*` matches a prefix. If omitted or empty, all types.
    #[schema(max_items = 64)]
    types: Option<Vec<String>>,
    /// Description.
    #[schema(max_length = 200)]
    description: Option<String>,
}

/// Create a webhook.
///
/// It receives events that occur from now on. The signing secret is returned only in this response. The caller must
/// hold `webhooks:write` and `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "webhooks.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateWebhookBody,
    responses(
        (status = 201, description = "The webhook was created.", body = IssuedWebhookBody, headers(
            ("Location" = String, description = "The URL of the webhook resource."),
            ("ETag" = String, description = "The version of the webhook."),
        )),
        BadBody, SignedIn, Permitted, WebhookRoom, Always,
    ),
    security(("bearer" = [])),
)]
async fn create(Caller(ctx): Caller, JsonBody(body): JsonBody<CreateWebhookBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let url = fields.check("url", WebhookUrl::parse(&body.url));
    let types = fields.check("types", EventTypes::parse(&body.types.unwrap_or_default()));
    let description = Description::parse(body.description.as_deref().unwrap_or_default());
    let description = fields.check("description", description);
    let new =
        (|| Some(NewWebhook { url: url?, types: types?, description: description?, status: WebhookStatus::Active }))();

    let issued = webhooks::create(&ctx, fields.finish(new)?).await?;
    let location = [(LOCATION, format!("/api/v1/webhooks/{}", issued.webhook.id))];
    Ok((StatusCode::CREATED, location, shown_once(issued)).into_response())
}

fn shown_once(issued: webhooks::IssuedWebhook) -> impl IntoResponse {
    let headers = [(CACHE_CONTROL, "no-store".to_owned()), (ETAG, etag::of_version(issued.webhook.version))];
    (headers, Json(IssuedWebhookBody::of(issued)))
}

/// Get a webhook, without its secret.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.get",
    params(("id" = String, Path, format = Uuid, description = "The id of the webhook.")),
    responses(
        (status = 200, description = "The webhook.", body = WebhookBody,
            headers(("ETag" = String, description = "The version of the webhook."))),
        BadInput, SignedIn, Permitted, WebhookExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, IdPath(id): IdPath<WebhookId>) -> Result<Response, Problem> {
    let webhook = webhooks::get(&ctx, id).await?;
    // How it fares shows, and is no change: there is no answering that nothing is new.
    Ok(([(ETAG, etag::of_version(webhook.version))], Json(WebhookBody::from(webhook))).into_response())
}

/// Delete a webhook.
///
/// Permanently deletes the webhook and its delivery history. Requests in progress may still arrive. A webhook with 1,000
/// or more deliveries is disabled first, which changes its `ETag`, and the response takes longer. Repeat an interrupted
/// request without `If-Match`, or with the new `ETag`.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.delete",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    responses(
        (status = 204, description = "The webhook was deleted."),
        BadInput, SignedIn, Permitted, WebhookExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(Caller(ctx): Caller, IdPath(id): IdPath<WebhookId>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    webhooks::delete(&ctx, id, expected.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotation of a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap_s": 3600}))]
struct RotateWebhookSecretBody {
    /// How long requests are also signed with the previous secret, in seconds. Default: one day.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_s: Option<u32>,
}

/// Rotate the secret of a webhook.
///
/// Requests carry two signatures during an overlap period, so that the receiver can switch to the new secret. The new
/// secret is returned only in this response. The caller must hold `webhooks:write` and `events:read`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/rotate-secret", tag = "webhooks", operation_id = "webhooks.rotate_secret",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours."),
    ),
    request_body = RotateWebhookSecretBody,
    responses(
        (status = 200, description = "The webhook with its new secret.", body = IssuedWebhookBody,
            headers(("ETag" = String, description = "The version of the webhook."))),
        BadBody, SignedIn, Permitted, WebhookExists, Repeatable, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn rotate_secret(
    Caller(ctx): Caller,
    IdPath(id): IdPath<WebhookId>,
    headers: HeaderMap,
    OptionalJsonBody(body): OptionalJsonBody<RotateWebhookSecretBody>,
) -> Result<Response, Problem> {
    let overlap_s = body.overlap_s.unwrap_or(OVERLAP_DEFAULT_S);
    if overlap_s > OVERLAP_MAX_S {
        let message = format!("must be 0 to {OVERLAP_MAX_S}");
        return Err(FieldError::new("overlap_s", "out_of_range", message).into());
    }
    let expected = etag::if_match(&headers)?;
    let issued = webhooks::rotate_secret(&ctx, id, overlap_s, expected.as_deref()).await?;
    Ok(shown_once(issued).into_response())
}
