//! `/api/v1/auth`: sign in through outside providers.
//!
//! The browser is sent to the provider (`browser`), comes back, and goes on to the application with a code. The application
//! exchanges the code for a session (`exchange`), or links the identity (`super::identities`).

mod browser;
mod exchange;
mod proof;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::{Error, Resource};
use denizen_domain::identities;
use denizen_domain::providers::{self, ProviderName};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadInput, ProviderExists};
use super::extract::{Caller, path_param};
use super::problem::Problem;
pub(crate) use proof::LinkBody;

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(nonce)).merge(browser::routes()).merge(exchange::routes())
}

/// The name of a provider in a path.
pub(crate) struct ProviderPath(pub(crate) ProviderName);

impl ProviderPath {
    /// The provider that a parameter of the path names.
    pub(crate) async fn named<S: Send + Sync>(parts: &mut Parts, state: &S, param: &str) -> Result<Self, Problem> {
        let name = path_param(parts, state, param).await.and_then(|raw| ProviderName::parse(&raw).ok());
        name.map(Self).ok_or_else(|| Error::NotFound(Resource::Provider).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ProviderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::named(parts, state, "provider").await
    }
}

/// A provider that users can sign in with.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "google", "label": "Google", "icon": "google"}))]
struct ProviderDisplayBody {
    /// The name, for `GET /api/v1/auth/{provider}`.
    name: String,
    /// The text of the sign-in button.
    label: String,
    /// The name of the icon: that of the preset, or `generic`.
    icon: String,
}

/// List the providers that users can sign in with.
#[utoipa::path(
    get, path = "/api/v1/auth/providers", tag = "providers", operation_id = "auth.providers",
    responses((status = 200, description = "The providers, by name.", body = [ProviderDisplayBody]), Always),
    security(()),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<Vec<ProviderDisplayBody>>, Problem> {
    let displays = providers::displays(&ctx).await?.into_iter();
    let body = |(name, display): (ProviderName, providers::ProviderDisplay)| ProviderDisplayBody {
        name: name.to_string(),
        label: display.label,
        icon: display.icon,
    };
    Ok(Json(displays.map(body).collect()))
}

/// A nonce for a sign-in request to a provider.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"nonce": "AZNlqHsffD6NDAocLT5PUAAGQ3m4dJgAx7cKJ1m0Xg5h1cD2q8kq0b2bqQ1o3QeYh", "expires_in": 600}))]
struct NonceBody {
    /// The nonce. It can be used once.
    nonce: String,
    /// Seconds until the nonce expires.
    expires_in: u32,
}

/// Create a nonce for a native sign-in.
///
/// Pass the nonce to the provider's SDK, then send the ID token or the authorization code, and the nonce, to `POST
/// /api/v1/sessions/{provider}`. It is valid for this provider only.
#[utoipa::path(
    post, path = "/api/v1/auth/{provider}/nonces", tag = "providers", operation_id = "auth.nonces.create",
    params(("provider" = String, Path, description = "The name of the provider.")),
    responses(
        (status = 201, description = "The nonce was created.", body = NonceBody),
        BadInput, ProviderExists, Always,
    ),
    security(()),
)]
async fn nonce(Caller(ctx): Caller, ProviderPath(name): ProviderPath) -> Result<Response, Problem> {
    let nonce = identities::nonce(&ctx, &name).await?;
    let body = NonceBody { nonce: nonce.expose_secret().to_owned(), expires_in: identities::begin::TTL_S };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
