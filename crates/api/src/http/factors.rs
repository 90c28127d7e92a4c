//! `/api/v1/me/factors` and what belongs to it: second factors.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::factors::{self, Enrolment, Factors, SecondFactorCode};
use denizen_domain::id::UserId;
use denizen_domain::time::Timestamp;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{
    Always, BadBody, BadInput, FactorExists, FactorFree, Permitted, Repeatable, SignedIn, SteppedUp, UserExists,
    WayInRemains,
};
use super::extract::{Caller, Fields, IdPath, JsonBody};
use super::problem::Problem;

/// The side of a QR code, in pixels, at least.
const QR_PIXELS: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(begin, remove))
        .routes(routes!(confirm))
        .routes(routes!(replace_recovery_codes))
        .routes(routes!(get_of, remove_of))
}

/// The authentication factors of a user.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "password": true, "totp": {"confirmed_at": "2026-11-22T17:30:18.000001Z"}, "recovery_codes_left": 9,
    "passkeys": 2, "security_keys": 0, "second_factor_required": false,
    "passkey_required": false
}))]
pub(crate) struct FactorsBody {
    /// Whether the user has a password.
    password: bool,
    /// The authenticator app (TOTP), if there is one.
    #[schema(required = true)]
    totp: Option<TotpBody>,
    /// The number of unused recovery codes.
    recovery_codes_left: u64,
    /// The number of passkeys.
    passkeys: u64,
    /// The number of security keys.
    security_keys: u64,
    /// Whether the role requires a second factor.
    second_factor_required: bool,
    /// Whether the role requires a passkey or a security key.
    passkey_required: bool,
}

/// An authenticator app (TOTP).
#[derive(Serialize, ToSchema)]
struct TotpBody {
    /// The time of confirmation.
    #[schema(value_type = String, format = DateTime)]
    confirmed_at: Timestamp,
}

impl From<Factors> for FactorsBody {
    fn from(factors: Factors) -> Self {
        Self {
            password: factors.has_password,
            totp: factors.totp_confirmed_at.map(|confirmed_at| TotpBody { confirmed_at }),
            recovery_codes_left: factors.recovery_codes_left,
            passkeys: factors.passkeys,
            security_keys: factors.security_keys,
            second_factor_required: factors.is_required,
            passkey_required: factors.is_passkey_required,
        }
    }
}

/// Get the caller's authentication factors.
#[utoipa::path(
    get, path = "/api/v1/me/factors", tag = "credentials", operation_id = "me.factors",
    responses((status = 200, description = "The factors.", body = FactorsBody), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller) -> Result<Json<FactorsBody>, Problem> {
    let (user, _) = ctx.signed_in()?;
    Ok(Json(factors::get(&ctx, user).await?.into()))
}

/// Get a user's authentication factors.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/factors", tag = "credentials", operation_id = "users.factors",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses((status = 200, description = "The factors.", body = FactorsBody), BadInput, SignedIn, UserExists, Always),
    security(("bearer" = [])),
)]
async fn get_of(Caller(ctx): Caller, IdPath(id): IdPath<UserId>) -> Result<Json<FactorsBody>, Problem> {
    Ok(Json(factors::get(&ctx, id).await?.into()))
}

/// A TOTP secret for an authenticator app (RFC 6238): SHA-1, six digits, 30 seconds.
#[derive(Serialize, ToSchema)]
pub(super) struct EnrolmentBody {
    /// The secret in base32, for manual entry.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// The secret as an `otpauth` URI.
    #[schema(
        example = "otpauth://totp/Denizen:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Denizen"
    )]
    uri: String,
    /// The URI as a QR code, in SVG.
    #[schema(example = "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"></svg>")]
    qr_svg: String,
}

impl EnrolmentBody {
    pub(super) fn of(enrolment: &Enrolment) -> Result<Self, Problem> {
        let uri = enrolment.uri.expose_secret();
        // What is longer than a QR code holds cannot be: product name and address are bounded.
        let code = QrCode::with_error_correction_level(uri, EcLevel::M).map_err(|_| Problem::internal())?;
        Ok(Self {
            secret: enrolment.secret.expose_secret().to_owned(),
            uri: uri.to_owned(),
            qr_svg: code.render::<svg::Color<'_>>().min_dimensions(QR_PIXELS, QR_PIXELS).build(),
        })
    }
}

/// Enroll an authenticator app.
///
/// The factor becomes active when one of its codes is confirmed; another call replaces the secret. Requires recent
/// authentication: see `POST /api/v1/sessions/current/step-up`.
#[utoipa::path(
    post, path = "/api/v1/me/totp", tag = "credentials", operation_id = "me.totp.create",
    responses(
        (status = 201, description = "The secret, which is not confirmed yet.", body = EnrolmentBody),
        BadInput, SignedIn, SteppedUp, FactorFree, Always,
    ),
    security(("bearer" = [])),
)]
async fn begin(Caller(ctx): Caller) -> Result<Response, Problem> {
    let body = EnrolmentBody::of(&factors::begin(&ctx).await?)?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// A TOTP code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
struct CodeBody {
    /// Six digits.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

/// Recovery codes, for use without the authenticator app.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"recovery_codes": ["abcde-fgh23", "jklmn-pqr45"]}))]
struct RecoveryCodesBody {
    /// Each code can be used once. The codes are returned only once.
    recovery_codes: Vec<String>,
}

fn shown(codes: &[SecretString]) -> Response {
    let body = RecoveryCodesBody { recovery_codes: exposed(codes) };
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

pub(crate) fn exposed(codes: &[SecretString]) -> Vec<String> {
    codes.iter().map(|code| code.expose_secret().to_owned()).collect()
}

/// Confirm an authenticator app.
///
/// Every later sign-in requires a code. The caller's other sessions end.
#[utoipa::path(
    post, path = "/api/v1/me/totp/confirm", tag = "credentials", operation_id = "me.totp.confirm",
    request_body = CodeBody,
    responses(
        (status = 200, description = "The app is active. Returns the recovery codes.", body = RecoveryCodesBody),
        BadBody, SignedIn, SteppedUp, FactorExists, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn confirm(Caller(ctx): Caller, JsonBody(body): JsonBody<CodeBody>) -> Result<Response, Problem> {
    ctx.signed_in()?;
    let mut fields = Fields::default();
    let code = fields.check("code", SecondFactorCode::parse(&body.code));
    let codes = factors::confirm(&ctx, &fields.finish(code)?).await?;
    Ok(shown(&codes))
}

/// Remove the authenticator app and the recovery codes.
///
/// Requires recent authentication with a code. The caller's other sessions end.
#[utoipa::path(
    delete, path = "/api/v1/me/totp", tag = "credentials", operation_id = "me.totp.delete",
    responses(
        (status = 204, description = "The second factor was removed."),
        SignedIn, SteppedUp, FactorExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn remove(Caller(ctx): Caller) -> Result<StatusCode, Problem> {
    factors::remove(&ctx).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace the recovery codes.
///
/// Requires recent authentication with a code.
#[utoipa::path(
    post, path = "/api/v1/me/recovery-codes", tag = "credentials", operation_id = "me.recovery_codes.replace",
    responses(
        (status = 200, description = "The new codes. The previous ones are invalid.", body = RecoveryCodesBody),
        BadInput, SignedIn, SteppedUp, FactorExists, Repeatable, Always,
    ),
    security(("bearer" = [])),
)]
async fn replace_recovery_codes(Caller(ctx): Caller) -> Result<Response, Problem> {
    Ok(shown(&factors::replace_recovery_codes(&ctx).await?))
}

/// Remove a user's second factors.
///
/// Removes the authenticator app, the passkeys and the recovery codes, for users who have lost them. All sessions of the user end, and the user is notified by mail.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/factors", tag = "credentials", operation_id = "users.factors.delete",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses(
        (status = 204, description = "The user's second factors were removed."),
        BadInput, SignedIn, Permitted, FactorExists, WayInRemains, Always,
    ),
    security(("bearer" = [])),
)]
async fn remove_of(Caller(ctx): Caller, IdPath(id): IdPath<UserId>) -> Result<StatusCode, Problem> {
    factors::remove_of(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
