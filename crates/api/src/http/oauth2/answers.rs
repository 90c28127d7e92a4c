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
            answer("400", "invalid_request", "The request breaks a rule of RFC 6749; `error` says which."),
            answer("401", "invalid_client", "The client is unknown, or its secret is wrong."),
            answer("413", "invalid_request", "The body is too large."),
            answer("429", "temporarily_unavailable", "Too many requests; `Retry-After` says when to return."),
            answer("500", "server_error", "A defect on the server's side."),
            answer(
                "503",
                "temporarily_unavailable",
                "Overloaded, or the database is away; `Retry-After` says when to return.",
            ),
        ])
    }
}

/// The caller must be a client, or hold a permission.
pub(super) struct Permitted;

impl IntoResponses for Permitted {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([answer("403", "insufficient_scope", "The caller may not ask.")])
    }
}

/// The head of the request is looked at before anything else.
pub(crate) struct HeadTooLarge;

impl IntoResponses for HeadTooLarge {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "The address and the headers are larger than `limits.header_bytes`.";
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
        response = response.header("Retry-After", header(Type::Integer, "Seconds until it is worth trying again."));
    }
    if status == "401" {
        response = response.header("WWW-Authenticate", header(Type::String, "How to authenticate (RFC 6749 §5.2)."));
    }
    (status.to_owned(), RefOr::T(response.build()))
}
