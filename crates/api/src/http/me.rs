//! `/api/v1/me`: the caller.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::access::Subject;
use denizen_domain::credentials::{self, NewPassword, PasswordAttempt};
use denizen_domain::error::Error;
use denizen_domain::users;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{Always, BadBody, Permitted, SignedIn};
use super::body::UserBody;
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;
use super::strength::PasswordStrength;
use super::{Shared, cookies, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(change_password))
}

/// The caller.
#[derive(Serialize, ToSchema)]
struct MeBody {
    #[serde(flatten)]
    user: UserBody,
    /// The session, if the caller authenticated with an access token of a session.
    #[schema(required = true)]
    session: Option<MyCredentialBody>,
    /// The API key, if the caller authenticated with one.
    #[schema(required = true)]
    api_key: Option<MyCredentialBody>,
    /// The effective permissions: those of the role, limited to the scopes of the credential.
    #[schema(example = json!(["users:read", "users:write"]))]
    permissions: Vec<&'static str>,
    /// Cookie mode: the CSRF token; send it as `X-CSRF-Token` with every request that changes data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    csrf_token: Option<String>,
}

/// The session or API key of the caller.
#[derive(Serialize, ToSchema)]
struct MyCredentialBody {
    /// The id of the session (claim `sid`) or of the API key.
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    id: String,
}

/// Get the caller.
///
/// Returns the user with the session or API key, and its permissions. Service accounts receive 403.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "me", operation_id = "me.get",
    responses(
        (status = 200, description = "The caller.", body = MeBody,
            headers(("ETag" = String, description = "The version of the user."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let principal = ctx.principal()?;
    let Subject::User(id) = principal.subject else { return Err(Error::Forbidden.into()) };
    let user = users::get(&ctx, id).await?;
    let tag = etag::of_user(&user);
    let session = principal.signed_in().map(|(_, session)| session);
    let signed_in = session.is_some();
    let credential = || MyCredentialBody { id: principal.credential.to_string() };
    let body = MeBody {
        user: UserBody::from(user),
        session: signed_in.then(credential),
        api_key: (!signed_in).then(credential),
        permissions: principal.permissions.iter().map(denizen_domain::access::Permission::as_str).collect(),
        csrf_token: session.filter(|_| cookies::are_in_use(&headers)).map(|session| cookies::csrf_token(&ctx, session)),
    };
    Ok(etag::respond(&headers, &tag, Json(body)))
}

/// A password change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "correct horse battery", "new_password": "a longer, better one"}))]
struct ChangePasswordBody {
    /// The current password.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// The new password: 8 to 128 characters of any script. Common passwords and passwords derived from the name of the
    /// user or the product are rejected.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    new_password: SecretString,
}

/// Change the caller's password.
///
/// The caller's other sessions end.
#[utoipa::path(
    put, path = "/api/v1/me/password", tag = "me", operation_id = "me.change_password",
    request_body = ChangePasswordBody,
    responses(
        (status = 204, description = "The password was changed.", headers(
            ("Password-Strength" = String, description = "Estimated strength: `weak`, `fair`, `good` or `strong`."),
        )),
        BadBody, SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
async fn change_password(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    JsonBody(body): JsonBody<ChangePasswordBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let current = fields.check("current_password", PasswordAttempt::parse(&body.current_password));
    let new = NewPassword::parse(&body.new_password, shared.services.policy.password_chars_min);
    let new = fields.check("new_password", new);
    let (current, new) = fields.finish(current.zip(new))?;
    let strength = PasswordStrength(new.strength());
    credentials::change(&ctx, current, new).await?;
    Ok((StatusCode::NO_CONTENT, strength, ()).into_response())
}
