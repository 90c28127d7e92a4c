//! The error answers of the OAuth operations, for the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Type};

/// What each of them may answer.
pub(super) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([
            answer("400", "invalid_request", "The request is invalid (RFC 6749); `error` contains the reason."),
            answer(
                "401",
                "invalid_client",
                "Client authentication failed: the client is unknown or its secret is wrong.",
            ),
            answer("413", "invalid_request", "The request body is too large."),
            answer(
                "429",
                "temporarily_unavailable",
                "Too many requests. Retry after the number of seconds in `Retry-After`.",
            ),
            answer("500", "server_error", "Internal server error."),
            answer(
                "503",
                "temporarily_unavailable",
                "The server is overloaded or the database is unavailable. Retry after the number of seconds in \
                 `Retry-After`.",
            ),
        ])
    }
}

/// The caller must be a client, or hold a permission.
pub(super) struct Permitted;

impl IntoResponses for Permitted {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([answer("403", "insufficient_scope", "The caller lacks the required permission.")])
    }
}

/// The head of the request is looked at before anything else.
pub(crate) struct HeadTooLarge;

impl IntoResponses for HeadTooLarge {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "The request line and headers exceed `limits.header_bytes`.";
        BTreeMap::from([answer("431", "invalid_request", description)])
    }
}

fn answer(status: &str, code: &str, description: &str) -> (String, RefOr<Response>) {
    let example = json!({"error": code, "error_description": description});
    let schema = Ref::from_schema_name("OAuthErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    let mut response = ResponseBuilder::new().description(description).content("application/json", content);
    let header = |kind, description: &str| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    if matches!(status, "429" | "503") {
        response = response.header("Retry-After", header(Type::Integer, "Seconds to wait before retrying."));
    }
    if status == "401" {
        response =
            response.header("WWW-Authenticate", header(Type::String, "The authentication scheme (RFC 6749 §5.2)."));
    }
    (status.to_owned(), RefOr::T(response.build()))
}
