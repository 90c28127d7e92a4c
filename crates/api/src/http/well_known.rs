//! `/.well-known`: what a verifier of our tokens needs.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use denizen_domain::keys::Algorithm;
use denizen_infra::tokens::{Jwks, KeyRing};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::Always;
use super::encoding::Encoding;
use super::problem::Problem;
use super::{Shared, etag};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(jwks)).routes(routes!(metadata)).routes(routes!(authorization_server))
}

/// The metadata of an issuer with a path, `https://example.com/auth`: RFC 8414 §3.1 inserts the well-known part before the
/// path. A proxy must forward these to the server as they are.
pub(super) fn path_suffixed_routes() -> Router<Shared> {
    Router::new()
        .route("/.well-known/oauth-authorization-server/{*path}", get(metadata_of_path))
        .route("/.well-known/openid-configuration/{*path}", get(metadata_of_path))
}

/// The same for this issuer only: without parameters, they do not conflict with routes of the application that embeds the
/// server.
pub(super) fn root_routes(issuer: &str) -> Router<Shared> {
    let Some(path) = path_of(issuer) else { return Router::new() };
    let document = || get(async |State(shared): State<Shared>, headers: HeaderMap| shared.metadata.respond(&headers));
    Router::new()
        .route(&format!("/.well-known/oauth-authorization-server/{path}"), document())
        .route(&format!("/.well-known/openid-configuration/{path}"), document())
}

/// How a client authenticates, by the names of RFC 8414 §2.
const CLIENT_AUTHENTICATION: [&str; 2] = ["client_secret_basic", "client_secret_post"];
/// The same, and the public client of sessions, which does not.
const OR_PUBLIC: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// Below this, compressing a document saves nothing.
const COMPRESS_ABOVE_BYTES: usize = 1024;

/// A document that changes seldom, with what caches need to know of it.
#[derive(Clone)]
pub(crate) struct Document {
    tag: Arc<str>,
    body: Bytes,
    /// The body in gzip: compressed once, by the first request that accepts it.
    gzip: Arc<OnceLock<Option<Bytes>>>,
}

impl Document {
    pub(crate) fn new(body: String) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let tag = digest.as_ref()[..8].iter().fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
        Self { tag: tag.into(), body: body.into(), gzip: Arc::default() }
    }

    pub(crate) fn respond(&self, headers: &HeaderMap) -> Response {
        let metadata = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
        if self.body.len() < COMPRESS_ABOVE_BYTES {
            return etag::respond(headers, &self.tag, (metadata, self.body.clone()));
        }
        let mut response = match self.gzip_for(headers) {
            Some(gzip) => etag::respond(headers, &self.tag, ([(CONTENT_ENCODING, "gzip")], metadata, gzip)),
            None => etag::respond(headers, &self.tag, (metadata, self.body.clone())),
        };
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        response
    }

    fn gzip_for(&self, headers: &HeaderMap) -> Option<Bytes> {
        Encoding::preferred(headers, &[Encoding::Gzip])?;
        self.gzip.get_or_init(|| Encoding::Gzip.encode(&self.body).ok().map(Bytes::from)).clone()
    }
}

/// The JWK Set as it is answered: made anew when the keys change, not for each request.
#[derive(Default)]
pub(crate) struct PublicKeys(RwLock<Option<(Arc<Jwks>, Document)>>);

impl PublicKeys {
    /// The document of the ring's present keys.
    fn of(&self, ring: &KeyRing) -> Document {
        let jwks = ring.jwks();
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, document)) = kept
            && Arc::ptr_eq(&of, &jwks)
        {
            return document;
        }
        let document = Document::new(jwks.body.clone());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((jwks, document.clone()));
        document
    }
}

/// The metadata of the issuer (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), as far as it is served.
pub(crate) fn metadata_of(issuer: &str, algorithm: Algorithm) -> Document {
    Document::new(
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "token_endpoint": format!("{issuer}/oauth2/token"),
            "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
            "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
            "token_endpoint_auth_methods_supported": OR_PUBLIC,
            "introspection_endpoint_auth_methods_supported": CLIENT_AUTHENTICATION,
            "revocation_endpoint_auth_methods_supported": OR_PUBLIC,
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [algorithm.as_str()],
            "scopes_supported": denizen_domain::access::Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>(),
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "email", "email_verified", "client_id", "key_id", "role", "scope"],
            "service_documentation": format!("{issuer}/docs"),
        })
        .to_string(),
    )
}

/// Get the public signing keys.
///
/// Returns the JWK Set (RFC 7517) for verifying access tokens.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "metadata", operation_id = "metadata.jwks",
    responses(
        (status = 200, description = "The keys.", content_type = "application/json", body = Object,
            example = json!({"keys": [{"kty": "EC", "use": "sig", "alg": "ES256", "kid": "vW5x", "crv": "P-256", "x": "f83OJ3D2", "y": "x_FEzRu9"}]})),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        Always,
    ),
    security(()),
)]
async fn jwks(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.jwks.of(&shared.ring).respond(&headers)
}

/// Get the OpenID provider metadata.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "metadata", operation_id = "metadata.get",
    responses(
        (status = 200, description = "The metadata.", content_type = "application/json", body = Object,
            example = json!({"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/.well-known/jwks.json"})),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        Always,
    ),
    security(()),
)]
async fn metadata(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.metadata.respond(&headers)
}

/// Get the authorization server metadata.
///
/// The same document, at the location of RFC 8414. If the issuer has a path, such as `https://example.com/auth`, it is
/// also available at `/.well-known/oauth-authorization-server/auth`.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata", operation_id = "metadata.oauth",
    responses(
        (status = 200, description = "The metadata.", content_type = "application/json", body = Object,
            example = json!({"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/.well-known/jwks.json"})),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        Always,
    ),
    security(()),
)]
async fn authorization_server(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    shared.metadata.respond(&headers)
}

async fn metadata_of_path(
    State(shared): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let is_ours = path_of(&shared.services.policy.issuer).is_some_and(|own| own == path);
    if is_ours { Ok(shared.metadata.respond(&headers)) } else { Err(Problem::of_status(StatusCode::NOT_FOUND)) }
}

/// The path of an issuer without its first slash; `None` if it has none.
fn path_of(issuer: &str) -> Option<&str> {
    let (_, rest) = issuer.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    (!path.is_empty()).then_some(path)
}
