//! Refuses query parameters that an operation does not have, on every route of the OpenAPI document: a filter that is
//! mistyped, or sent to the wrong operation, must not be ignored.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request};
use denizen_domain::error::FieldError;
use http::Method;
use serde_json::Value;

use crate::http::problem::Problem;

/// How many unknown parameters are reported.
const REPORTED_MAX: usize = 16;
/// Below these paths, standards ask to ignore unknown parameters (RFC 6749 §3.2, RFC 8414 §3).
pub(crate) const TOLERANT: [&str; 3] = ["/oauth2/", "/.well-known/", "/api/v1/auth/{provider}/callback"];

/// The methods of a route, and the names of the query parameters of each.
type Operations = Vec<(Method, Vec<String>)>;

/// The operations of each path. Made when a request with a query first comes.
static PARAMETERS: LazyLock<HashMap<String, Operations>> = LazyLock::new(|| {
    let document = crate::openapi::document();
    let shared = &document.json()["components"]["parameters"];
    let paths = document.json()["paths"].as_object().into_iter().flatten();
    let paths = paths.filter(|(path, _)| !TOLERANT.iter().any(|prefix| path.starts_with(prefix)));
    let operations = paths.map(|(path, item)| {
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let named = methods.into_iter().filter_map(|method| {
            let operation = item.get(method.as_str().to_ascii_lowercase())?;
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            Some((method, parameters.filter_map(|parameter| query_name(parameter, shared)).collect()))
        });
        (path.clone(), named.collect())
    });
    operations.collect()
});

/// The name of a parameter that stands in the query, itself or as a reference to a shared one.
fn query_name(parameter: &Value, shared: &Value) -> Option<String> {
    let parameter = match parameter["$ref"].as_str() {
        Some(reference) => shared.get(reference.rsplit('/').next()?)?,
        None => parameter,
    };
    let name = parameter["name"].as_str()?;
    (parameter["in"] == "query").then(|| name.to_owned())
}

/// Refuses a request whose query names a parameter that its operation does not have.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(()) };
    let Some(known) = parameters_of(request) else { return Ok(()) };
    let given: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let unknown: BTreeSet<String> =
        given.into_iter().map(|(name, _)| name).filter(|name| !known.contains(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let refuse = |name: String| {
        // A field has a name, and so `?=x` is about the query.
        let name = if name.is_empty() { "query" } else { &name };
        FieldError::new(name, "unknown_field", "is not a known parameter")
    };
    Err(Problem::invalid(unknown.into_iter().take(REPORTED_MAX).map(refuse).collect()))
}

/// The names of the parameters that the operation of a request has; `None` when it is not in the document.
fn parameters_of(request: &Request) -> Option<&'static [String]> {
    let matched = request.extensions().get::<MatchedPath>()?.as_str();
    // Mounted in another application, the route begins with where that is.
    let at = matched.find("/api/v1/").or_else(|| matched.find("/health")).unwrap_or_default();
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let operations = PARAMETERS.get(&matched[at..])?;
    operations.iter().find(|(known, _)| known == method).map(|(_, names)| names.as_slice())
}
