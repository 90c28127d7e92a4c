//! `POST /oauth2/revoke`: the end of a token (RFC 7009).

use denizen_domain::tokens;
use http::{HeaderMap, StatusCode};
use utoipa::ToSchema;

use super::answers::Errors;
use super::client::Presented;
use super::error::invalid_request;
use super::form::Form;
use crate::http::extract::Caller;
use crate::http::problem::Problem;

/// A token to revoke.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the parameters, which are taken from a form by name")]
#[schema(example = json!({"token": "dnr_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh"}))]
struct RevokeForm {
    /// A refresh token, the access token of a session, or an API key.
    #[schema(format = Password, min_length = 1)]
    token: String,
    /// The type of the token. It is ignored: all token types are searched.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// The id of the calling service account, if it is not in the `Authorization` header; or `denizen`, the public
    /// client of user sessions, which has no secret.
    #[schema(nullable = false, min_length = 1)]
    client_id: Option<String>,
    /// An API key of the service account.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// Revoke a token.
///
/// A refresh token or an access token of a session ends the session. An API key of a user is deleted. Revoking an API
/// key of a service account requires client authentication as that account. An invalid or expired token is not an
/// error.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "oauth2", operation_id = "oauth2.revoke",
    request_body(content = RevokeForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is no longer valid."), Errors),
    security((), ("client" = [])),
)]
pub(super) async fn revoke(Caller(ctx): Caller, headers: HeaderMap, mut form: Form) -> Result<StatusCode, Problem> {
    let presented = Presented::of(&headers, &mut form)?;
    let client = presented.client(&ctx).await?;
    let token = form.take("token").ok_or_else(|| invalid_request("The token is missing."))?;
    tokens::revoke(&ctx, client.as_ref(), &token).await?;
    Ok(StatusCode::OK)
}
