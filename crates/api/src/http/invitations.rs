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

/// Who is invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "grace@example.com", "name": "Grace Hopper", "role": "user", "locale": "en"}))]
struct InvitationBody {
    /// The address that the link is mailed to.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// What to call them, until they say so themselves; the address when nothing is said.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The role that they will have; `user` when nothing is said.
    role: Option<String>,
    /// The language that they read (BCP 47).
    #[schema(max_length = 35)]
    locale: Option<String>,
}

/// Invite somebody.
///
/// Makes a user with the status `invited`, and mails a link that sets the password; it is good once and for a week.
/// Inviting them again with the same role mails a new link in place of the one before.
#[utoipa::path(
    post, path = "/api/v1/invitations", tag = "credentials", operation_id = "invitations.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first answer for 24 hours.")),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "The user is invited.", body = UserBody, headers(
            ("Location" = String, description = "The address of the user."),
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

/// The token of an invitation, and how to sign in from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "password": "correct horse battery"}))]
struct AcceptBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// 8 to 128 characters of any script; neither a common password nor one made of the user's or the product's name.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: SecretString,
    /// What to call them; as the invitation says, when nothing is said.
    #[schema(max_length = 200)]
    name: Option<String>,
}

/// Accept an invitation.
///
/// Sets the password, and the address is verified with it. Sign in after it.
#[utoipa::path(
    post, path = "/api/v1/invitations/accept", tag = "credentials", operation_id = "invitations.accept",
    request_body = AcceptBody,
    responses(
        (status = 200, description = "The user, who is active now.", body = UserBody, headers(
            ("Password-Strength" = String, description = "A hint: `weak`, `fair`, `good` or `strong`."),
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
