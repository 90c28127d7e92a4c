//! `/.well-known`: what browsers and password managers read about sign-in.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Config;
use crate::http::Shared;
use crate::http::answers::Always;
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(related_origins)).routes(routes!(passkey_endpoints))
}

/// Routes for people, which the API does not document.
pub(crate) fn page_routes() -> Router<Shared> {
    Router::new().route("/.well-known/change-password", get(change_password))
}

/// The pages of the product that password managers open.
pub(crate) struct ProductPages {
    enroll: Option<String>,
    manage: Option<String>,
    change_password: Option<String>,
}

impl ProductPages {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            enroll: config.webauthn.enroll_url.clone(),
            manage: config.webauthn.manage_url.clone(),
            change_password: config.product.change_password_url.clone(),
        }
    }
}

/// The origins that may use the passkeys of the relying party.
#[derive(Serialize, ToSchema)]
struct RelatedOriginsBody<'a> {
    /// The origins.
    #[schema(example = json!(["https://example.com", "https://example.de"]))]
    origins: &'a [String],
}

/// Get the related origins of the relying party (WebAuthn Level 3 §5.11).
///
/// Browsers read it at the domain that is the relying party id: if that is not the host of the server, serve a copy
/// there.
#[utoipa::path(
    get, path = "/.well-known/webauthn", tag = "metadata", operation_id = "metadata.webauthn",
    responses((status = 200, description = "The origins.", body = RelatedOriginsBody<'static>), Always),
    security(()),
)]
async fn related_origins(State(shared): State<Shared>) -> Response {
    let body = RelatedOriginsBody { origins: shared.services.webauthn.origins() };
    ([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}

/// The pages for passkeys.
#[derive(Serialize, ToSchema)]
struct PasskeyEndpointsBody<'a> {
    /// The page on which users create a passkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://app.example.com/security/passkeys/new")]
    enroll: Option<&'a str>,
    /// The page on which users manage their passkeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://app.example.com/security/passkeys")]
    manage: Option<&'a str>,
}

/// Get the pages for passkeys (Passkey Endpoints).
///
/// They are configured in `webauthn.enroll_url` and `webauthn.manage_url`.
#[utoipa::path(
    get, path = "/.well-known/passkey-endpoints", tag = "metadata", operation_id = "metadata.passkey_endpoints",
    responses((status = 200, description = "The pages.", body = PasskeyEndpointsBody<'static>), Always),
    security(()),
)]
async fn passkey_endpoints(State(shared): State<Shared>) -> Response {
    let ProductPages { enroll, manage, .. } = &shared.product_pages;
    let body = PasskeyEndpointsBody { enroll: enroll.as_deref(), manage: manage.as_deref() };
    ([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}

/// Redirects to the page on which users change their password (Well-Known URL for Changing Passwords). Not a part of the
/// API: password managers open it.
async fn change_password(State(shared): State<Shared>) -> Result<Response, Problem> {
    let page = shared.product_pages.change_password.clone();
    let page = page.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    Ok((StatusCode::FOUND, [(LOCATION, page)]).into_response())
}
