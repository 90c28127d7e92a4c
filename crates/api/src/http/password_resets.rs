//! `/api/v1/password-resets`: forgotten passwords.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::credentials::{NewPassword, reset};
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, MailSent, Repeatable};
use super::extract::{Caller, Fields, JsonBody};
use super::mailed::EmailBody;
use super::problem::Problem;
use super::strength::PasswordStrength;

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(request)).routes(routes!(confirm))
}

/// Send a password reset link by mail.
///
/// The response does not reveal whether an account has the address. The link can be used once and expires after one
/// hour; a new link invalidates the previous one.
#[utoipa::path(
    post, path = "/api/v1/password-resets", tag = "credentials", operation_id = "password_resets.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If an account has the address, a link is sent to it."),
        BadBody, MailSent, Repeatable, Always,
    ),
    security(()),
)]
async fn request(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    reset::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of a password reset link and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "new_password": "a longer, better one"}))]
struct ResetBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The new password: 8 to 128 characters of any script. Common passwords and passwords derived from the name of the
    /// user or the product are rejected.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    new_password: SecretString,
}

/// Reset the password with the token of a mailed link.
///
/// All sessions of the user end; a second factor remains active. The error names the field `token` if the token was
/// already used, was superseded or has expired.
#[utoipa::path(
    post, path = "/api/v1/password-resets/confirm", tag = "credentials", operation_id = "password_resets.confirm",
    request_body = ResetBody,
    responses(
        (status = 204, description = "The password was set; sign in with it.", headers(
            ("Password-Strength" = String, description = "Estimated strength: `weak`, `fair`, `good` or `strong`."),
        )),
        BadBody, Repeatable, Always,
    ),
    security(()),
)]
async fn confirm(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    JsonBody(body): JsonBody<ResetBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let new = NewPassword::parse(&body.new_password, shared.services.policy.password_chars_min);
    let new = fields.check("new_password", new);
    let new = fields.finish(new)?;
    let strength = PasswordStrength(new.strength());
    reset::confirm(&ctx, &body.token, new).await?;
    Ok((StatusCode::NO_CONTENT, strength, ()).into_response())
}
