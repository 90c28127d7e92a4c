//! `/api/v1/sessions/challenges/{id}/passkeys`: register the passkey that a role requires, during a sign-in.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::passkeys::NewPasskey;
use denizen_domain::sessions;
use denizen_domain::users::DisplayName;
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{NewPasskeyOptionsBody, RegistrationOptionsBody};
use super::schema::RegistrationCredential;
use crate::http::Shared;
use crate::http::answers::{Always, BadBody, BadCode, FromOurPages, PasskeyEnrollable, Repeatable};
use crate::http::challenges::ChallengePath;
use crate::http::extract::{Caller, Fields, JsonBody, OptionalJsonBody};
use crate::http::problem::Problem;
use crate::http::sign_in::{Delivery, SignedInBody};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(options)).routes(routes!(finish))
}

/// Get options to create a passkey during sign-in.
///
/// For users whose role requires a passkey or a security key and who have none: `owed` of the challenge is `enrolment`, and
/// `factors` contains `passkey`.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}/passkeys/options", tag = "sessions",
    operation_id = "challenges.passkeys.options",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    request_body = NewPasskeyOptionsBody,
    responses(
        (status = 200, description = "The options.", body = RegistrationOptionsBody),
        BadBody, BadCode, PasskeyEnrollable, Always,
    ),
    security(()),
)]
async fn options(
    Caller(ctx): Caller,
    ChallengePath(id): ChallengePath,
    OptionalJsonBody(body): OptionalJsonBody<NewPasskeyOptionsBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let kind = fields.check("kind", body.kind());
    let options = sessions::enrol_passkey::options(&ctx, &id, fields.finish(kind)?).await?;
    let body = RegistrationOptionsBody::try_from(options)?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// A new passkey that completes a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN", "name": "Ada's phone",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"},
        "clientExtensionResults": {}}
}))]
struct PasskeyEnrolmentBody {
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.create`, in the form of its `toJSON()` method.
    #[schema(value_type = RegistrationCredential)]
    credential: Value,
    /// The name of the passkey. If omitted, `Passkey` or `Security key`.
    #[schema(max_length = 200, example = "Ada's phone")]
    name: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Complete a sign-in by registering a passkey.
///
/// The user is notified by mail, and sessions that have not used a passkey end. A challenge allows five attempts.
#[utoipa::path(
    post, path = "/api/v1/sessions/challenges/{id}/passkeys", tag = "sessions",
    operation_id = "challenges.passkeys.create",
    params(("id" = String, Path, description = "The `challenge_id`.")),
    request_body = PasskeyEnrolmentBody,
    responses(
        (status = 201, description = "The passkey was registered, and the session was created.", body = SignedInBody),
        BadBody, BadCode, PasskeyEnrollable, FromOurPages, Repeatable, Always,
    ),
    security(()),
)]
async fn finish(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    ChallengePath(id): ChallengePath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PasskeyEnrolmentBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let name = fields.check("name", body.name.as_deref().map(DisplayName::parse).transpose());
    let new = NewPasskey { state: body.state, credential: body.credential.to_string(), name: fields.finish(name)? };
    let finished = sessions::enrol_passkey::finish(&ctx, &id, new).await?;
    Ok(delivery.outcome(&ctx, finished.outcome, None))
}
