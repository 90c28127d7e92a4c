//! `/docs` and the OpenAPI document, without the internet.

use std::sync::LazyLock;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Shared;
use super::well_known::Document;

const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

// Made when first asked for: it takes milliseconds that a start need not wait for.
static OPENAPI: LazyLock<Document> =
    LazyLock::new(|| Document::new(crate::openapi::document().to_json().expect("the document serialises")));

pub(super) fn routes() -> Router<Shared> {
    let config = Config::new([DOCUMENT_PATH]).validator_url("none").persist_authorization(false);
    Router::from(SwaggerUi::new("/docs").config(config))
        .route(DOCUMENT_PATH, get(async |headers: HeaderMap| OPENAPI.respond(&headers)))
}
