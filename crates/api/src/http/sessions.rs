//! `/api/v1/sessions`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::sessions::{self, SignedIn};
use denizen_domain::users::EmailAddress;
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{self, Always, BadBody, BadCredentials};
use super::body::UserBody;
use super::extract::{Caller, Fields, JsonBody};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(sign_out))
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

/// A session just opened.
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
    /// Names the session; the claim `sid`.
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    session_id: String,
    /// Who signed in.
    user: UserBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            access_token: signed_in.access_token,
            token_type: "Bearer",
            expires_in: signed_in.expires_in_s,
            session_id: signed_in.session.id.to_string(),
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
        (status = 201, description = "A session was opened.", body = SignedInBody,
            headers(("Location" = String, description = "The address of the session."))),
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
    let headers =
        [(LOCATION, format!("/api/v1/sessions/{}", signed_in.session.id)), (CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(SignedInBody::from(signed_in))).into_response())
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
