//! Open a session for a user who signed in at a provider.

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use denizen_domain::Ctx;
use denizen_domain::identities::{self, Proof};
use denizen_domain::providers::ProviderName;
use denizen_domain::users::DisplayName;
use http::HeaderMap;
use http::request::Parts;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ProviderPath;
use super::proof::{AuthorizationCode, code_proof, native_proof};
use crate::http::Shared;
use crate::http::answers::{Always, BadBody, BadProof, IdentityUsable, ProviderExists};
use crate::http::challenges::ChallengeBody;
use crate::http::extract::{Caller, Fields, JsonBody};
use crate::http::problem::Problem;
use crate::http::sign_in::{Delivery, SignedInBody};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(exchange)).routes(routes!(native))
}

/// A code to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "dnx_AZNlqHsffD6NDAocLT5PUAAAAAAA", "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}))]
struct ExchangeBody {
    /// The `code` with which the browser came back to `redirect_to`; it begins with `dnx_`, can be used once and expires
    /// after 60 seconds.
    #[schema(value_type = String)]
    code: Option<SecretString>,
    /// The verifier of the `code_challenge` (RFC 7636).
    #[schema(value_type = String, min_length = 43, max_length = 128)]
    code_verifier: Option<SecretString>,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Exchange the code of a provider sign-in for a session.
///
/// A first sign-in creates a user, or links the identity to the user with the same verified email address, as far as the
/// configuration of the provider allows it.
#[utoipa::path(
    post, path = "/api/v1/sessions/exchange", tag = "sessions", operation_id = "sessions.exchange",
    request_body = ExchangeBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        (status = 202, description = "A second factor is required.", body = ChallengeBody),
        BadBody, BadProof, IdentityUsable, ProviderExists, Always,
    ),
    security(()),
)]
async fn exchange(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ExchangeBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let proof = code_proof(body.code, body.code_verifier, None)?;
    sign_in(&ctx, proof, body.label.as_deref(), delivery).await
}

/// The `{id}` of a path below `/sessions`: one place in a path has one name.
struct SessionsPath(ProviderName);

impl<S: Send + Sync> FromRequestParts<S> for SessionsPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        ProviderPath::named(parts, state, "id").await.map(|ProviderPath(name)| Self(name))
    }
}

/// The proof of a native application: `id_token`, or `authorization_code` with the parameters of its request; and `nonce`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id_token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20ifQ.c2ln", "nonce": "AZNlqHsffD6NDAocLT5PUAAGQ3m4dJgA"}))]
struct NativeSignInBody {
    /// The ID token that the provider issued to the application.
    #[schema(value_type = Option<String>)]
    id_token: Option<SecretString>,
    /// The nonce of `POST /api/v1/auth/{provider}/nonces`. The ID token contains it or its SHA-256 digest in lower-case
    /// hexadecimal.
    #[schema(value_type = String)]
    nonce: Option<SecretString>,
    /// Instead of `id_token`: the authorization code that the provider issued to the application. The server exchanges it
    /// for the tokens.
    #[schema(value_type = Option<String>, max_length = 4096)]
    authorization_code: Option<SecretString>,
    /// With `authorization_code`: the PKCE verifier of the application (RFC 7636). Required if the provider issues no ID
    /// tokens, or if `client_id` is one of `native_client_ids`, except at Apple.
    #[schema(value_type = Option<String>, min_length = 43, max_length = 128)]
    code_verifier: Option<SecretString>,
    /// With `authorization_code`: the redirect URI of the application's request, one of `native_redirect_urls`. Omitted for
    /// codes of an SDK.
    redirect_uri: Option<String>,
    /// With `authorization_code`: the client id of the application's request, one of `native_client_ids`. Default:
    /// `client_id` of the provider.
    client_id: Option<String>,
    /// The name of the device in the list of sessions.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Whether to return the tokens as cookies, for a page on the same site.
    #[serde(default)]
    cookies: bool,
}

/// Sign in with an ID token or an authorization code of a provider.
///
/// For native applications that use the SDK of the provider, or obtain an authorization code from it.
#[utoipa::path(
    post, path = "/api/v1/sessions/{id}", tag = "sessions", operation_id = "sessions.create_by_id_token",
    params(("id" = String, Path, description = "The name of the provider.")),
    request_body = NativeSignInBody,
    responses(
        (status = 201, description = "The session was created.", body = SignedInBody),
        (status = 202, description = "A second factor is required.", body = ChallengeBody),
        BadBody, BadProof, IdentityUsable, ProviderExists, Always,
    ),
    security(()),
)]
async fn native(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    SessionsPath(name): SessionsPath,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NativeSignInBody>,
) -> Result<Response, Problem> {
    let delivery = Delivery::wanted(&shared, &headers, body.cookies)?;
    let code = AuthorizationCode {
        code: body.authorization_code,
        code_verifier: body.code_verifier,
        redirect_uri: body.redirect_uri,
        client_id: body.client_id,
    };
    let proof = native_proof(name, body.id_token, code, body.nonce)?;
    sign_in(&ctx, proof, body.label.as_deref(), delivery).await
}

async fn sign_in(ctx: &Ctx, proof: Proof, label: Option<&str>, delivery: Delivery) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let label = fields.check("label", label.map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    let outcome = identities::sign_in(ctx, proof, label).await?;
    Ok(delivery.outcome(ctx, outcome, None))
}
