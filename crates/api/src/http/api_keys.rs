//! `/api/v1/api-keys`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::access::Subject;
use denizen_domain::api_keys::{self, ApiKey, IssuedKey, NewApiKey, OVERLAP_DEFAULT_S, OVERLAP_MAX_S};
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::{ApiKeyId, ServiceAccountId};
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use http::header::{CACHE_CONTROL, ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{
    Always, ApiKeyExists, BadBody, BadInput, Fresh, Grantable, Permitted, Repeatable, ServiceAccountExists, SignedIn,
};
use super::extract::{Caller, Fields, IdPath, JsonBody, OptionalJsonBody};
use super::problem::Problem;
use super::{Shared, etag, permissions};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(get, delete)).routes(routes!(rotate))
}

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "name": "Nightly report", "scopes": ["users:read"],
    "user_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "service_account_id": null, "expires_at": null,
    "created_at": "2026-11-22T17:30:18.000001Z", "rotated_at": null, "last_used_at": null
}))]
pub(crate) struct ApiKeyBody {
    /// Unique identifier of the key. It does not change when the secret is rotated.
    #[schema(format = Uuid)]
    id: String,
    /// Display name.
    #[schema(max_length = 200)]
    name: String,
    /// The scopes: the permissions that the key carries. Only those that the owner currently holds are effective.
    scopes: Vec<&'static str>,
    /// The user that owns the key, if a user owns it.
    #[schema(required = true, format = Uuid)]
    user_id: Option<String>,
    /// The service account that owns the key, if a service account owns it.
    #[schema(required = true, format = Uuid)]
    service_account_id: Option<String>,
    /// Expiry time; `null` if the key does not expire.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last rotation.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    rotated_at: Option<Timestamp>,
    /// Time of the last use, accurate to about one minute.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        let (user_id, service_account_id) = match key.owner {
            Subject::User(id) => (Some(id.to_string()), None),
            Subject::ServiceAccount(id) => (None, Some(id.to_string())),
        };
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            scopes: permissions::names(key.scopes),
            user_id,
            service_account_id,
            expires_at: key.expires_at,
            created_at: key.created_at,
            rotated_at: key.rotated_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// An API key with its secret, which is returned only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedKeyBody {
    #[serde(flatten)]
    about: ApiKeyBody,
    /// The secret; send it as `Authorization: Bearer`. It begins with `dnk_`. Store it: it cannot be retrieved again.
    #[schema(example = "dnk_AZNlqHsffD6NDAocLT5PUK-L09ZtF4OYdXA9qvJKtG9m6kNaN0HmIX1y2z3A4B5C")]
    key: String,
}

impl IssuedKeyBody {
    pub(crate) fn of(issued: IssuedKey) -> Self {
        Self { about: issued.key.into(), key: issued.secret.expose_secret().to_owned() }
    }
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Nightly report", "scopes": []}))]
struct CreateApiKeyBody {
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The scopes. Both the owner and the caller must hold each of them. A key without scopes can only read its owner.
    #[schema(max_items = 64)]
    scopes: Vec<String>,
    /// Expiry time, which must be in the future. If omitted, the key does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The service account that will own the key. If omitted, the caller owns it.
    #[schema(format = Uuid)]
    service_account_id: Option<String>,
}

/// Create an API key.
///
/// For the caller, who must be signed in with a session, or for a service account, which requires
/// `service_accounts:write`. The secret is returned only in this response.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "api-keys", operation_id = "api_keys.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateApiKeyBody,
    responses(
        (status = 201, description = "The key was created.", body = IssuedKeyBody, headers(
            ("Location" = String, description = "The URL of the key."),
            ("ETag" = String, description = "The version of the key."),
        )),
        BadBody, SignedIn, Grantable, ServiceAccountExists, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn create(Caller(ctx): Caller, JsonBody(body): JsonBody<CreateApiKeyBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&body.name));
    let scopes = fields.check("scopes", permissions::read(&body.scopes));
    let expires_at = body.expires_at.map(|raw| fields.check("expires_at", moment(&raw)));
    let service_account = body.service_account_id.map(|raw| fields.check("service_account_id", account(&raw)));
    let new = (|| {
        Some(NewApiKey {
            name: name?,
            scopes: scopes?,
            expires_at: expires_at.flatten(),
            service_account: service_account.flatten(),
        })
    })();

    let issued = api_keys::create(&ctx, fields.finish(new)?).await?;
    let location = [(LOCATION, format!("/api/v1/api-keys/{}", issued.key.id))];
    Ok((StatusCode::CREATED, location, shown_once(issued)).into_response())
}

fn moment(raw: &str) -> Result<Timestamp, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_value", message: "must be an RFC 3339 time".to_owned() };
    Timestamp::parse(raw).ok_or_else(broken)
}

fn account(raw: &str) -> Result<ServiceAccountId, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_id", message: "must be a UUID".to_owned() };
    ServiceAccountId::parse(raw).ok_or_else(broken)
}

fn shown_once(issued: IssuedKey) -> impl IntoResponse {
    let headers = [(CACHE_CONTROL, "no-store".to_owned()), (ETAG, etag::of_api_key(&issued.key))];
    (headers, Json(IssuedKeyBody::of(issued)))
}

/// Get an API key.
///
/// Returns it without its secret. Visible to its owner, to callers with `api_keys:read` and, for keys of service
/// accounts, to callers with `service_accounts:read`.
#[utoipa::path(
    get, path = "/api/v1/api-keys/{id}", tag = "api-keys", operation_id = "api_keys.get",
    params(("id" = String, Path, format = Uuid, description = "The id of the key.")),
    responses(
        (status = 200, description = "The key.", body = ApiKeyBody,
            headers(("ETag" = String, description = "The version of the key."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        BadInput, SignedIn, ApiKeyExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, IdPath(id): IdPath<ApiKeyId>, headers: HeaderMap) -> Result<Response, Problem> {
    let key = api_keys::get(&ctx, id).await?;
    Ok(etag::respond(&headers, &etag::of_api_key(&key), Json(ApiKeyBody::from(key))))
}

/// Delete an API key.
///
/// The key and every access token issued for it stop working immediately.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "api-keys", operation_id = "api_keys.delete",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the key."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the key has this version."),
    ),
    responses(
        (status = 204, description = "The key was deleted."),
        BadInput, SignedIn, Permitted, ApiKeyExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(Caller(ctx): Caller, IdPath(id): IdPath<ApiKeyId>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    api_keys::revoke(&ctx, id, expected.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotation of a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap_s": 3600}))]
struct RotateApiKeyBody {
    /// How long the previous secret remains valid, in seconds. Default: one day.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_s: Option<u32>,
}

/// Rotate the secret of an API key.
///
/// The previous secret remains valid for an overlap period. The caller must hold all scopes of the key.
#[utoipa::path(
    post, path = "/api/v1/api-keys/{id}/rotate", tag = "api-keys", operation_id = "api_keys.rotate",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the key."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the key has this version."),
        ("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours."),
    ),
    request_body = RotateApiKeyBody,
    responses(
        (status = 200, description = "The key with its new secret.", body = IssuedKeyBody,
            headers(("ETag" = String, description = "The version of the key."))),
        BadBody, SignedIn, Grantable, ApiKeyExists, Repeatable, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn rotate(
    Caller(ctx): Caller,
    IdPath(id): IdPath<ApiKeyId>,
    headers: HeaderMap,
    OptionalJsonBody(body): OptionalJsonBody<RotateApiKeyBody>,
) -> Result<Response, Problem> {
    let overlap_s = body.overlap_s.unwrap_or(OVERLAP_DEFAULT_S);
    if overlap_s > OVERLAP_MAX_S {
        let message = format!("must be 0 to {OVERLAP_MAX_S}");
        return Err(FieldError::new("overlap_s", "out_of_range", message).into());
    }
    let expected = etag::if_match(&headers)?;
    let issued = api_keys::rotate(&ctx, id, overlap_s, expected.as_deref()).await?;
    Ok(shown_once(issued).into_response())
}
