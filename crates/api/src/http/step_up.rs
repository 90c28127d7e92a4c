//! `/api/v1/sessions/current/step-up`: prove a factor once more.

use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::error::FieldError;
use denizen_domain::factors::SecondFactorCode;
use denizen_domain::sessions::{self, step_up};
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, Permitted, Repeatable, SignedIn};
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(prove))
}

/// A factor: either a password or a code.
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
    let given = match (&body.password, &body.code) {
        (Some(password), None) => {
            fields.check("password", PasswordAttempt::parse(password)).map(step_up::Given::Password)
        }
        (None, Some(code)) => fields.check("code", SecondFactorCode::parse(code)).map(step_up::Given::Code),
        (None, None) => {
            fields.refuse(FieldError::new("password", "required", "is required, unless code is set"));
            None
        }
        (Some(_), Some(_)) => {
            fields.refuse(FieldError::new("password", "duplicate", "cannot be combined with code"));
            None
        }
    };
    sessions::step_up(&ctx, fields.finish(given)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
