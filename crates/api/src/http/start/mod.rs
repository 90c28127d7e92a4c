//! `/`: a small page that shows a browser where everything is, and the same for programs.
//!
//! It belongs to the fallback rather than to the routes, so that an application which embeds the server has `/` for itself.

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;

use super::Shared;
use super::account::error_page::prefers_html;
use super::account::escape;
use super::problem::Problem;
use crate::config::Config;

const PAGE: &str = include_str!("page.html");
/// How long a cache may keep the page.
const CACHING: &str = "public, max-age=300";

/// The page in both forms.
pub(crate) struct StartPage {
    html: String,
    json: StartBody,
}

#[derive(Serialize)]
struct StartBody {
    name: String,
    version: &'static str,
    links: Links,
}

#[derive(Serialize)]
struct Links {
    docs: String,
    openapi: String,
    metadata: String,
    health: String,
}

impl StartPage {
    /// The page of a server. Its links begin with the path of `server.public_url`, if there is one.
    pub(crate) fn new(config: &Config) -> Self {
        let url = config.server.public_url();
        let prefix =
            url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let html = PAGE.replace("{version}", version).replace("{prefix}", &escape(prefix));
        // Last: a product's name is never searched for places to fill.
        let html = html.replace("{product}", &escape(&config.product.name));
        let at = |path: &str| format!("{prefix}{path}");
        let links = Links {
            docs: at("/docs/"),
            openapi: at("/api/v1/openapi.json"),
            metadata: at("/.well-known/openid-configuration"),
            health: at("/health"),
        };
        Self { html, json: StartBody { name: config.product.name.clone(), version, links } }
    }
}

/// Answers what no route takes: the start page at `/`, 404 everywhere else.
pub(super) async fn fallback(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path() != "/" || !(method == Method::GET || method == Method::HEAD) {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    }
    let page = &shared.start_page;
    let mut response =
        if prefers_html(&headers) { Html(page.html.clone()).into_response() } else { Json(&page.json).into_response() };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHING));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}
