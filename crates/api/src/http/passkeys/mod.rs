//! `/api/v1/me/passkeys` and `/api/v1/users/{id}/passkeys`: registration and management. Signing in is in `sign_in`.

mod body;
mod enrolment;
mod links;
mod schema;
mod sign_in;
mod well_known;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
pub(crate) use body::PasskeyBody;
use denizen_domain::error::FieldError;
use denizen_domain::id::{PasskeyId, UserId};
use denizen_domain::passkeys::{self, NewPasskey};
use denizen_domain::users::DisplayName;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::body::{AssertionOptionsBody, PasskeyAnswerBody};
use self::body::{
    NewPasskeyOptionsBody, PasskeyListBody, RegisterPasskeyBody, RegistrationOptionsBody, RenamePasskeyBody,
};
pub(crate) use self::well_known::ProductPages;
pub(super) use self::well_known::page_routes;
use super::Shared;
use super::answers::{
    Always, BadBody, BadInput, PasskeyExists, PasskeyRemains, PasskeyRoom, Permitted, SignedIn, SteppedUp, UserExists,
    WayInRemains,
};
use super::extract::{Caller, Fields, IdPath, JsonBody, OptionalJsonBody, path_param};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(options))
        .routes(routes!(list, register))
        .routes(routes!(rename, remove))
        .routes(routes!(list_of))
        .routes(routes!(remove_of))
}

/// Requests without an access token.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    sign_in::routes().merge(enrolment::routes()).merge(links::routes()).merge(well_known::routes())
}

/// Get options to create a passkey or a security key.
///
/// Pass `publicKey` to `PublicKeyCredential.parseCreationOptionsFromJSON` and the result to
/// `navigator.credentials.create`. Nothing is stored: the challenge is in `state`, which can be used once, in this
/// session, until it expires. Requires recent authentication: see `POST /api/v1/sessions/current/step-up`.
#[utoipa::path(
    post, path = "/api/v1/me/passkeys/options", tag = "passkeys", operation_id = "me.passkeys.options",
    request_body = NewPasskeyOptionsBody,
    responses(
        (status = 200, description = "The options.", body = RegistrationOptionsBody),
        BadBody, SignedIn, SteppedUp, PasskeyRoom, Always,
    ),
    security(("bearer" = [])),
)]
async fn options(
    Caller(ctx): Caller,
    OptionalJsonBody(body): OptionalJsonBody<NewPasskeyOptionsBody>,
) -> Result<Response, Problem> {
    ctx.signed_in()?;
    let mut fields = Fields::default();
    let kind = fields.check("kind", body.kind());
    let options = passkeys::register::options(&ctx, fields.finish(kind)?).await?;
    let body = RegistrationOptionsBody::try_from(options)?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Register a passkey.
///
/// The caller's other sessions end, and the user is notified by mail. Every later sign-in with a password requires a
/// second factor. Requires recent authentication.
#[utoipa::path(
    post, path = "/api/v1/me/passkeys", tag = "passkeys", operation_id = "me.passkeys.create",
    request_body = RegisterPasskeyBody,
    responses(
        (status = 201, description = "The passkey was registered.", body = PasskeyBody),
        BadBody, SignedIn, SteppedUp, PasskeyRoom, Always,
    ),
    security(("bearer" = [])),
)]
async fn register(Caller(ctx): Caller, JsonBody(body): JsonBody<RegisterPasskeyBody>) -> Result<Response, Problem> {
    ctx.signed_in()?;
    let mut fields = Fields::default();
    let name = fields.check("name", body.name.as_deref().map(DisplayName::parse).transpose());
    let name = fields.finish(name)?;
    let new = NewPasskey { state: body.state, credential: body.credential.to_string(), name };
    let passkey = passkeys::register(&ctx, new).await?;
    Ok((StatusCode::CREATED, Json(PasskeyBody::from(passkey))).into_response())
}

/// List the caller's passkeys.
#[utoipa::path(
    get, path = "/api/v1/me/passkeys", tag = "passkeys", operation_id = "me.passkeys.list",
    responses((status = 200, description = "The passkeys.", body = PasskeyListBody), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<PasskeyListBody>, Problem> {
    let (user, _) = ctx.signed_in()?;
    Ok(Json(passkeys::list(&ctx, user).await?.into()))
}

/// Rename a passkey.
#[utoipa::path(
    patch, path = "/api/v1/me/passkeys/{id}", tag = "passkeys", operation_id = "me.passkeys.update",
    params(("id" = String, Path, format = Uuid, description = "The id of the passkey.")),
    request_body(content(
        (RenamePasskeyBody = "application/merge-patch+json"),
        (RenamePasskeyBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The updated passkey.", body = PasskeyBody),
        BadBody, SignedIn, Permitted, PasskeyExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn rename(
    Caller(ctx): Caller,
    IdPath(id): IdPath<PasskeyId>,
    JsonBody(body): JsonBody<RenamePasskeyBody>,
) -> Result<Json<PasskeyBody>, Problem> {
    ctx.signed_in()?;
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&body.name));
    Ok(Json(passkeys::rename(&ctx, id, fields.finish(name)?).await?.into()))
}

/// Delete a passkey.
///
/// The caller's other sessions end, and the user is notified by mail. Requires recent authentication.
#[utoipa::path(
    delete, path = "/api/v1/me/passkeys/{id}", tag = "passkeys", operation_id = "me.passkeys.delete",
    params(("id" = String, Path, format = Uuid, description = "The id of the passkey.")),
    responses(
        (status = 204, description = "The passkey was deleted."),
        BadInput, SignedIn, SteppedUp, PasskeyExists, PasskeyRemains, Always,
    ),
    security(("bearer" = [])),
)]
async fn remove(Caller(ctx): Caller, IdPath(id): IdPath<PasskeyId>) -> Result<StatusCode, Problem> {
    passkeys::remove(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's passkeys.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/passkeys", tag = "passkeys", operation_id = "users.passkeys.list",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses(
        (status = 200, description = "The passkeys.", body = PasskeyListBody),
        BadInput, SignedIn, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn list_of(Caller(ctx): Caller, IdPath(id): IdPath<UserId>) -> Result<Json<PasskeyListBody>, Problem> {
    Ok(Json(passkeys::list(&ctx, id).await?.into()))
}

/// The `{id}` and the `{passkey_id}` of a path.
struct PasskeyPath(UserId, PasskeyId);

impl<S: Send + Sync> FromRequestParts<S> for PasskeyPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let IdPath(user) = IdPath::from_request_parts(parts, state).await?;
        let id = path_param(parts, state, "passkey_id").await.and_then(|raw| PasskeyId::parse(&raw));
        let id = id.ok_or_else(|| FieldError::new("passkey_id", "invalid_id", "must be a UUID"))?;
        Ok(Self(user, id))
    }
}

/// Delete a user's passkey.
///
/// For a passkey that is lost or stolen. All sessions of the user end, and the user is notified by mail.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/passkeys/{passkey_id}", tag = "passkeys",
    operation_id = "users.passkeys.delete",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        ("passkey_id" = String, Path, format = Uuid, description = "The id of the passkey."),
    ),
    responses(
        (status = 204, description = "The passkey was deleted."),
        BadInput, SignedIn, Permitted, PasskeyExists, WayInRemains, Always,
    ),
    security(("bearer" = [])),
)]
async fn remove_of(Caller(ctx): Caller, PasskeyPath(user, passkey): PasskeyPath) -> Result<StatusCode, Problem> {
    passkeys::remove_of(&ctx, user, passkey).await?;
    Ok(StatusCode::NO_CONTENT)
}
