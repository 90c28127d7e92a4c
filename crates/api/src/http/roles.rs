//! `/api/v1/roles`.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use denizen_domain::error::{Error, FieldError, Resource, RuleBroken};
use denizen_domain::id::RoleId;
use denizen_domain::roles::{self, Description, NewRole, Role, RoleChange, RoleKey, RoleName, SecondFactorPolicy};
use denizen_domain::time::Timestamp;
use http::header::{ETAG, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{
    Always, BadBody, BadInput, Fresh, Grantable, Permitted, RoleExists, RoleFree, RoleNameFree, RoleOpen, SignedIn,
};
use super::extract::{Caller, Fields, JsonBody, Query, path_param};
use super::page::{self, List, PageParams};
use super::permissions;
use super::problem::Problem;
use super::{Shared, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, replace, delete))
}

/// The `{role}` of a path: its name or its id. Whatever can be neither is no role.
struct RolePath(RoleKey);

impl<S: Send + Sync> FromRequestParts<S> for RolePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let raw = path_param(parts, state, "role").await.unwrap_or_default();
        key_of(&raw).map(Self).ok_or_else(|| Error::NotFound(Resource::Role).into())
    }
}

/// The role that a name or an id stands for.
pub(crate) fn key_of(raw: &str) -> Option<RoleKey> {
    let by_name = || RoleName::parse(raw).ok().map(RoleKey::Name);
    RoleId::parse(raw).map(RoleKey::Id).or_else(by_name)
}

/// A role.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "name": "support", "description": "Read-only access to users.",
    "permissions": ["users:read", "sessions:read"], "second_factor": "optional", "built_in": false,
    "created_at": "2026-11-22T17:30:18.000001Z", "updated_at": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct RoleBody {
    /// Unique identifier of the role.
    #[schema(format = Uuid)]
    id: String,
    /// The name of the role; unique.
    #[schema(max_length = 64)]
    name: String,
    /// Description; may be empty.
    #[schema(max_length = 200)]
    description: String,
    /// The permissions of the role.
    permissions: Vec<&'static str>,
    /// `required` if holders of the role must authenticate with a second factor, otherwise `optional`.
    #[schema(pattern = "^(optional|required|passkey)$")]
    second_factor: &'static str,
    /// Whether the role is built in: `admin` and `user`. Only `second_factor` of a built-in role can be changed.
    built_in: bool,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        Self {
            id: role.id.as_uuid().to_string(),
            name: role.name.to_string(),
            description: role.description.as_str().to_owned(),
            permissions: permissions::names(role.permissions),
            second_factor: role.second_factor.as_str(),
            built_in: role.name.built_in().is_some(),
            created_at: role.created_at,
            updated_at: role.updated_at,
        }
    }
}

/// List roles, newest first.
#[utoipa::path(
    get, path = "/api/v1/roles", tag = "roles", operation_id = "roles.list",
    params(PageParams),
    responses(
        (status = 200, description = "A page of roles.", body = [RoleBody], headers(
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
    let (page, total) = params.read(vault, List::Roles)?;
    let listed = roles::list(&ctx, page, total).await?;
    Ok(page::respond(vault, List::Roles, &uri, listed, RoleBody::from))
}

/// A new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "support", "description": "Read-only access to users.", "permissions": ["users:read", "sessions:read"]
}))]
struct CreateRoleBody {
    /// A lowercase letter, followed by up to 63 of `a-z`, `0-9`, `-`, `_`, `.` and `:`. Cannot be changed later.
    #[schema(max_length = 64, pattern = "^[a-z][a-z0-9._:-]{0,63}$")]
    name: String,
    /// Description.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// The permissions of the role. The caller must hold each of them.
    #[schema(max_items = 64)]
    permissions: Vec<String>,
    /// `required` if holders of the role must authenticate with a second factor, `passkey` if it must be a passkey or a
    /// security key. Default: `optional`.
    #[schema(pattern = "^(optional|required|passkey)$")]
    second_factor: Option<String>,
}

/// Create a role.
#[utoipa::path(
    post, path = "/api/v1/roles", tag = "roles", operation_id = "roles.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateRoleBody,
    responses(
        (status = 201, description = "The role was created.", body = RoleBody, headers(
            ("Location" = String, description = "The URL of the role."),
            ("ETag" = String, description = "The version of the role."),
        )),
        BadBody, SignedIn, Grantable, RoleNameFree, Always,
    ),
    security(("bearer" = [])),
)]
async fn create(Caller(ctx): Caller, JsonBody(body): JsonBody<CreateRoleBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let name = fields.check("name", RoleName::parse(&body.name));
    let description = Description::parse(body.description.as_deref().unwrap_or_default());
    let description = fields.check("description", description);
    let permissions = fields.check("permissions", permissions::read(&body.permissions));
    let second_factor = fields.check("second_factor", second_factor(body.second_factor.as_deref()));
    let new = (|| {
        Some(NewRole {
            name: name?,
            description: description?,
            permissions: permissions?,
            second_factor: second_factor?.unwrap_or_default(),
        })
    })();

    let role = roles::create(&ctx, fields.finish(new)?).await?;
    let location = format!("/api/v1/roles/{}", role.name);
    let headers = [(LOCATION, location), (ETAG, etag::of_version(role.version))];
    Ok((StatusCode::CREATED, headers, Json(RoleBody::from(role))).into_response())
}

/// Get a role.
#[utoipa::path(
    get, path = "/api/v1/roles/{role}", tag = "roles", operation_id = "roles.get",
    params(("role" = String, Path, description = "The name or id of the role.")),
    responses(
        (status = 200, description = "The role.", body = RoleBody,
            headers(("ETag" = String, description = "The version of the role."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        SignedIn, Permitted, RoleExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, RolePath(key): RolePath, headers: HeaderMap) -> Result<Response, Problem> {
    let role = roles::get(&ctx, &key).await?;
    Ok(etag::respond(&headers, &etag::of_version(role.version), Json(RoleBody::from(role))))
}

/// A full replacement of a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "Read-only access to users.", "permissions": ["users:read"]}))]
pub(crate) struct ReplaceRoleBody {
    /// The current name of the role; it cannot be changed.
    #[schema(max_length = 64)]
    name: Option<String>,
    /// Description. If omitted, empty.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// The permissions of the role. The caller must hold each of them.
    #[schema(max_items = 64)]
    permissions: Vec<String>,
    /// `required` if holders of the role must authenticate with a second factor, `passkey` if it must be a passkey or a
    /// security key: sessions without one end immediately. Unchanged if omitted.
    #[schema(pattern = "^(optional|required|passkey)$")]
    second_factor: Option<String>,
}

impl ReplaceRoleBody {
    /// The change; every field at fault is reported.
    pub(crate) fn into_change(self) -> Result<RoleChange, Vec<FieldError>> {
        let mut fields = Fields::default();
        let name = self.name.and_then(|raw| fields.check("name", RoleName::parse(&raw)));
        let description = Description::parse(self.description.as_deref().unwrap_or_default());
        let description = fields.check("description", description);
        let permissions = fields.check("permissions", permissions::read(&self.permissions));
        let second_factor = fields.check("second_factor", second_factor(self.second_factor.as_deref())).flatten();
        fields.finish(Some(RoleChange { name, description, permissions, second_factor }))
    }
}

/// Replace a role.
///
/// Takes effect for all holders of the role with their next request. The caller must hold both the new and the previous
/// permissions of the role. For a built-in role, only `second_factor` can be changed.
#[utoipa::path(
    put, path = "/api/v1/roles/{role}", tag = "roles", operation_id = "roles.replace",
    params(
        ("role" = String, Path, description = "The name or id of the role."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the role has this version."),
    ),
    request_body = ReplaceRoleBody,
    responses(
        (status = 200, description = "The updated role.", body = RoleBody,
            headers(("ETag" = String, description = "The version of the role."))),
        BadBody, SignedIn, Grantable, RoleExists, RoleOpen, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn replace(
    Caller(ctx): Caller,
    RolePath(key): RolePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReplaceRoleBody>,
) -> Result<Response, Problem> {
    let change = body.into_change()?;
    let expected = etag::if_match(&headers)?;
    let role = roles::update(&ctx, &key, change, expected.as_deref()).await?;
    Ok(([(ETAG, etag::of_version(role.version))], Json(RoleBody::from(role))).into_response())
}

/// Delete a role.
///
/// The role must not be assigned or built in.
#[utoipa::path(
    delete, path = "/api/v1/roles/{role}", tag = "roles", operation_id = "roles.delete",
    params(
        ("role" = String, Path, description = "The name or id of the role."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the role has this version."),
    ),
    responses(
        (status = 204, description = "The role was deleted."),
        BadInput, SignedIn, Permitted, RoleExists, RoleFree, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(Caller(ctx): Caller, RolePath(key): RolePath, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    roles::delete(&ctx, &key, expected.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a policy on second factors.
fn second_factor(raw: Option<&str>) -> Result<Option<SecondFactorPolicy>, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_value", message: "must be optional, required or passkey".to_owned() };
    raw.map(|raw| SecondFactorPolicy::parse(raw).ok_or_else(broken)).transpose()
}
