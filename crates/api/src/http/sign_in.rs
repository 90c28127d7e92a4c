//! `/api/v1/sessions`: sign in, refresh, sign out; by tokens or by cookies.

use axum::Json;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::error::{Error, FieldError, Unauthenticated};
use denizen_domain::id::SessionId;
use denizen_domain::sessions::{self, DeviceClaim, Outcome, SignedIn};
use denizen_domain::users::{DisplayName, TypedEmail};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{self, Always, BadBody, BadCredentials, BadRefreshToken, FromOurPages, SignInAllowed};
use super::body::UserBody;
use super::challenges::{self, ChallengeBody};
use super::extract::{Caller, Fields, JsonBody, OptionalJsonBody};
use super::problem::Problem;
use super::{Shared, cookies};

/// Where sessions are refreshed.
pub(super) const REFRESH: &str = "/api/v1/sessions/refresh";

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_out))
}

/// Whoever has no good access token comes here to get one: a stale one that is sent along does not matter.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(refresh)).routes(routes!(csrf_token))
}

/// Credentials.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery", "label": "Ada's laptop"}))]
struct SignInBody {
    /// The email address.
    #[schema(format = Email)]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password, min_length = 1)]
    password: SecretString,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// The `device_token` of an earlier sign-in on this device, if there is one. It exempts the device from lockouts
    /// caused by failed sign-in attempts of other clients. In cookie mode it is read from a cookie.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// A session that was created or refreshed, with its tokens or, in cookie mode, a CSRF token.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum SignedInBody {
    /// The tokens are in the body.
    Tokens(SignedInWithTokensBody),
    /// The tokens are in `Set-Cookie`.
    Cookies(SignedInWithCookiesBody),
}

/// A session that was created or refreshed, with its tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedInWithTokensBody {
    /// A JWT (RFC 9068); send it as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIwMTkzIn0.MEUCIQD")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(value_type = String, example = "Bearer", pattern = "^Bearer$")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u32,
    /// The next refresh token; it can be used once. It begins with `dnr_`.
    #[schema(example = "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh")]
    refresh_token: String,
    /// Returned after a sign-in: send it as `device_token` with the next sign-in on this device. Store it after the
    /// session ends; it does not authenticate by itself. It begins with `dnd_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "dnd_AZNlqHsffD6NDAocLT5PUAAGQ3m4dJgAx7cKJ1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh5v6w7x8y9z0aBcD"
    )]
    device_token: Option<String>,
    /// The id of the session (claim `sid`).
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    session_id: String,
    /// The signed-in user.
    user: UserBody,
    /// The recovery codes, if a second factor was enrolled during sign-in. Returned only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["abcde-fgh23", "jklmn-pqr45"]))]
    recovery_codes: Option<Vec<String>>,
}

/// A session that was created or refreshed in cookie mode; the tokens are in `Set-Cookie`.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedInWithCookiesBody {
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u32,
    /// The CSRF token; send it as `X-CSRF-Token` with every request that changes data.
    #[schema(example = "n2c6hT3hX1Zb0b8m1h9o1m9q6mQ1n0sKcY2e4f6g8h0")]
    csrf_token: String,
    /// The id of the session (claim `sid`).
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    session_id: String,
    /// The signed-in user.
    user: UserBody,
    /// The recovery codes, if a second factor was enrolled during sign-in. Returned only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["abcde-fgh23", "jklmn-pqr45"]))]
    recovery_codes: Option<Vec<String>>,
}

impl SignedInBody {
    fn with_tokens(signed_in: SignedIn, recovery_codes: Option<Vec<String>>) -> Self {
        Self::Tokens(SignedInWithTokensBody {
            access_token: signed_in.access_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.expires_in_s,
            refresh_token: signed_in.refresh_token.expose_secret().to_owned(),
            device_token: signed_in.device_token.map(|token| token.expose_secret().to_owned()),
            session_id: signed_in.session_id.to_string(),
            user: UserBody::from(signed_in.user),
            recovery_codes,
        })
    }

    fn beside_cookies(signed_in: SignedIn, csrf_token: String, recovery_codes: Option<Vec<String>>) -> Self {
        Self::Cookies(SignedInWithCookiesBody {
            expires_in: signed_in.expires_in_s,
            csrf_token,
            session_id: signed_in.session_id.to_string(),
            user: UserBody::from(signed_in.user),
            recovery_codes,
        })
    }
}

/// How the tokens of a session are handed out.
#[derive(Clone, Copy)]
pub(super) enum Delivery {
    /// In the body.
    Body,
    /// As cookies, out of reach of scripts.
    Cookies,
}

impl Delivery {
    /// The delivery that the client requests. A page of another site must not sign its visitors in to another account.
    pub(super) fn wanted(shared: &Shared, headers: &HeaderMap, cookies: bool) -> Result<Self, Problem> {
        if !cookies {
            return Ok(Self::Body);
        }
        shared.origins.check(headers)?;
        Ok(Self::Cookies)
    }

    /// The device token: that of the body or, in cookie mode, of the cookie.
    pub(super) fn device_token(self, stated: Option<SecretString>, headers: &HeaderMap) -> Option<SecretString> {
        match self {
            Self::Body => stated,
            Self::Cookies => stated.or_else(|| cookies::device_of(headers)),
        }
    }

    /// The response to a sign-in: 201 with the tokens, or 202 with a challenge.
    pub(super) fn outcome(self, ctx: &Ctx, outcome: Outcome, recovery_codes: Option<Vec<String>>) -> Response {
        match outcome {
            Outcome::SignedIn(signed_in) => self.answer(ctx, StatusCode::CREATED, *signed_in, recovery_codes),
            Outcome::Challenged(more) => challenges::challenged(more),
        }
    }

    pub(super) fn answer(
        self,
        ctx: &Ctx,
        status: StatusCode,
        signed_in: SignedIn,
        recovery_codes: Option<Vec<String>>,
    ) -> Response {
        let no_store = [(CACHE_CONTROL, "no-store")];
        match self {
            Self::Body => {
                let body = SignedInBody::with_tokens(signed_in, recovery_codes);
                (status, no_store, Json(body)).into_response()
            }
            Self::Cookies => {
                let tokens = cookies::made_of(&signed_in);
                let csrf_token = cookies::csrf_token(ctx, signed_in.session_id);
                let body = SignedInBody::beside_cookies(signed_in, csrf_token, recovery_codes);
                (status, no_store, AppendHeaders(tokens), Json(body)).into_response()
            }
        }
    }
}

/// Sign in.
///
/// The response does not reveal whether the email address is unknown, the password is wrong or the account is disabled.
/// With `cookies`, the tokens are set as `__Host-` cookies for a page on the same site, and the body contains a CSRF
/// token instead. If a second factor is required, the response is 202 with a challenge, and the session starts when the
/// challenge is completed.
#[utoipa::path(
    post, path = "/api/v1/sessions", tag = "sessions", operation_id = "sessions.create",
    request_body = SignInBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        (status = 202, description = "A second factor is required.", body = ChallengeBody),
        BadBody, BadCredentials, SignInAllowed, Always,
    ),
    security(()),
)]
async fn sign_in(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SignInBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let mut fields = Fields::default();
    let email = fields.check("email", TypedEmail::parse(&body.email));
    let attempt = fields.check("password", PasswordAttempt::parse(&body.password));
    let label = body.label.as_deref().map(|raw| fields.check("label", DisplayName::parse(raw)));
    let (email, attempt) = fields.finish(email.zip(attempt))?;

    let token = delivery.device_token(body.device_token, &headers);
    let device = DeviceClaim { label: label.flatten(), token };
    let outcome = sessions::sign_in(&ctx, &email, attempt, device).await?;
    Ok(delivery.outcome(&ctx, outcome, None))
}

/// A refresh token.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh"}))]
struct RefreshBody {
    /// The refresh token from the last sign-in or refresh. Omit it in cookie mode: it is read from the cookie.
    #[schema(value_type = Option<String>, format = Password)]
    refresh_token: Option<SecretString>,
}

/// Refresh a session.
///
/// A refresh token can be used once. Within `sessions.refresh_grace_s` a repeated request returns the same new token,
/// for clients that lost the response; later reuse is treated as theft and ends the session. In cookie mode send
/// `X-CSRF-Token`, and no body or `{}`.
#[utoipa::path(
    post, path = REFRESH, tag = "sessions", operation_id = "sessions.refresh",
    params(
        ("X-CSRF-Token" = Option<String>, Header, description = "Cookie mode: the CSRF token of the session."),
    ),
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The new tokens of the session.", body = SignedInBody),
        BadBody, BadRefreshToken, FromOurPages, Always,
    ),
    security(()),
)]
async fn refresh(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    OptionalJsonBody(body): OptionalJsonBody<RefreshBody>,
) -> Result<Response, Problem> {
    if let Some(token) = &body.refresh_token {
        let refreshed = sessions::refresh(&ctx, token).await?;
        return Ok(Delivery::Body.answer(&ctx, StatusCode::OK, refreshed, None));
    }
    let missing = || FieldError::new("refresh_token", "required", "is required");
    let token = cookies::refresh_of(&headers).ok_or_else(missing)?;
    check_change(&shared, &ctx, &token, &headers)?;
    let refreshed = sessions::refresh(&ctx, &token).await?;
    Ok(Delivery::Cookies.answer(&ctx, StatusCode::OK, refreshed, None))
}

/// The CSRF token of a session in cookie mode.
#[derive(Serialize, ToSchema)]
struct CsrfTokenBody {
    /// The CSRF token; send it as `X-CSRF-Token` with every request that changes data.
    #[schema(example = "n2c6hT3hX1Zb0b8m1h9o1m9q6mQ1n0sKcY2e4f6g8h0")]
    csrf_token: String,
}

/// Get the CSRF token.
///
/// For a page in cookie mode that was reloaded, even if the access token has expired: the session is identified by the
/// refresh cookie. Pages of origins that are not in `server.cors_origins` cannot read the response.
#[utoipa::path(
    get, path = "/api/v1/sessions/csrf-token", tag = "sessions", operation_id = "sessions.csrf_token",
    responses(
        (status = 200, description = "The CSRF token of the session.", body = CsrfTokenBody),
        BadRefreshToken, Always,
    ),
    security(("refresh_cookie" = [])),
)]
async fn csrf_token(Caller(ctx): Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let token = cookies::refresh_of(&headers).ok_or(Error::Unauthenticated(Unauthenticated::Missing))?;
    let session = session_of(&ctx, &token)?;
    let body = CsrfTokenBody { csrf_token: cookies::csrf_token(&ctx, session) };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Sign out.
///
/// Ends the session of the access token; the token stops working immediately. In cookie mode the refresh cookie is
/// sufficient, and both cookies are deleted.
#[utoipa::path(
    delete, path = "/api/v1/sessions/current", tag = "sessions", operation_id = "sessions.end_current",
    responses((status = 204, description = "The session has ended."), answers::SignedIn, FromOurPages, Always),
    security(("bearer" = [])),
)]
async fn sign_out(State(shared): State<Shared>, Caller(ctx): Caller, headers: HeaderMap) -> Result<Response, Problem> {
    if !cookies::are_in_use(&headers) {
        sessions::end_current(&ctx).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match cookies::refresh_of(&headers).filter(|_| ctx.principal().is_err()) {
        // The access token has expired, and its cookie with it: the other one names the session as well.
        Some(token) => {
            check_change(&shared, &ctx, &token, &headers)?;
            sessions::end_by_refresh_token(&ctx, &token).await?;
        }
        None => sessions::end_current(&ctx).await?,
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies::cleared())).into_response())
}

/// Refuses what a page of another site might have made a browser send.
fn check_change(shared: &Shared, ctx: &Ctx, token: &SecretString, headers: &HeaderMap) -> Result<(), Problem> {
    shared.origins.check_change(ctx.services().vault.as_ref(), session_of(ctx, token)?, headers)
}

fn session_of(ctx: &Ctx, token: &SecretString) -> Result<SessionId, Error> {
    sessions::session_of(ctx, token).ok_or(Error::Unauthenticated(Unauthenticated::InvalidRefreshToken))
}
