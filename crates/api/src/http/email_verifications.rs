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

/// Mail a link that verifies an address again.
///
/// The answer is the same whether or not an account has the address, and whether they have verified it already.
#[utoipa::path(
    post, path = "/api/v1/email-verifications", tag = "credentials", operation_id = "email_verifications.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If there is something to verify, a link is on its way."),
        BadBody, MailSent, Repeatable, Always,
    ),
    security(()),
)]
async fn request(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    verify_email::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of a link that verifies an address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g"}))]
struct VerificationBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The password of the account. Optional; a wrong one is refused, and the link can be used again.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Verify an address by the token of a mailed link.
///
/// Anybody can sign up with an address that is not theirs. So the first proof of an address ends everything that was made in
/// the account before: sessions, second factors, API keys, pending changes, the password. Nothing ends when the request
/// also presents the `password` of the account, or the access token of a session of it in `Authorization`.
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

/// Ask for another address.
///
/// A link is mailed to the new one; once it is followed, the address changes and the old one is told. Whether another user
/// has the new address is not told. Needs a recent proof: see `POST /api/v1/sessions/current/step-up`.
#[utoipa::path(
    post, path = "/api/v1/email-changes", tag = "credentials", operation_id = "email_changes.create",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If the address is free, a link is on its way to it."),
        BadBody, SignedIn, SteppedUp, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn request_change(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    ctx.signed_in()?;
    change_email::request(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Take a new address by the token of a mailed link.
#[utoipa::path(
    post, path = "/api/v1/email-changes/confirm", tag = "credentials", operation_id = "email_changes.confirm",
    request_body = TokenBody,
    responses(
        (status = 204, description = "The address is the user's, and verified."),
        BadBody, EmailFree, Always,
    ),
    security(()),
)]
async fn confirm_change(Caller(ctx): Caller, JsonBody(body): JsonBody<TokenBody>) -> Result<StatusCode, Problem> {
    change_email::confirm(&ctx, &body.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
