//! `/api/v1/providers`: manage outside providers.

mod body;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::Error;
use denizen_domain::providers::manage::{self, ManagedProvider, NewProvider, ProviderChange};
use denizen_domain::providers::{Finding, ProviderName};
use http::header::{ETAG, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{Always, BadBody, Fresh, Permitted, ProviderExists, ProviderNameFree, ProviderWritable, SignedIn};
use super::auth::ProviderPath;
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;
use super::{Shared, etag};
use body::{CreateProviderBody, PatchProviderBody};
pub(crate) use body::{ProviderBody, ReplaceProviderBody, patched};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, replace, patch, delete))
        .routes(routes!(test))
}

/// How often a patch is tried when concurrent requests change the provider.
const PATCH_TRIES: u32 = 5;

/// The `{name}` of a path.
struct NamePath(ProviderName);

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        ProviderPath::named(parts, state, "name").await.map(|ProviderPath(name)| Self(name))
    }
}

/// The version of a provider of the configuration never changes while the server runs.
fn tag_of(provider: &ManagedProvider) -> String {
    etag::of_version(provider.stored.map_or(0, |stored| stored.version))
}

/// List providers.
///
/// Returns the providers of the configuration and of the database, by name.
#[utoipa::path(
    get, path = "/api/v1/providers", tag = "providers", operation_id = "providers.list",
    responses((status = 200, description = "The providers.", body = [ProviderBody]), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<Vec<ProviderBody>>, Problem> {
    Ok(Json(manage::list(&ctx).await?.into_iter().map(ProviderBody::from).collect()))
}

/// Create a provider.
///
/// It can be used at once, on every node. Requires all permissions: a provider decides who its users are.
#[utoipa::path(
    post, path = "/api/v1/providers", tag = "providers", operation_id = "providers.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateProviderBody,
    responses(
        (status = 201, description = "The provider was created.", body = ProviderBody, headers(
            ("Location" = String, description = "The URL of the provider."),
            ("ETag" = String, description = "The version of the provider."),
        )),
        BadBody, SignedIn, Permitted, ProviderNameFree, Always,
    ),
    security(("bearer" = [])),
)]
async fn create(Caller(ctx): Caller, JsonBody(body): JsonBody<CreateProviderBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let name = fields.check("name", ProviderName::parse(&body.name));
    let settings = fields.check_all(body.settings.into_settings());
    let (name, settings) = fields.finish(name.zip(settings))?;
    let is_enabled = body.enabled.unwrap_or(true);
    let new = NewProvider { name, settings, client_secret: body.client_secret, is_enabled };
    let provider = manage::create(&ctx, new).await?;
    let headers = [(LOCATION, format!("/api/v1/providers/{}", provider.name)), (ETAG, tag_of(&provider))];
    Ok((StatusCode::CREATED, headers, Json(ProviderBody::from(provider))).into_response())
}

/// Get a provider.
#[utoipa::path(
    get, path = "/api/v1/providers/{name}", tag = "providers", operation_id = "providers.get",
    params(("name" = String, Path, description = "The name of the provider.")),
    responses(
        (status = 200, description = "The provider.", body = ProviderBody,
            headers(("ETag" = String, description = "The version of the provider."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        SignedIn, Permitted, ProviderExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, NamePath(name): NamePath, headers: HeaderMap) -> Result<Response, Problem> {
    let provider = manage::get(&ctx, &name).await?;
    Ok(etag::respond(&headers, &tag_of(&provider), Json(ProviderBody::from(provider))))
}

/// Replace a provider.
///
/// `client_secret` and `enabled` are unchanged if omitted. Requires all permissions.
#[utoipa::path(
    put, path = "/api/v1/providers/{name}", tag = "providers", operation_id = "providers.replace",
    params(
        ("name" = String, Path, description = "The name of the provider."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the provider has this version."),
    ),
    request_body = ReplaceProviderBody,
    responses(
        (status = 200, description = "The updated provider.", body = ProviderBody,
            headers(("ETag" = String, description = "The version of the provider."))),
        BadBody, SignedIn, Permitted, ProviderExists, ProviderWritable, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn replace(
    Caller(ctx): Caller,
    NamePath(name): NamePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReplaceProviderBody>,
) -> Result<Response, Problem> {
    let expected = etag::if_match(&headers)?;
    Ok(updated_body(manage::update(&ctx, &name, body.into_change()?, expected.as_deref()).await?))
}

/// Update a provider.
///
/// A JSON Merge Patch (RFC 7396): `null` removes a setting, or the client secret. Requires all permissions.
#[utoipa::path(
    patch, path = "/api/v1/providers/{name}", tag = "providers", operation_id = "providers.update",
    params(
        ("name" = String, Path, description = "The name of the provider."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the provider has this version."),
    ),
    request_body = PatchProviderBody,
    responses(
        (status = 200, description = "The updated provider.", body = ProviderBody,
            headers(("ETag" = String, description = "The version of the provider."))),
        BadBody, SignedIn, Permitted, ProviderExists, ProviderWritable, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn patch(
    Caller(ctx): Caller,
    NamePath(name): NamePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PatchProviderBody>,
) -> Result<Response, Problem> {
    let wanted = etag::if_match(&headers)?;
    let mut tries_left = PATCH_TRIES;
    loop {
        let current = manage::get(&ctx, &name).await?;
        let version = current.stored.map_or(0, |stored| stored.version);
        if wanted.as_ref().is_some_and(|versions| !versions.contains(&version)) {
            return Err(Error::Stale.into());
        }
        let settings = body.settings.clone().map(|patch| patched(&current.settings, patch)).transpose()?;
        let change = ProviderChange { settings, client_secret: body.client_secret.clone(), is_enabled: body.enabled };
        tries_left -= 1;
        match manage::update(&ctx, &name, change, Some(&[version])).await {
            // Another request changed it: the patch is applied to the current version.
            Err(Error::Stale) if wanted.is_none() && tries_left > 0 => {}
            updated => return Ok(updated_body(updated?)),
        }
    }
}

fn updated_body(provider: ManagedProvider) -> Response {
    ([(ETAG, tag_of(&provider))], Json(ProviderBody::from(provider))).into_response()
}

/// Delete a provider.
///
/// Users can no longer sign in with it. Their identities remain, and work again when a provider of the same issuer is
/// created.
#[utoipa::path(
    delete, path = "/api/v1/providers/{name}", tag = "providers", operation_id = "providers.delete",
    params(
        ("name" = String, Path, description = "The name of the provider."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the provider has this version."),
    ),
    responses(
        (status = 204, description = "The provider was deleted."),
        SignedIn, Permitted, ProviderExists, ProviderWritable, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(Caller(ctx): Caller, NamePath(name): NamePath, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    manage::delete(&ctx, &name, expected.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The result of a test of a provider.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"passed": false, "checks": [{"check": "discovery", "passed": false,
    "message": "https://login.example.com did not answer within 10 s. Check the issuer and the network."}]}))]
pub(crate) struct ProviderTestBody {
    /// Whether all checks passed.
    passed: bool,
    /// The checks, in order. A check that depends on one that failed is omitted.
    checks: Vec<CheckBody>,
}

/// One check.
#[derive(Serialize, ToSchema)]
struct CheckBody {
    /// What was checked: `settings`, `discovery`, `keys`, `clock`, `redirect_uri` or `client`.
    check: &'static str,
    /// Whether it passed.
    passed: bool,
    /// What was found, and what to do about it.
    message: String,
}

impl From<Vec<Finding>> for ProviderTestBody {
    fn from(findings: Vec<Finding>) -> Self {
        let passed = findings.iter().all(|finding| finding.has_passed);
        let body = |Finding { check, has_passed, message }| CheckBody { check, passed: has_passed, message };
        Self { passed, checks: findings.into_iter().map(body).collect() }
    }
}

/// Test a provider.
///
/// Checks settings, discovery, keys, clock, redirect URI and client secret, as far as that is possible without a user.
#[utoipa::path(
    post, path = "/api/v1/providers/{name}/test", tag = "providers", operation_id = "providers.test",
    params(("name" = String, Path, description = "The name of the provider.")),
    responses(
        (status = 200, description = "The result.", body = ProviderTestBody),
        SignedIn, Permitted, ProviderExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn test(Caller(ctx): Caller, NamePath(name): NamePath) -> Result<Json<ProviderTestBody>, Problem> {
    Ok(Json(manage::test(&ctx, &name).await?.into()))
}
