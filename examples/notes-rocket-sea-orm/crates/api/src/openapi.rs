//! The OpenAPI document.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "notes-rocket-sea-orm", description = "Notes of signed-in users."),
    paths(routes::list, routes::create, routes::delete_all, routes::get, routes::replace, routes::delete),
    modifiers(&BearerToken),
    security(("denizen" = []))
)]
struct Document;

/// Access tokens of Denizen.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.security_schemes.insert("denizen".to_owned(), SecurityScheme::Http(scheme).into());
    }
}

/// The OpenAPI document of the service.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
