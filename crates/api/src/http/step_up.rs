//! `/api/v1/sessions/current/step-up`: prove a factor once more.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::error::FieldError;
use denizen_domain::factors::SecondFactorCode;
use denizen_domain::sessions::{self, step_up};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, BadInput, PasskeyExists, Permitted, Repeatable, SignedIn};
use super::extract::{Caller, Fields, JsonBody};
use super::passkeys::{AssertionOptionsBody, PasskeyAnswerBody};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(prove)).routes(routes!(options))
}

/// A factor: a password, a code or a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
struct StepUpBody {
    /// The password; only for users without a second factor.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// A TOTP code or a recovery code.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<SecretString>,
    /// A passkey, with the options of `POST /api/v1/sessions/current/step-up/options`.
    passkey: Option<PasskeyAnswerBody>,
}

/// Authenticate again in the current session.
///
/// Operations that change the password, the email address or the factors require authentication within the last ten
/// minutes, and otherwise fail with `step_up_required`. Signing in counts as authentication.
#[utoipa::path(
    post, path = "/api/v1/sessions/current/step-up", tag = "sessions", operation_id = "sessions.step_up",
    request_body = StepUpBody,
    responses(
        (status = 204, description = "The session is recently authenticated."),
        BadBody, SignedIn, Permitted, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn prove(Caller(ctx): Caller, JsonBody(body): JsonBody<StepUpBody>) -> Result<StatusCode, Problem> {
    ctx.signed_in()?;
    let mut fields = Fields::default();
    let given = match (&body.password, &body.code, body.passkey) {
        (Some(password), None, None) => {
            fields.check("password", PasswordAttempt::parse(password)).map(step_up::Given::Password)
        }
        (None, Some(code), None) => fields.check("code", SecondFactorCode::parse(code)).map(step_up::Given::Code),
        (None, None, Some(passkey)) => Some(step_up::Given::Passkey(passkey.into())),
        (None, None, None) => {
            fields.refuse(FieldError::new("password", "required", "is required, unless code or passkey is set"));
            None
        }
        (Some(_), _, _) | (_, Some(_), Some(_)) => {
            let field = if body.password.is_some() { "password" } else { "code" };
            fields.refuse(FieldError::new(field, "duplicate", "cannot be combined with another factor"));
            None
        }
    };
    sessions::step_up(&ctx, fields.finish(given)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get options to authenticate again with a passkey.
#[utoipa::path(
    post, path = "/api/v1/sessions/current/step-up/options", tag = "sessions",
    operation_id = "sessions.step_up_options",
    responses(
        (status = 200, description = "The options.", body = AssertionOptionsBody),
        BadInput, SignedIn, Permitted, PasskeyExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn options(Caller(ctx): Caller) -> Result<Response, Problem> {
    let body = AssertionOptionsBody::try_from(step_up::passkey_options(&ctx).await?)?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
