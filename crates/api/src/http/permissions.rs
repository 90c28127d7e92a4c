//! `/api/v1/permissions`: what can be allowed.

use axum::Json;
use denizen_domain::access::{Permission, Permissions};
use denizen_domain::error::RuleBroken;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, SignedIn};
use super::extract::Caller;
use super::problem::Problem;

/// The most names a list of permissions may have; the catalogue has fewer.
const NAMES_MAX: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A permission.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "users:read", "description": "Read users."}))]
pub(crate) struct PermissionBody {
    /// The name of the permission in roles, API keys and tokens.
    name: &'static str,
    /// What the permission allows.
    description: &'static str,
}

/// List the permissions.
///
/// Returns all permissions that roles and API keys can contain.
#[utoipa::path(
    get, path = "/api/v1/permissions", tag = "roles", operation_id = "permissions.list",
    responses((status = 200, description = "All permissions.", body = [PermissionBody]), SignedIn, Always),
    security(("bearer" = [])),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<Vec<PermissionBody>>, Problem> {
    ctx.require_identity()?;
    Ok(Json(catalogue()))
}

/// All permissions.
pub(crate) fn catalogue() -> Vec<PermissionBody> {
    let body =
        |permission: &Permission| PermissionBody { name: permission.as_str(), description: permission.description() };
    Permission::ALL.iter().map(body).collect()
}

/// Reads the names of permissions; one that is said twice is one.
pub(crate) fn read(names: &[String]) -> Result<Permissions, RuleBroken> {
    let broken = |code, message: String| RuleBroken { code, message };
    if names.len() > NAMES_MAX {
        return Err(broken("too_many", format!("must be at most {NAMES_MAX}")));
    }
    let read = |set: Permissions, name: &String| Permission::parse(name).map(|permission| set.with(permission));
    names.iter().try_fold(Permissions::NONE, read).ok_or_else(|| {
        let message = "must be permissions; see GET /api/v1/permissions";
        broken("unknown_permission", message.to_owned())
    })
}

/// The names of permissions.
pub(crate) fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permission::as_str).collect()
}
