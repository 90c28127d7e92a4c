//! `/api/v1/service-accounts`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::{self, NewServiceAccount, ServiceAccount, ServiceAccountChange};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, Status};
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{
    Always, BadBody, BadInput, Fresh, Grantable, Permitted, Repeatable, ServiceAccountExists, SignedIn,
};
use super::extract::{Caller, Fields, IdPath, JsonBody, Query};
use super::page::{self, List, PageParams};
use super::problem::Problem;
use super::users::{said, settable_status};
use super::{Shared, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, replace, patch, delete))
}

/// A service account.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "name": "Billing", "description": "Monthly billing.",
    "role": "user", "status": "active",
    "created_at": "2026-11-22T17:30:18.000001Z", "updated_at": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct ServiceAccountBody {
    /// Unique identifier of the service account; its `client_id` at `/oauth2/token`.
    #[schema(format = Uuid)]
    id: String,
    /// Display name.
    #[schema(max_length = 200)]
    name: String,
    /// Description; may be empty.
    #[schema(max_length = 200)]
    description: String,
    /// The role.
    role: String,
    /// `active` or `disabled`.
    #[schema(pattern = "^(active|disabled)$")]
    status: &'static str,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<ServiceAccount> for ServiceAccountBody {
    fn from(account: ServiceAccount) -> Self {
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            description: account.description.as_str().to_owned(),
            role: account.role.to_string(),
            status: account.status.as_str(),
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// List service accounts, newest first.
#[utoipa::path(
    get, path = "/api/v1/service-accounts", tag = "service-accounts", operation_id = "service_accounts.list",
    params(PageParams),
    responses(
        (status = 200, description = "A page of service accounts.", body = [ServiceAccountBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, up to 10,000, with `count=true`."),
            ("X-Total-Count-Limited" = bool, description = "`true` if there are more items; absent otherwise."),
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
    let (page, total) = params.read(vault, List::ServiceAccounts)?;
    let listed = service_accounts::list(&ctx, page, total).await?;
    Ok(page::respond(vault, List::ServiceAccounts, &uri, listed, ServiceAccountBody::from))
}

/// A new service account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Billing", "description": "Monthly billing.", "role": "user"}))]
struct CreateServiceAccountBody {
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Description.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// The role; the caller must hold its permissions. Default: `user`.
    role: Option<String>,
}

/// Create a service account.
///
/// It cannot authenticate until it has an API key.
#[utoipa::path(
    post, path = "/api/v1/service-accounts", tag = "service-accounts", operation_id = "service_accounts.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateServiceAccountBody,
    responses(
        (status = 201, description = "The service account was created.", body = ServiceAccountBody, headers(
            ("Location" = String, description = "The URL of the service account."),
            ("ETag" = String, description = "The version of the service account."),
        )),
        BadBody, SignedIn, Grantable, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn create(Caller(ctx): Caller, JsonBody(body): JsonBody<CreateServiceAccountBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&body.name));
    let description = Description::parse(body.description.as_deref().unwrap_or_default());
    let description = fields.check("description", description);
    let role = body.role.map_or(Ok(RoleName::user()), |raw| RoleName::reference(&raw));
    let role = fields.check("role", role);
    let new =
        (|| Some(NewServiceAccount { name: name?, description: description?, role: role?, status: Status::Active }))();

    let account = service_accounts::create(&ctx, fields.finish(new)?).await?;
    let location = format!("/api/v1/service-accounts/{}", account.id);
    let headers = [(LOCATION, location), (ETAG, etag::of_version(account.version))];
    Ok((StatusCode::CREATED, headers, Json(ServiceAccountBody::from(account))).into_response())
}

/// Get a service account.
///
/// A service account can read itself.
#[utoipa::path(
    get, path = "/api/v1/service-accounts/{id}", tag = "service-accounts", operation_id = "service_accounts.get",
    params(("id" = String, Path, format = Uuid, description = "The id of the service account.")),
    responses(
        (status = 200, description = "The service account.", body = ServiceAccountBody,
            headers(("ETag" = String, description = "The version of the service account."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        BadInput, SignedIn, Permitted, ServiceAccountExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(
    Caller(ctx): Caller,
    IdPath(id): IdPath<ServiceAccountId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let account = service_accounts::get(&ctx, id).await?;
    let tag = etag::of_version(account.version);
    Ok(etag::respond(&headers, &tag, Json(ServiceAccountBody::from(account))))
}

/// A full replacement of a service account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Billing", "description": "Billing twice a month."}))]
pub(crate) struct ReplaceServiceAccountBody {
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Description. If omitted, empty.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// The role; the caller must hold its permissions. Unchanged if omitted.
    role: Option<String>,
    /// `active` or `disabled`. Unchanged if omitted.
    #[schema(pattern = "^(active|disabled)$")]
    status: Option<String>,
}

impl ReplaceServiceAccountBody {
    /// The change; every field at fault is reported.
    pub(crate) fn into_change(self) -> Result<ServiceAccountChange, Vec<FieldError>> {
        let mut fields = Fields::default();
        let description = Description::parse(self.description.as_deref().unwrap_or_default());
        let change = ServiceAccountChange {
            name: fields.check("name", DisplayName::parse(&self.name)),
            description: fields.check("description", description),
            role: self.role.and_then(|raw| fields.check("role", RoleName::reference(&raw))),
            status: self.status.and_then(|raw| fields.check("status", settable_status(&raw))),
        };
        fields.finish(Some(change))
    }
}

/// Replace a service account.
#[utoipa::path(
    put, path = "/api/v1/service-accounts/{id}", tag = "service-accounts", operation_id = "service_accounts.replace",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the service account."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    request_body = ReplaceServiceAccountBody,
    responses(
        (status = 200, description = "The updated service account.", body = ServiceAccountBody,
            headers(("ETag" = String, description = "The version of the service account."))),
        BadBody, SignedIn, Grantable, ServiceAccountExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn replace(
    Caller(ctx): Caller,
    IdPath(id): IdPath<ServiceAccountId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReplaceServiceAccountBody>,
) -> Result<Response, Problem> {
    update(&ctx, id, &headers, body.into_change()?).await
}

/// An update of a service account, as a JSON Merge Patch (RFC 7396).
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"status": "disabled"}))]
struct PatchServiceAccountBody {
    /// Display name: 1 to 200 characters.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    #[serde(deserialize_with = "said")]
    name: Option<String>,
    /// Description.
    #[schema(nullable = false, max_length = 200)]
    #[serde(deserialize_with = "said")]
    description: Option<String>,
    /// The role; the caller must hold its permissions.
    #[serde(deserialize_with = "said")]
    #[schema(nullable = false)]
    role: Option<String>,
    /// `active` or `disabled`.
    #[serde(deserialize_with = "said")]
    #[schema(nullable = false, pattern = "^(active|disabled)$")]
    status: Option<String>,
}

/// Update a service account.
///
/// Takes effect for its API keys and tokens with the next request.
#[utoipa::path(
    patch, path = "/api/v1/service-accounts/{id}", tag = "service-accounts", operation_id = "service_accounts.update",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the service account."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    request_body(content(
        (PatchServiceAccountBody = "application/merge-patch+json"),
        (PatchServiceAccountBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The updated service account.", body = ServiceAccountBody,
            headers(("ETag" = String, description = "The version of the service account."))),
        BadBody, SignedIn, Grantable, ServiceAccountExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn patch(
    Caller(ctx): Caller,
    IdPath(id): IdPath<ServiceAccountId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PatchServiceAccountBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let change = ServiceAccountChange {
        name: body.name.and_then(|raw| fields.check("name", DisplayName::parse(&raw))),
        description: body.description.and_then(|raw| fields.check("description", Description::parse(&raw))),
        role: body.role.and_then(|raw| fields.check("role", RoleName::reference(&raw))),
        status: body.status.and_then(|raw| fields.check("status", settable_status(&raw))),
    };
    let change = fields.finish(Some(change))?;
    update(&ctx, id, &headers, change).await
}

async fn update(
    ctx: &Ctx,
    id: ServiceAccountId,
    headers: &HeaderMap,
    change: ServiceAccountChange,
) -> Result<Response, Problem> {
    let expected = etag::if_match(headers)?;
    let account = service_accounts::update(ctx, id, change, expected.as_deref()).await?;
    Ok(([(ETAG, etag::of_version(account.version))], Json(ServiceAccountBody::from(account))).into_response())
}

/// Delete a service account.
///
/// Permanently deletes the service account and its API keys.
#[utoipa::path(
    delete, path = "/api/v1/service-accounts/{id}", tag = "service-accounts", operation_id = "service_accounts.delete",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the service account."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    responses(
        (status = 204, description = "The service account was deleted."),
        BadInput, SignedIn, Permitted, ServiceAccountExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(
    Caller(ctx): Caller,
    IdPath(id): IdPath<ServiceAccountId>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    service_accounts::delete(&ctx, id, expected.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
