//! `/api/v1/password-resets/passkeys` and `/api/v1/invitations/passkeys`: a passkey in place of a password, by a mailed link.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::passkeys::NewPasskey;
use denizen_domain::passkeys::register::RegistrationOptions;
use denizen_domain::sessions::{Outcome, link_passkey};
use denizen_domain::users::DisplayName;
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::RegistrationOptionsBody;
use super::schema::RegistrationCredential;
use crate::http::Shared;
use crate::http::answers::{Always, BadBody, FactorFree, JoinedByPasskey, Offered, ResetByPasskey};
use crate::http::extract::{Caller, Fields, JsonBody};
use crate::http::problem::Problem;
use crate::http::sign_in::{Delivery, SignedInBody};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(reset_options))
        .routes(routes!(reset))
        .routes(routes!(invitation_options))
        .routes(routes!(join))
}

/// The token of a mailed link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g"}))]
struct MailedLinkBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
}

/// Get options to create a passkey instead of a new password.
///
/// Does not use the link. Users with a second factor cannot replace their password by a passkey: they set a new password,
/// and prove the factor when they sign in.
#[utoipa::path(
    post, path = "/api/v1/password-resets/passkeys/options", tag = "credentials",
    operation_id = "password_resets.passkeys.options",
    request_body = MailedLinkBody,
    responses(
        (status = 200, description = "The options.", body = RegistrationOptionsBody),
        BadBody, Offered, FactorFree, Always,
    ),
    security(()),
)]
async fn reset_options(Caller(ctx): Caller, JsonBody(body): JsonBody<MailedLinkBody>) -> Result<Response, Problem> {
    respond(link_passkey::reset_options(&ctx, &body.token).await?)
}

/// Get options to create a passkey to accept an invitation with.
///
/// Does not use the link.
#[utoipa::path(
    post, path = "/api/v1/invitations/passkeys/options", tag = "credentials",
    operation_id = "invitations.passkeys.options",
    request_body = MailedLinkBody,
    responses(
        (status = 200, description = "The options.", body = RegistrationOptionsBody),
        BadBody, Offered, Always,
    ),
    security(()),
)]
async fn invitation_options(
    Caller(ctx): Caller,
    JsonBody(body): JsonBody<MailedLinkBody>,
) -> Result<Response, Problem> {
    respond(link_passkey::invitation_options(&ctx, &body.token).await?)
}

fn respond(options: RegistrationOptions) -> Result<Response, Problem> {
    Ok(([(CACHE_CONTROL, "no-store")], Json(RegistrationOptionsBody::try_from(options)?)).into_response())
}

/// The token of a password reset link and the new passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g",
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN", "passkey_name": "Ada's phone",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"},
        "clientExtensionResults": {}}
}))]
struct ResetWithPasskeyBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.create`, in the form of its `toJSON()` method.
    #[schema(value_type = RegistrationCredential)]
    credential: Value,
    /// The name of the passkey. If omitted, `Passkey`.
    #[schema(max_length = 200, example = "Ada's phone")]
    passkey_name: Option<String>,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Replace a forgotten password by a passkey, and sign in.
///
/// The password is removed, all sessions of the user end, and the user is notified by mail. The error names the field
/// `token` if the link was already used, was superseded or has expired; it remains usable if the passkey is rejected.
#[utoipa::path(
    post, path = "/api/v1/password-resets/passkeys", tag = "credentials", operation_id = "password_resets.passkeys.create",
    request_body = ResetWithPasskeyBody,
    responses(
        (status = 201, description = "The passkey was registered, and the session was created.", body = SignedInBody),
        BadBody, ResetByPasskey, Always,
    ),
    security(()),
)]
async fn reset(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ResetWithPasskeyBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let label = fields.check("label", body.label.as_deref().map(DisplayName::parse).transpose());
    let passkey_name = fields.check("passkey_name", body.passkey_name.as_deref().map(DisplayName::parse).transpose());
    let (label, passkey_name) = fields.finish(label.zip(passkey_name))?;
    let new = NewPasskey { state: body.state, credential: body.credential.to_string(), name: passkey_name };
    let signed_in = link_passkey::reset(&ctx, &body.token, new, label).await?;
    Ok(delivery.outcome(&ctx, Outcome::from(signed_in), None))
}

/// The token of an invitation and the passkey of the new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g", "name": "Grace Hopper",
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN", "passkey_name": "Grace's phone",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"},
        "clientExtensionResults": {}}
}))]
struct AcceptWithPasskeyBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.create`, in the form of its `toJSON()` method.
    #[schema(value_type = RegistrationCredential)]
    credential: Value,
    /// The name of the passkey. If omitted, `Passkey`.
    #[schema(max_length = 200, example = "Ada's phone")]
    passkey_name: Option<String>,
    /// Display name of the user. Default: the name in the invitation.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Accept an invitation with a passkey, and sign in.
///
/// Registers the passkey in place of a password, verifies the email address and notifies the user by mail. The link
/// remains usable if the passkey is rejected.
#[utoipa::path(
    post, path = "/api/v1/invitations/passkeys", tag = "credentials", operation_id = "invitations.passkeys.create",
    request_body = AcceptWithPasskeyBody,
    responses(
        (status = 201, description = "The passkey was registered, and the session was created.", body = SignedInBody),
        BadBody, JoinedByPasskey, Always,
    ),
    security(()),
)]
async fn join(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AcceptWithPasskeyBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let name = fields.check("name", body.name.as_deref().map(DisplayName::parse).transpose());
    let label = fields.check("label", body.label.as_deref().map(DisplayName::parse).transpose());
    let passkey_name = fields.check("passkey_name", body.passkey_name.as_deref().map(DisplayName::parse).transpose());
    let (name, (label, passkey_name)) = fields.finish(name.zip(label.zip(passkey_name)))?;
    let new = NewPasskey { state: body.state, credential: body.credential.to_string(), name: passkey_name };
    let signed_in = link_passkey::join(&ctx, &body.token, new, name, label).await?;
    Ok(delivery.outcome(&ctx, Outcome::from(signed_in), None))
}
