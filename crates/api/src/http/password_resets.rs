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

/// Mail a link that sets a new password.
///
/// The answer is the same whether or not an account has the address. The link is good once and for an hour, and a new one
/// takes the place of the one before.
#[utoipa::path(
    post, path = "/api/v1/password-resets", tag = "credentials", operation_id = "password_resets.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If an account has the address, a link is on its way."),
        BadBody, MailSent, Repeatable, Always,
    ),
    security(()),
)]
async fn request(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    reset::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of a mailed link, and the password to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "new_password": "a longer, better one"}))]
struct ResetBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The password to be: 8 to 128 characters of any script; neither a common password nor one made of the user's or
    /// the product's name.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    new_password: SecretString,
}

/// Set a new password by the token of a mailed link.
///
/// Every session of the user ends; a second factor stays. The field `token` is at fault when it was used, superseded or has
/// expired.
#[utoipa::path(
    post, path = "/api/v1/password-resets/confirm", tag = "credentials", operation_id = "password_resets.confirm",
    request_body = ResetBody,
    responses(
        (status = 204, description = "The password is set; sign in with it.", headers(
            ("Password-Strength" = String, description = "A hint: `weak`, `fair`, `good` or `strong`."),
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
