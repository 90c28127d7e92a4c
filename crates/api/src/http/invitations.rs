//! `/api/v1/invitations`: users who are asked to join.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::credentials::NewPassword;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, DisplayName, EmailAddress, Invitation, Locale};
use http::StatusCode;
use http::header::{ETAG, LOCATION};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{Always, BadBody, EmailFree, Grantable, Repeatable, SignedIn};
use super::body::UserBody;
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;
use super::strength::PasswordStrength;
use super::{Shared, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(invite))
}

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(accept))
}

/// An invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "grace@example.com", "name": "Grace Hopper", "role": "user", "locale": "en"}))]
struct InvitationBody {
    /// The email address that the link is sent to.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// Display name, until the user changes it. Default: the email address.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The role of the user. Default: `user`.
    role: Option<String>,
    /// Preferred language (BCP 47).
    #[schema(max_length = 35)]
    locale: Option<String>,
}

/// Invite a user.
///
/// Creates a user with the status `invited` and sends a link for setting the password by mail. The link can be used
/// once and expires after one week. Inviting the same address again with the same role sends a new link and invalidates
/// the previous one.
#[utoipa::path(
    post, path = "/api/v1/invitations", tag = "credentials", operation_id = "invitations.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "The user was invited.", body = UserBody, headers(
            ("Location" = String, description = "The URL of the user."),
            ("ETag" = String, description = "The version of the user."),
        )),
        BadBody, SignedIn, Grantable, EmailFree, Always,
    ),
    security(("bearer" = [])),
)]
async fn invite(Caller(ctx): Caller, JsonBody(body): JsonBody<InvitationBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&body.email));
    let name = fields.check("name", body.name.as_deref().map(DisplayName::parse).transpose());
    let role = fields.check("role", body.role.as_deref().map(RoleName::reference).transpose());
    let locale = fields.check("locale", body.locale.as_deref().map(Locale::parse).transpose());
    let invitation = (|| Some(Invitation { email: email?, name: name?, role: role?, locale: locale? }))();

    let user = users::invite(&ctx, fields.finish(invitation)?).await?;
    let headers = [(LOCATION, format!("/api/v1/users/{}", user.id)), (ETAG, etag::of_user(&user))];
    Ok((StatusCode::CREATED, headers, Json(UserBody::from(user))).into_response())
}

/// The token of an invitation and the password of the new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "password": "correct horse battery"}))]
struct AcceptBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// 8 to 128 characters of any script. Common passwords and passwords derived from the name of the user or the
    /// product are rejected.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: SecretString,
    /// Display name. Default: the name in the invitation.
    #[schema(max_length = 200)]
    name: Option<String>,
}

/// Accept an invitation.
///
/// Sets the password and verifies the email address. Does not start a session: sign in afterwards.
#[utoipa::path(
    post, path = "/api/v1/invitations/accept", tag = "credentials", operation_id = "invitations.accept",
    request_body = AcceptBody,
    responses(
        (status = 200, description = "The user, who is now active.", body = UserBody, headers(
            ("Password-Strength" = String, description = "Estimated strength: `weak`, `fair`, `good` or `strong`."),
        )),
        BadBody, Repeatable, Always,
    ),
    security(()),
)]
async fn accept(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    JsonBody(body): JsonBody<AcceptBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let password = NewPassword::parse(&body.password, shared.services.policy.password_chars_min);
    let password = fields.check("password", password);
    let name = fields.check("name", body.name.as_deref().map(DisplayName::parse).transpose());
    let (password, name) = fields.finish(password.zip(name))?;
    let strength = PasswordStrength(password.strength());
    let user = users::accept(&ctx, &body.token, password, name).await?;
    Ok((strength, [(ETAG, etag::of_user(&user))], Json(UserBody::from(user))).into_response())
}
