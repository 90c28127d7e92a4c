//! The OpenAPI 3.1 document, from the handlers themselves.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use crate::http;
use crate::http::problem::ErrorBody;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Denizen",
        description = "Users, sign-in and access for any product.\n\nEvery error has one shape, `ErrorBody`, with a stable `code`. Unknown fields are refused. Times are RFC 3339 in UTC, ids are UUIDv7.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server.")),
    components(schemas(ErrorBody<'static>)),
    modifiers(&Bearer),
    tags(
        (name = "users", description = "Accounts."),
        (name = "me", description = "The caller."),
        (name = "sessions", description = "Sign in and sign out."),
        (name = "metadata", description = "What a verifier of access tokens needs."),
        (name = "health", description = "Is the server alive, and can it serve?"),
    ),
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token from `POST /api/v1/sessions`."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document of every route that is served.
#[must_use]
pub fn document() -> OpenApi {
    let http::Groups { open, requests, streams } = http::documented();
    let mut document = Api::openapi();
    for mut group in [open, requests, streams] {
        document.merge(group.to_openapi());
    }
    document
}
