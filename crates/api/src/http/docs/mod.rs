//! `/docs` and the OpenAPI document, without the internet.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};

use super::Shared;
use super::assets::Asset;
use super::problem::Problem;
use super::well_known::Document;

const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

// Made when first asked for: it takes milliseconds that a start need not wait for.
static OPENAPI: LazyLock<Document> =
    LazyLock::new(|| Document::new(crate::openapi::document().to_json().expect("the document serialises")));

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(async |headers: HeaderMap| page("/docs/index.html", &headers)))
        .route("/docs/{*rest}", get(async |request: Request| page(request.uri().path(), request.headers())))
        .route(DOCUMENT_PATH, get(document))
}

/// The document. Below a path, it says so: its readers resolve the paths of operations against that.
async fn document(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if shared.prefix.is_empty() {
        return OPENAPI.respond(&headers);
    }
    let below = || {
        let document = crate::openapi::document().below(&shared.prefix);
        Document::new(document.to_json().expect("the document serialises"))
    };
    shared.openapi.get_or_init(below).respond(&headers)
}

fn page(path: &str, headers: &HeaderMap) -> Response {
    match Asset::at(path) {
        Some(asset) => asset.respond(headers),
        None => Problem::of_status(StatusCode::NOT_FOUND).into_response(),
    }
}
