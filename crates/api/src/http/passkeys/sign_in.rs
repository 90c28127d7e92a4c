//! `/api/v1/sessions/passkeys` and `/api/v1/sessions/challenges/{id}/passkey`: sign in with a passkey.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::passkeys::PasskeyAnswer;
use denizen_domain::sessions;
use denizen_domain::users::DisplayName;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::AssertionOptionsBody;
use super::schema::AssertionCredential;
use crate::http::Shared;
use crate::http::answers::{
    Always, BadBody, BadChallengePasskey, BadCode, BadInput, BadPasskey, Offered, PasskeyExists, PasskeyKnown,
    Repeatable, SignInAllowed,
};
use crate::http::challenges::ChallengePath;
use crate::http::extract::{Caller, Fields, JsonBody};
use crate::http::problem::Problem;
use crate::http::sign_in::{Delivery, SignedInBody};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(options))
        .routes(routes!(sign_in))
        .routes(routes!(challenge_options))
        .routes(routes!(finish_challenge))
}

/// Get options to sign in with a passkey.
///
/// The same options serve conditional UI (autofill) and a button. Pass `publicKey` to
/// `PublicKeyCredential.parseRequestOptionsFromJSON` and the result to `navigator.credentials.get`. Nothing is stored:
/// the challenge is in `state`, which can be used once until it expires.
#[utoipa::path(
    post, path = "/api/v1/sessions/passkeys/options", tag = "sessions", operation_id = "sessions.passkeys.options",
    responses(
        (status = 200, description = "The options.", body = AssertionOptionsBody),
        BadInput, Offered, Always,
    ),
    security(()),
)]
async fn options(Caller(ctx): Caller) -> Result<Response, Problem> {
    respond(sessions::passkey::options(&ctx)?.try_into()?)
}

#[expect(clippy::unnecessary_wraps, reason = "stands at the end of handlers")]
fn respond(body: AssertionOptionsBody) -> Result<Response, Problem> {
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// A passkey to sign in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgWw",
            "signature": "MEUCIQDs", "userHandle": "h2NfYzGmS9Gf0nYwV0x1Pw"},
        "clientExtensionResults": {}}
}))]
struct PasskeySignInBody {
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.get`, in the form of its `toJSON()` method.
    #[schema(value_type = AssertionCredential)]
    credential: Value,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Sign in with a passkey.
///
/// The passkey identifies the user and satisfies both factors. `unknown_passkey` means that no user has the passkey.
#[utoipa::path(
    post, path = "/api/v1/sessions/passkeys", tag = "sessions", operation_id = "sessions.passkeys.create",
    request_body = PasskeySignInBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        BadBody, BadPasskey, PasskeyKnown, SignInAllowed, Repeatable, Always,
    ),
    security(()),
)]
async fn sign_in(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PasskeySignInBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let label = fields.check("label", body.label.as_deref().map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    let answer = PasskeyAnswer { state: body.state, credential: body.credential.to_string() };
    let signed_in = sessions::passkey::sign_in(&ctx, answer, label).await?;
    Ok(delivery.answer(&ctx, StatusCode::CREATED, signed_in, None))
}

/// Get options to complete a sign-in with a passkey.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}/passkey/options", tag = "sessions",
    operation_id = "challenges.passkey_options",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    responses(
        (status = 200, description = "The options.", body = AssertionOptionsBody),
        BadInput, BadCode, Offered, PasskeyExists, Always,
    ),
    security(()),
)]
async fn challenge_options(Caller(ctx): Caller, ChallengePath(id): ChallengePath) -> Result<Response, Problem> {
    respond(sessions::passkey::challenge_options(&ctx, &id).await?.try_into()?)
}

/// A passkey that completes a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgWw",
            "signature": "MEUCIQDs", "userHandle": "h2NfYzGmS9Gf0nYwV0x1Pw"},
        "clientExtensionResults": {}}
}))]
struct PasskeyFinishBody {
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.get`, in the form of its `toJSON()` method.
    #[schema(value_type = AssertionCredential)]
    credential: Value,
    /// The `device_token` of an earlier sign-in on this device, if there is one. In cookie mode it is read from a
    /// cookie.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Complete a sign-in with a passkey.
///
/// For users with a passkey who have signed in with another first factor. A challenge allows five attempts.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}/passkey", tag = "sessions", operation_id = "challenges.passkey",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    request_body = PasskeyFinishBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        BadBody, BadChallengePasskey, PasskeyKnown, SignInAllowed, Repeatable, Always,
    ),
    security(()),
)]
async fn finish_challenge(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    ChallengePath(id): ChallengePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PasskeyFinishBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let device = delivery.device_token(body.device_token, &headers);
    let answer = PasskeyAnswer { state: body.state, credential: body.credential.to_string() };
    let finished = sessions::passkey::finish_challenge(&ctx, &id, answer, device.as_ref()).await?;
    Ok(delivery.outcome(&ctx, finished.outcome, None))
}
