//! `/api/v1/sessions/challenges` and the ways to sign in that lead there: second factors, mailed codes and links.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::factors::Standing;
use denizen_domain::sessions::{self, Challenged, Owed};
use denizen_domain::users::{DisplayName, EmailAddress};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, BadCode, BadInput, Offered, Repeatable, SignInAllowed, TotpEnrollable};
use super::extract::{Caller, Fields, JsonBody, path_param};
use super::factors::{EnrolmentBody, exposed};
use super::mailed::EmailBody;
use super::problem::Problem;
use super::sign_in::{Delivery, SignedInBody};

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(finish))
        .routes(routes!(enrol))
        .routes(routes!(request_code))
        .routes(routes!(request_link))
        .routes(routes!(follow_link))
}

/// An incomplete sign-in. The session starts when `POST /api/v1/sessions/challenges/{id}` completes the challenge.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "challenge_id": "dnc_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "owed": "second_factor",
    "factors": ["totp", "recovery_code"], "expires_in": 600
}))]
pub(super) struct ChallengeBody {
    /// Identifier of the challenge. It is a secret of the client and begins with `dnc_`.
    challenge_id: String,
    /// What is required. `second_factor`: one of `factors`. `enrolment`: the role requires a second
    /// factor and the user has none of `factors`; enroll `totp` at `/api/v1/sessions/challenges/{id}/totp`, or a `passkey`
    /// or `security_key` at `/api/v1/sessions/challenges/{id}/passkeys`. `mailed_code`: the code sent by mail.
    #[schema(pattern = "^(second_factor|enrolment|mailed_code)$")]
    owed: &'static str,
    /// The factors that complete the challenge. `passkey` and `security_key`: see
    /// `/api/v1/sessions/challenges/{id}/passkey/options`.
    #[schema(example = json!(["totp", "recovery_code"]))]
    factors: Vec<&'static str>,
    /// Seconds until the challenge expires.
    expires_in: u32,
}

impl From<Challenged> for ChallengeBody {
    fn from(challenged: Challenged) -> Self {
        let (owed, factors) = match challenged.owed {
            Owed::SecondFactor(standing) => ("second_factor", accepted(standing)),
            Owed::Enrolment => ("enrolment", vec!["totp"]),
            Owed::PasskeyEnrolment => ("enrolment", vec!["passkey", "security_key"]),
            Owed::MailedCode => ("mailed_code", vec!["mailed_code"]),
        };
        Self {
            challenge_id: challenged.token.expose_secret().to_owned(),
            owed,
            factors,
            expires_in: challenged.expires_in_s,
        }
    }
}

/// The second factors that a user of this standing can complete a sign-in with.
fn accepted(standing: Standing) -> Vec<&'static str> {
    let are_codes_accepted = !(standing.is_passkey_required && standing.has_webauthn());
    let factors = [
        (standing.has_totp && are_codes_accepted, "totp"),
        (standing.has_passkey, "passkey"),
        (standing.has_security_key, "security_key"),
        (are_codes_accepted, "recovery_code"),
    ];
    factors.into_iter().filter_map(|(is_accepted, name)| is_accepted.then_some(name)).collect()
}

/// The response to a sign-in that requires a second factor.
pub(super) fn challenged(challenged: Challenged) -> Response {
    let body = ChallengeBody::from(challenged);
    (StatusCode::ACCEPTED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The `{id}` of a challenge.
pub(super) struct ChallengePath(pub(super) SecretString);

impl<S: Send + Sync> FromRequestParts<S> for ChallengePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_param(parts, state, "id").await;
        id.map(|id| Self(id.into())).ok_or_else(|| Error::Unauthenticated(Unauthenticated::InvalidCode).into())
    }
}

/// The answer to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
struct FinishBody {
    /// The six-digit code from the authenticator app or the mail, or a recovery code.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    /// The `device_token` of an earlier sign-in on this device, if there is one. In cookie mode it is read from a
    /// cookie.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Complete a sign-in.
///
/// A challenge allows five attempts. The response does not reveal whether the code was wrong or already used, the
/// attempts were exhausted, or the challenge has ended. After a mailed code, the response is 202 if a second factor is
/// still required; after a code of an authenticator app, if the role requires a passkey that the user does not have yet.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}", tag = "sessions", operation_id = "challenges.finish",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    request_body = FinishBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        (status = 202, description = "A second factor is still required.", body = ChallengeBody),
        BadBody, BadCode, SignInAllowed, Repeatable, Always,
    ),
    security(()),
)]
async fn finish(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    ChallengePath(id): ChallengePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<FinishBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let device = delivery.device_token(body.device_token, &headers);
    let finished = sessions::finish(&ctx, &id, &body.code, device.as_ref()).await?;
    let recovery_codes = finished.recovery_codes.as_deref().map(exposed);
    Ok(delivery.outcome(&ctx, finished.outcome, recovery_codes))
}

/// Enroll a second factor during sign-in.
///
/// For users whose role requires a second factor and who have none. The factor becomes active when one of its codes
/// completes the sign-in.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}/totp", tag = "sessions", operation_id = "challenges.enrol",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    responses(
        (status = 201, description = "The secret, which is not confirmed yet.", body = EnrolmentBody),
        BadInput, BadCode, TotpEnrollable, Always,
    ),
    security(()),
)]
async fn enrol(Caller(ctx): Caller, ChallengePath(id): ChallengePath) -> Result<Response, Problem> {
    let body = EnrolmentBody::of(&sessions::enrol(&ctx, &id).await?)?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// The recipient of a sign-in code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "label": "Ada's laptop"}))]
struct CodeRequestBody {
    /// The email address.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
}

/// Send a sign-in code by mail.
///
/// Requires `sign_in.mailed_codes`. The response does not reveal whether an account has the address.
#[utoipa::path(
    post, path = "/api/v1/sessions/codes", tag = "sessions", operation_id = "sessions.request_code",
    request_body = CodeRequestBody,
    responses(
        (status = 202, description = "If an account has the address, a code is sent to it.", body = ChallengeBody),
        BadBody, Offered, Repeatable, Always,
    ),
    security(()),
)]
async fn request_code(Caller(ctx): Caller, JsonBody(body): JsonBody<CodeRequestBody>) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&body.email));
    let label = fields.check("label", body.label.as_deref().map(DisplayName::parse).transpose());
    let (email, label) = fields.finish(email.zip(label))?;
    Ok(challenged(sessions::request_code(&ctx, &email, label).await?))
}

/// Send a sign-in link by mail.
///
/// Requires `sign_in.magic_links`. The response does not reveal whether an account has the address.
#[utoipa::path(
    post, path = "/api/v1/sessions/magic-links", tag = "sessions", operation_id = "sessions.request_link",
    request_body = EmailBody,
    responses(
        (status = 202, description = "If an account has the address, a link is sent to it."),
        BadBody, Offered, Repeatable, Always,
    ),
    security(()),
)]
async fn request_link(Caller(ctx): Caller, JsonBody(body): JsonBody<EmailBody>) -> Result<StatusCode, Problem> {
    sessions::request_link(&ctx, &body.email()?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of a mailed link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g"}))]
struct FollowBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Sign in with the token of a mailed link.
#[utoipa::path(
    post, path = "/api/v1/sessions/magic-links/confirm", tag = "sessions", operation_id = "sessions.follow_link",
    request_body = FollowBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        (status = 202, description = "A second factor is still required.", body = ChallengeBody),
        BadBody, Offered, Repeatable, Always,
    ),
    security(()),
)]
async fn follow_link(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<FollowBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let label = fields.check("label", body.label.as_deref().map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    let outcome = sessions::follow_link(&ctx, &body.token, label).await?;
    Ok(delivery.outcome(&ctx, outcome, None))
}
