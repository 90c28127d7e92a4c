//! The schemas of events.

use std::sync::LazyLock;

use axum::response::Response;
use http::HeaderMap;

use crate::catalogue;
use crate::http::answers::Always;
use crate::http::well_known::Document;

// Made when first asked for, as the OpenAPI document is.
static SCHEMAS: LazyLock<Document> = LazyLock::new(|| Document::new(catalogue::schemas().to_string()));

/// Get the event schemas.
///
/// Returns a JSON Schema (2020-12) for every event type.
#[utoipa::path(
    get, path = "/api/v1/events/schemas", tag = "events", operation_id = "events.schemas",
    responses(
        (status = 200, description = "The schema.", content_type = "application/json", body = Object,
            example = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "oneOf": [], "$defs": {}})),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        Always,
    ),
    security(()),
)]
pub(super) async fn schemas(headers: HeaderMap) -> Response {
    SCHEMAS.respond(&headers)
}
