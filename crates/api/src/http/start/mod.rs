//! `/`: a small page that shows a browser where everything is, and the same for programs.
//!
//! It belongs to the fallback rather than to the routes, so that an application which embeds the server has `/` for itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use denizen_domain::Services;
use denizen_domain::setup;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;
use tokio::time::timeout;

use super::Shared;
use super::account::error_page::prefers_html;
use super::account::escape;
use super::account::setup::{PATH as SETUP_PATH, SHORT_PATH};
use super::problem::Problem;
use crate::config::Config;

const PAGE: &str = include_str!("page.html");
/// How long a cache may keep the page.
const CACHING: &str = "public, max-age=300";

/// How long the page waits for the database.
const ASKED_FOR: Duration = Duration::from_secs(2);
/// What the page says while there is no administrator.
const NOTICE: &str = "<p role=\"status\">There is no administrator yet. Open the setup link that the server has printed, \
                      or run <code>denizen setup-link</code> for another one.</p>\n";

/// The page in both forms.
pub(crate) struct StartPage {
    html: String,
    /// The same while there is no administrator.
    setup_html: String,
    json: StartBody,
    /// Whether an administrator was seen: from then on, the database is not asked.
    is_set_up: AtomicBool,
}

#[derive(Clone, Serialize)]
struct StartBody {
    name: String,
    version: &'static str,
    /// `ready`, or `setup_required` while there is no administrator.
    state: &'static str,
    links: Links,
}

#[derive(Clone, Serialize)]
struct Links {
    sign_in: String,
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
        let html = |notice: &str| {
            let html =
                PAGE.replace("{notice}", notice).replace("{version}", version).replace("{prefix}", &escape(prefix));
            // Last: a product's name is never searched for places to fill.
            html.replace("{product}", &escape(&config.product.name))
        };
        let at = |path: &str| format!("{prefix}{path}");
        let links = Links {
            sign_in: at("/account/sign-in"),
            docs: at("/docs/"),
            openapi: at("/api/v1/openapi.json"),
            metadata: at("/.well-known/openid-configuration"),
            health: at("/health"),
        };
        let json = StartBody { name: config.product.name.clone(), version, state: "ready", links };
        Self { html: html(""), setup_html: html(NOTICE), json, is_set_up: AtomicBool::new(false) }
    }
}

impl StartPage {
    /// Whether there is an administrator. If the database does not answer, the page says nothing about it.
    async fn is_set_up(&self, services: &Services) -> bool {
        if self.is_set_up.load(Ordering::Relaxed) {
            return true;
        }
        match timeout(ASKED_FOR, setup::has_admin(services)).await {
            Ok(Ok(has_admin)) => {
                self.is_set_up.store(has_admin, Ordering::Relaxed);
                has_admin
            }
            _ => true,
        }
    }
}

/// Answers what no route takes: the start page at `/`, a redirect to the setup page, 404 everywhere else.
pub(super) async fn fallback(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path() == SHORT_PATH && method == Method::GET {
        // Relative, so that it stays below the path of the public URL.
        let query = uri.query().unwrap_or_default();
        return Redirect::temporary(&format!(".{SETUP_PATH}?{query}")).into_response();
    }
    if uri.path() != "/" || !(method == Method::GET || method == Method::HEAD) {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    }
    let page = &shared.start_page;
    let is_set_up = page.is_set_up(&shared.services).await;
    let mut response = if prefers_html(&headers) {
        Html(if is_set_up { &page.html } else { &page.setup_html }.clone()).into_response()
    } else {
        let state = if is_set_up { page.json.state } else { "setup_required" };
        Json(StartBody { state, ..page.json.clone() }).into_response()
    };
    let caching = if is_set_up { CACHING } else { "no-store" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}
