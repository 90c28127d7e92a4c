//! `POST /oauth2/introspect`: what a token stands for (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Credential};
use denizen_domain::ctx::Policy;
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::{self, Introspection, TokenKind};
use denizen_domain::value::Object;
use http::HeaderMap;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answers::{Errors, Permitted};
use super::client::{Presented, refused};
use super::error::invalid_request;
use super::form::Form;
use crate::http::Shared;
use crate::http::extract::Caller;
use crate::http::problem::Problem;

/// A token to introspect.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the parameters, which are taken from a form by name")]
#[schema(example = json!({"token": "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh"}))]
struct IntrospectForm {
    /// An access token, a refresh token or an API key.
    #[schema(format = Password, min_length = 1)]
    token: String,
    /// The type of the token. It is ignored: all token types are searched.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// The id of the calling service account, if it is not in the `Authorization` header.
    #[schema(nullable = false, format = Uuid, min_length = 1)]
    client_id: Option<String>,
    /// An API key of the service account.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// The state of a token (RFC 7662 §2.2). For an inactive token, only `active` is present. The claims that
/// `tokens.claims` configures are added with the current attributes of the user.
#[derive(Serialize, ToSchema)]
struct IntrospectionBody {
    /// Whether the token is currently active.
    active: bool,
    /// `access_token`, `refresh_token` or `api_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^(access_token|refresh_token|api_key)$", value_type = Option<String>, example = "access_token")]
    kind: Option<&'static str>,
    /// The effective scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "users:read users:write")]
    scope: Option<String>,
    /// The client: the id of the service account, or `denizen` for an access or refresh token of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "denizen")]
    client_id: Option<String>,
    /// The email address of the user; only for tokens of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Email)]
    username: Option<String>,
    /// Whether the user's email address is currently verified; only for tokens of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email_verified: Option<bool>,
    /// `Bearer` if the token can be used as a bearer token; absent for refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^Bearer$", value_type = Option<String>, example = "Bearer")]
    token_type: Option<&'static str>,
    /// Expiry time in Unix seconds; absent for API keys that do not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// Issue time in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iat: Option<i64>,
    /// The id of the user or service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    sub: Option<String>,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// Unique identifier of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// The id of the session, if the token belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    sid: Option<String>,
    /// When the user last authenticated, in Unix seconds; only for tokens of users (RFC 9470 §6.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    /// How the user authenticated (RFC 8176); only for tokens of users, and absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 16, value_type = Option<Vec<String>>, example = json!(["pwd", "otp", "mfa"]))]
    amr: Option<Vec<&'static str>>,
    /// The current assurance level; only for tokens of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^(aal1|aal2|phr)$", value_type = Option<String>, example = "aal2")]
    acr: Option<&'static str>,
    /// The current role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<String>,
    /// The claims from attributes.
    #[serde(flatten)]
    #[schema(ignore)]
    custom: Object,
}

impl IntrospectionBody {
    fn of(found: &Introspection, policy: &Policy) -> Self {
        let kind = match found.kind {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
            TokenKind::ApiKey => "api_key",
        };
        let session = match found.credential {
            Credential::Session(session) => Some(session.to_string()),
            Credential::ApiKey(_) | Credential::ClientToken(_) | Credential::Certificate(_) => None,
        };
        // A resource server that looks at these two alone must not take a refresh token for a key to its doors.
        let opens_doors = found.kind != TokenKind::Refresh;
        Self {
            active: true,
            kind: Some(kind),
            scope: Some(found.scope.to_string()),
            client_id: found.client_id(),
            username: found.address.as_ref().map(|address| address.email.to_string()),
            email_verified: found.address.as_ref().map(|address| address.is_verified),
            token_type: opens_doors.then_some("Bearer"),
            exp: found.expires_at.map(Timestamp::as_seconds),
            iat: found.issued_at.map(Timestamp::as_seconds),
            sub: Some(found.subject.to_string()),
            aud: opens_doors.then(|| policy.audience.clone()),
            iss: Some(policy.issuer.clone()),
            jti: found.token_id.map(|id| URL_SAFE_NO_PAD.encode(id)),
            sid: session,
            auth_time: found.authentication.map(|authentication| authentication.at.as_seconds()),
            amr: found
                .authentication
                .map(|authentication| authentication.methods.names().collect())
                .filter(|names: &Vec<_>| !names.is_empty()),
            acr: found.authentication.map(|authentication| authentication.methods.acr().as_str()),
            role: Some(found.role.to_string()),
            custom: found.custom.iter().cloned().collect(),
        }
    }
}

/// Introspect a token.
///
/// Reads the current state from the database: a revoked token is reported as inactive immediately. The caller is a
/// service account, authenticated with client credentials or a bearer token, or any caller with `tokens:introspect`.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "oauth2", operation_id = "oauth2.introspect",
    request_body(content = IntrospectForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The state of the token.", body = IntrospectionBody), Errors, Permitted,
    ),
    security(("client" = []), ("bearer" = [])),
)]
pub(super) async fn introspect(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    mut form: Form,
) -> Result<Response, Problem> {
    let presented = Presented::of(&headers, &mut form)?;
    admit(&shared, &ctx, &presented).await?;
    let token = form.take("token").ok_or_else(|| invalid_request("The token is missing."))?;
    Ok(match tokens::introspect(&ctx, &token).await? {
        Some(found) => Json(IntrospectionBody::of(&found, ctx.policy())).into_response(),
        None => Json(json!({"active": false})).into_response(),
    })
}

async fn admit(shared: &Shared, ctx: &Ctx, presented: &Presented) -> Result<(), Problem> {
    if let Presented::Bearer(bearer) = presented {
        let principal = tokens::authenticate(&shared.services, bearer.expose_secret()).await?;
        let caller = Ctx::new(shared.services.clone(), Actor::Known(principal), ctx.origin().clone());
        return Ok(tokens::require_introspection(&caller)?);
    }
    presented.client(ctx).await?.ok_or_else(refused)?;
    Ok(())
}
