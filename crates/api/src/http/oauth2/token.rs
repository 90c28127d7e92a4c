//! `POST /oauth2/token`: the grants of RFC 6749.

use axum::Json;
use denizen_domain::Ctx;
use denizen_domain::access::Permissions;
use denizen_domain::error::{Error, GrantError, Unauthenticated};
use denizen_domain::sessions::{self, SignedIn};
use denizen_domain::tokens::{self, ClientGrant};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::Errors;
use super::client::{Presented, refused};
use super::error::{invalid_request, unsupported_grant_type};
use super::form::Form;
use crate::http::extract::Caller;
use crate::http::problem::Problem;

/// A token request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the parameters, which are taken from a form by name")]
#[schema(example = json!({"grant_type": "refresh_token", "refresh_token": "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh"}))]
struct TokenForm {
    /// `client_credentials` or `refresh_token`.
    #[schema(pattern = "^(client_credentials|refresh_token)$")]
    grant_type: String,
    /// The requested scopes, separated by spaces. Default: all available scopes.
    #[schema(nullable = false, example = "users:read")]
    scope: Option<String>,
    /// With `refresh_token`: the refresh token from the last sign-in or refresh.
    #[schema(nullable = false, format = Password)]
    refresh_token: Option<String>,
    /// The id of the service account, if it is not in the `Authorization` header. With `refresh_token` also `denizen`,
    /// the public client of user sessions, which has no secret.
    #[schema(nullable = false, min_length = 1)]
    client_id: Option<String>,
    /// An API key of the service account.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// A token response (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthTokenBody)]
pub(super) struct TokenBody {
    /// A JWT (RFC 9068); send it as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIwMTkzIn0.MEUCIQD")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(value_type = String, example = "Bearer", pattern = "^Bearer$")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u32,
    /// The next refresh token of the session; it can be used once. Absent for `client_credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// The scopes of the access token.
    #[schema(example = "users:read")]
    scope: String,
}

impl From<ClientGrant> for TokenBody {
    fn from(grant: ClientGrant) -> Self {
        Self {
            access_token: grant.access_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: grant.expires_in_s,
            refresh_token: None,
            scope: grant.scope.to_string(),
        }
    }
}

impl From<SignedIn> for TokenBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            access_token: signed_in.access_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.expires_in_s,
            refresh_token: Some(signed_in.refresh_token.expose_secret().to_owned()),
            scope: signed_in.scope.to_string(),
        }
    }
}

/// Request an access token.
///
/// With `client_credentials`, a service account receives an access token for one of its API keys (RFC 6749 §4.4). With
/// `refresh_token`, a session receives new tokens (RFC 6749 §6). The client of user sessions is the public client
/// `denizen`, which has no secret and can be omitted; if a service account is named, it must authenticate.
#[utoipa::path(
    post, path = "/oauth2/token", tag = "oauth2", operation_id = "oauth2.token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token response.", body = TokenBody), Errors),
    security((), ("client" = [])),
)]
pub(super) async fn token(Caller(ctx): Caller, headers: HeaderMap, mut form: Form) -> Result<Json<TokenBody>, Problem> {
    let presented = Presented::of(&headers, &mut form)?;
    let grant_type = form.take("grant_type").ok_or_else(|| invalid_request("The grant_type is missing."))?;
    let scope = form.take("scope");
    match grant_type.expose_secret() {
        "client_credentials" => {
            let client = presented.client(&ctx).await?.ok_or_else(refused)?;
            let scope = scope.as_ref().map(ExposeSecret::expose_secret);
            Ok(Json(tokens::client_credentials(&ctx, &client, scope)?.into()))
        }
        "refresh_token" => {
            presented.client(&ctx).await?;
            let token = form.take("refresh_token").ok_or_else(|| invalid_request("The refresh_token is missing."))?;
            Ok(Json(refresh(&ctx, &token, scope.as_ref()).await?.into()))
        }
        _ => Err(unsupported_grant_type()),
    }
}

/// The tokens of a session carry all that the user's role may do. Whoever asks for more or for less is refused, before
/// the token is used up.
pub(crate) async fn refresh(ctx: &Ctx, token: &SecretString, scope: Option<&SecretString>) -> Result<SignedIn, Error> {
    let asked = match scope {
        None => None,
        Some(scope) => Some(Permissions::parse(scope.expose_secret()).map_err(|_| invalid_scope())?),
    };
    let differs = |scope: Permissions| asked.is_some_and(|asked| asked != scope);
    if asked.is_some() && tokens::introspect(ctx, token).await?.is_some_and(|token| differs(token.scope)) {
        return Err(invalid_scope());
    }
    let signed_in = sessions::refresh(ctx, token).await.map_err(|error| match error {
        Error::Unauthenticated(Unauthenticated::InvalidRefreshToken) => Error::Grant(GrantError::InvalidGrant),
        other => other,
    })?;
    if differs(signed_in.scope) { Err(invalid_scope()) } else { Ok(signed_in) }
}

fn invalid_scope() -> Error {
    Error::Grant(GrantError::InvalidScope)
}
