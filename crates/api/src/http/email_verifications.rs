//! `/api/v1/email-verifications` and `/api/v1/email-changes`: proving that an address is read.

use denizen_domain::credentials::{PasswordAttempt, verify_email};
use denizen_domain::users::change_email;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, EmailFree, MailSent, Repeatable, SignedIn, SteppedUp};
use super::extract::{Caller, Fields, JsonBody};
use super::mailed::{EmailBody, TokenBody};
use super::problem::Problem;
use crate::middleware::with_bearer;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(request_change))
}

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(request)).routes(routes!(confirm)).routes(routes!(confirm_change))
}

/// Resend the email verification link.
///
/// The response does not reveal whether an account has the address or whether it is already verified.
#[utoipa::path(
    post, path = "/api/v1/email-verifications", tag = "credentials", operation_id = "email_verifications.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If the address needs verification, a link is sent to it."),
        BadBody, MailSent, Repeatable, Always,
    ),
    security(()),
)]
async fn request(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    verify_email::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of an email verification link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g"}))]
struct VerificationBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The password of the account. Optional; if it is wrong, the request fails and the link remains usable.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Verify an email address with the token of a mailed link.
///
/// An account may have been created by someone who does not own its address. Therefore the first verification of an
/// address revokes everything that was created in the account before: sessions, second factors, API keys, pending
/// changes and the password. Nothing is revoked if the request also presents the account's `password`, or the access
/// token of one of its sessions in `Authorization`.
#[utoipa::path(
    post, path = "/api/v1/email-verifications/confirm", tag = "credentials",
    operation_id = "email_verifications.confirm",
    request_body = VerificationBody,
    responses((status = 204, description = "The address is verified."), BadBody, Repeatable, Always),
    security(()),
)]
async fn confirm(
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<VerificationBody>,
) -> Result<StatusCode, Problem> {
    let ctx = with_bearer(&ctx, &headers).await?;
    let mut fields = Fields::default();
    let password = match &body.password {
        Some(password) => fields.check("password", PasswordAttempt::parse(password)).map(Some),
        None => Some(None),
    };
    verify_email::confirm(&ctx, &body.token, fields.finish(password)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Request a change of the email address.
///
/// Sends a link to the new address. When the link is used, the address changes and the old address is notified. The
/// response does not reveal whether another user has the new address. Requires recent
/// authentication: see `POST /api/v1/sessions/current/step-up`.
#[utoipa::path(
    post, path = "/api/v1/email-changes", tag = "credentials", operation_id = "email_changes.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If the address is available, a link is sent to it."),
        BadBody, SignedIn, SteppedUp, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn request_change(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    ctx.signed_in()?;
    change_email::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirm a new email address with the token of a mailed link.
#[utoipa::path(
    post, path = "/api/v1/email-changes/confirm", tag = "credentials", operation_id = "email_changes.confirm",
    request_body = TokenBody,
    responses(
        (status = 204, description = "The address was changed and is verified."),
        BadBody, EmailFree, Always,
    ),
    security(()),
)]
async fn confirm_change(Caller(ctx): Caller, JsonBody(body): JsonBody<TokenBody>) -> Result<StatusCode, Problem> {
    change_email::confirm(&ctx, &body.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
