//! `/api/v1/sessions`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::sessions::{self, SignedIn};
use denizen_domain::users::EmailAddress;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{self, Always, BadBody, BadCredentials, BadRefreshToken};
use super::body::UserBody;
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_out))
}

/// Whoever has no good access token comes here to get one: a stale one that is sent along does not matter.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(refresh))
}

/// Credentials.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery"}))]
struct SignInBody {
    /// The email address.
    #[schema(format = Email)]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A session just opened or refreshed.
#[derive(Serialize, ToSchema)]
struct SignedInBody {
    /// A JWT (RFC 9068) to send as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIwMTkzIn0.MEUCIQD")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    expires_in: u32,
    /// What the next tokens are got with, once; it begins with `dnr_`.
    #[schema(example = "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh")]
    refresh_token: String,
    /// Names the session; the claim `sid`.
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    session_id: String,
    /// Who signed in.
    user: UserBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            access_token: signed_in.access_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.expires_in_s,
            refresh_token: signed_in.refresh_token.expose_secret().to_owned(),
            session_id: signed_in.session_id.to_string(),
            user: UserBody::from(signed_in.user),
        }
    }
}

/// Sign in.
///
/// An unknown address, a wrong password and a disabled account get one and the same answer.
#[utoipa::path(
    post, path = "/api/v1/sessions", tag = "sessions", operation_id = "sessions.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first answer for 24 hours.")),
    request_body = SignInBody,
    responses(
        (status = 201, description = "A session was opened.", body = SignedInBody),
        BadBody, BadCredentials, answers::Repeatable, Always,
    ),
    security(()),
)]
async fn sign_in(Caller(ctx): Caller, JsonBody(body): JsonBody<SignInBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&body.email));
    let attempt = fields.check("password", PasswordAttempt::parse(&body.password));
    let (email, attempt) = fields.finish(email.zip(attempt))?;

    let signed_in = sessions::sign_in(&ctx, &email, attempt).await?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(SignedInBody::from(signed_in))).into_response())
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh"}))]
struct RefreshBody {
    /// The refresh token of the last sign-in or refresh.
    #[schema(value_type = String, format = Password)]
    refresh_token: SecretString,
}

/// Refresh a session.
///
/// A refresh token is good once. For `sessions.refresh_grace_s` the same one gets the same next one again, for a
/// client that lost the answer; used later it is in two hands, and the session ends.
#[utoipa::path(
    post, path = "/api/v1/sessions/refresh", tag = "sessions", operation_id = "sessions.refresh",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first answer for 24 hours.")),
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The next tokens of the session.", body = SignedInBody),
        BadBody, BadRefreshToken, answers::Repeatable, Always,
    ),
    security(()),
)]
async fn refresh(Caller(ctx): Caller, JsonBody(body): JsonBody<RefreshBody>) -> Result<Response, Problem> {
    let signed_in = sessions::refresh(&ctx, &body.refresh_token).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(SignedInBody::from(signed_in))).into_response())
}

/// Sign out.
///
/// Ends the session of the access token; the token stops working at once.
#[utoipa::path(
    delete, path = "/api/v1/sessions/current", tag = "sessions", operation_id = "sessions.end_current",
    responses((status = 204, description = "The session is over."), answers::SignedIn, Always),
    security(("bearer" = [])),
)]
async fn sign_out(Caller(ctx): Caller) -> Result<StatusCode, Problem> {
    sessions::end_current(&ctx).await?;
    Ok(StatusCode::NO_CONTENT)
}
