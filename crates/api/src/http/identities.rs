//! `/api/v1/me/identities` and `/api/v1/users/{id}/identities`: identities at outside providers.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use denizen_domain::id::{IdentityId, UserId};
use denizen_domain::identities::{self, Identity};
use denizen_domain::time::Timestamp;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{
    Always, BadBody, BadInput, IdentityExists, IdentityFree, Permitted, ProviderAnswers, SignedIn, SteppedUp,
    TokensExist, UserExists, WayInRemains,
};
use super::auth::{LinkBody, ProviderPath};
use super::extract::{Caller, IdPath, JsonBody, path_param};
use super::problem::Problem;
use crate::completion::to_completion;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(link))
        .routes(routes!(unlink))
        .routes(routes!(list_of))
        .routes(routes!(unlink_of))
        .routes(routes!(token))
}

/// The `{identity_id}` of a path.
struct IdentityPath(IdentityId);

impl<S: Send + Sync> FromRequestParts<S> for IdentityPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let raw = match path_param(parts, state, "identity_id").await {
            Some(raw) => Some(raw),
            None => path_param(parts, state, "provider").await,
        };
        let id = raw.and_then(|raw| IdentityId::parse(&raw));
        id.map(Self).ok_or_else(|| FieldError::new("identity_id", "invalid_id", "must be a UUID").into())
    }
}

/// An identity at an outside provider.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "provider": "google", "issuer": "https://accounts.google.com",
    "subject": "110169484474386276334", "email": "ada@example.com", "created_at": "2026-11-22T17:30:18.000001Z",
    "last_used_at": "2026-11-22T17:45:18.000001Z"
}))]
pub(crate) struct IdentityBody {
    /// Unique identifier of the link between user and identity.
    #[schema(format = Uuid)]
    id: String,
    /// The name of the provider through which it was last used.
    provider: String,
    /// The issuer identifier.
    issuer: String,
    /// The identifier of the user at the issuer.
    subject: String,
    /// The email address at the provider, when it was last used.
    #[schema(required = true)]
    email: Option<String>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last sign-in.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
}

impl From<Identity> for IdentityBody {
    fn from(identity: Identity) -> Self {
        Self {
            id: identity.id.to_string(),
            provider: identity.provider.to_string(),
            issuer: identity.issuer,
            subject: identity.subject,
            email: identity.email,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

fn bodies(identities: Vec<Identity>) -> Json<Vec<IdentityBody>> {
    Json(identities.into_iter().map(IdentityBody::from).collect())
}

/// List the caller's identities.
#[utoipa::path(
    get, path = "/api/v1/me/identities", tag = "providers", operation_id = "me.identities.list",
    responses(
        (status = 200, description = "The identities, oldest first; at most 20.", body = [IdentityBody]),
        SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<Vec<IdentityBody>>, Problem> {
    Ok(bodies(identities::list(&ctx).await?))
}

/// Link an identity to the caller.
///
/// Sign in at the provider first: `GET /api/v1/auth/{provider}`, or the SDK of the provider. Requires recent
/// authentication: see `POST /api/v1/sessions/current/step-up`. The user is notified by mail.
#[utoipa::path(
    post, path = "/api/v1/me/identities/{provider}", tag = "providers", operation_id = "me.identities.link",
    params(("provider" = String, Path, description = "The name of the provider.")),
    request_body = LinkBody,
    responses(
        (status = 201, description = "The identity is linked.", body = IdentityBody),
        BadBody, SignedIn, SteppedUp, IdentityFree, Always,
    ),
    security(("bearer" = [])),
)]
async fn link(
    Caller(ctx): Caller,
    ProviderPath(name): ProviderPath,
    JsonBody(body): JsonBody<LinkBody>,
) -> Result<Response, Problem> {
    ctx.signed_in()?;
    let identity = identities::link(&ctx, body.proof(name)?).await?;
    Ok((StatusCode::CREATED, Json(IdentityBody::from(identity))).into_response())
}

/// Unlink one of the caller's identities.
///
/// Requires recent authentication. The last sign-in method of a user cannot be removed. The caller's other sessions end,
/// and the user is notified by mail.
#[utoipa::path(
    delete, path = "/api/v1/me/identities/{provider}", tag = "providers", operation_id = "me.identities.unlink",
    params(("provider" = String, Path, format = Uuid, description = "The id of the identity.")),
    responses(
        (status = 204, description = "The identity was unlinked."),
        BadInput, SignedIn, SteppedUp, IdentityExists, WayInRemains, Always,
    ),
    security(("bearer" = [])),
)]
async fn unlink(Caller(ctx): Caller, IdentityPath(id): IdentityPath) -> Result<StatusCode, Problem> {
    identities::unlink(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's identities.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/identities", tag = "providers", operation_id = "users.identities.list",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses(
        (status = 200, description = "The identities, oldest first; at most 20.", body = [IdentityBody]),
        BadInput, SignedIn, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn list_of(Caller(ctx): Caller, IdPath(id): IdPath<UserId>) -> Result<Json<Vec<IdentityBody>>, Problem> {
    Ok(bodies(identities::list_of(&ctx, id).await?))
}

/// Unlink an identity of a user.
///
/// All sessions of the user end, and the user is notified by mail.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/identities/{identity_id}", tag = "providers",
    operation_id = "users.identities.unlink",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        ("identity_id" = String, Path, format = Uuid, description = "The id of the identity."),
    ),
    responses(
        (status = 204, description = "The identity was unlinked."),
        BadInput, SignedIn, Permitted, IdentityExists, WayInRemains, Always,
    ),
    security(("bearer" = [])),
)]
async fn unlink_of(
    Caller(ctx): Caller,
    IdPath(user): IdPath<UserId>,
    IdentityPath(id): IdentityPath,
) -> Result<StatusCode, Problem> {
    identities::unlink_of(&ctx, user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An access token of a provider.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "access_token": "ya29.a0AfH6SMBx", "token_type": "Bearer", "expires_at": "2026-11-22T18:30:18.000001Z",
    "scope": "openid https://www.googleapis.com/auth/calendar.readonly"
}))]
struct ProviderTokenBody {
    /// The access token.
    access_token: String,
    /// The type, as the provider names it; mostly `bearer`.
    token_type: String,
    /// Expiry time, if the provider states one.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The granted scope, as the provider writes it, if it states one.
    #[schema(required = true)]
    scope: Option<String>,
}

/// Get an access token of the provider.
///
/// For the backend of the product, if `keep_tokens` of the provider is set. The token is refreshed if it expires within a
/// minute. Requires `identities:tokens` and all permissions of the user. `Idempotency-Key` is ignored.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/identities/{identity_id}/token", tag = "providers",
    operation_id = "users.identities.token",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        ("identity_id" = String, Path, format = Uuid, description = "The id of the identity."),
    ),
    responses(
        (status = 200, description = "The access token.", body = ProviderTokenBody),
        BadInput, SignedIn, Permitted, TokensExist, Always, ProviderAnswers,
    ),
    security(("bearer" = [])),
)]
async fn token(
    Caller(ctx): Caller,
    IdPath(user): IdPath<UserId>,
    IdentityPath(id): IdentityPath,
) -> Result<Response, Problem> {
    let token = to_completion(async move { identities::token(&ctx, user, id).await }).await?;
    let body = ProviderTokenBody {
        access_token: token.access_token.expose_secret().to_owned(),
        token_type: token.token_type,
        expires_at: token.expires_at,
        scope: token.scope,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
