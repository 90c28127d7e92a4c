//! The OpenAPI 3.1 document, generated from the handlers.

mod error_codes;
mod error_responses;
mod forms;
mod names;
mod shared;
mod values;
mod walk;

use denizen_domain::access::Permission;
use denizen_domain::events::EventType;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, PathItem, RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use crate::http::answers::{BadInput, FromOurPages, HeadTooLarge};
use crate::http::oauth2::{self, OAuthErrorBody};
use crate::http::problem::ErrorBody;
use crate::middleware::query;
use crate::{catalogue, http};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Denizen",
        description = "Users, authentication and authorization for any product.\n\nAll errors have one format, `Error` \
                       (below `/oauth2/`, the format of RFC 6749), with a stable `code`. Unknown fields are rejected. \
                       Times are RFC 3339 in UTC; ids are UUIDv7.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server.")),
    components(schemas(ErrorBody<'static>, OAuthErrorBody<'static>)),
    modifiers(&Schemes),
    tags(
        (name = "users", description = "User accounts."),
        (name = "me", description = "The caller."),
        (name = "credentials", description = "Passwords, email addresses and second factors: verification, change and \
                                              recovery."),
        (name = "passkeys", description = "Passkeys (WebAuthn): registration and management. See `docs/passkeys.md`."),
        (name = "sessions", description = "Sign-in, sign-out and the list of active sessions."),
        (name = "roles", description = "Roles and permissions."),
        (name = "service-accounts", description = "Accounts for programs that act on their own behalf."),
        (name = "api-keys", description = "Long-lived credentials for programs."),
        (name = "events", description = "The event log and event streams."),
        (name = "audit", description = "The audit log: actor, subject, client address and credential of every change."),
        (name = "webhooks", description = "Event delivery by signed HTTP requests (Standard Webhooks)."),
        (name = "signing-keys", description = "The keys that sign access tokens."),
        (name = "oauth2", description = "Token issuance, introspection and revocation. Errors have the format of RFC \
                                         6749, `OAuthError`."),
        (name = "metadata", description = "Metadata and public keys for verifying access tokens."),
        (name = "health", description = "Liveness and readiness checks."),
    ),
)]
struct Api;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token from `POST /api/v1/sessions` or `POST /oauth2/token`, or an API key (`dnk_…`).",
            ))
            .build();
        let client = HttpBuilder::new()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("The id of a service account and one of its API keys (RFC 6749 §2.3.1)."))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("client", SecurityScheme::Http(client));
        let cookie = "The access token, set by `POST /api/v1/sessions` in cookie mode.";
        let cookie = ApiKeyValue::with_description("__Host-denizen_access", cookie);
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let refresh = "The refresh token, set by `POST /api/v1/sessions` in cookie mode.";
        let refresh = ApiKeyValue::with_description("__Host-denizen_refresh", refresh);
        components.add_security_scheme("refresh_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(refresh)));
        let csrf = "Cookie mode: the `csrf_token` of the session; required with every request that changes data.";
        let csrf = ApiKeyValue::with_description("X-CSRF-Token", csrf);
        components.add_security_scheme("csrf", SecurityScheme::ApiKey(ApiKey::Header(csrf)));
    }
}

/// An OpenAPI 3.1 document.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Document(Value);

impl Document {
    /// The document as JSON.
    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// The same operations below a path: clients resolve the paths of operations against the URL of the server.
    pub(crate) fn below(mut self, path: &str) -> Self {
        for server in self.0["servers"].as_array_mut().into_iter().flatten() {
            server["url"] = path.into();
        }
        self
    }

    /// The document without line breaks.
    ///
    /// # Errors
    /// Never: it is JSON already.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.0)
    }

    /// The document with line breaks.
    ///
    /// # Errors
    /// Never: it is JSON already.
    pub fn to_pretty_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.0)
    }
}

/// The document of every route that is served.
#[must_use]
pub fn document() -> Document {
    let http::Groups { open, requests, streams } = http::documented();
    let mut document = Api::openapi();
    for mut group in [open, requests, streams] {
        document.merge(group.to_openapi());
    }
    catalogue::describe(&mut document);
    for (name, path) in &mut document.paths.paths {
        allow_cookies(path);
        bound_heads(path);
        if !query::TOLERANT.iter().any(|prefix| name.starts_with(prefix)) {
            refuse_unknown_parameters(path);
        }
        if let Some(operation) = &mut path.post {
            allow_no_body(operation);
        }
    }
    Document(refined(&document))
}

/// Changes to the whole document that are not repeated at each operation and type.
fn refined(document: &OpenApi) -> Value {
    let mut whole = serde_json::to_value(document).expect("the document serialises");
    let permissions = Permission::ALL.iter().map(|permission| permission.as_str());
    values::add(&mut whole, "PermissionName", "A permission; see `GET /api/v1/permissions`.", permissions);
    values::refer(&mut whole, "PermissionBody", "name", "PermissionName");
    values::refer_items(&mut whole, &["permissions", "scopes"], "PermissionName");
    let types = EventType::ALL.iter().map(|kind| kind.as_str());
    values::add(&mut whole, "EventType", "An event type.", types);
    values::refer(&mut whole, "RecordBody", "type", "EventType");
    values::add(&mut whole, "ErrorCode", "An error code. Later versions may add codes.", error_codes::CODES);
    values::refer(&mut whole, "ErrorDetail", "code", "ErrorCode");
    values::add(&mut whole, "OAuthErrorCode", "An error code below `/oauth2/`.", error_codes::OAUTH_CODES);
    values::refer(&mut whole, "OAuthErrorBody", "error", "OAuthErrorCode");
    values::add(
        &mut whole,
        "Factor",
        "A factor that completes a challenge.",
        ["totp", "passkey", "recovery_code", "mailed_code"],
    );
    values::refer_items(&mut whole, &["factors"], "Factor");
    values::list(&mut whole);
    forms::add_patterns(&mut whole);
    forms::open_objects(&mut whole);
    error_responses::share(&mut whole);
    shared::parameters_and_headers(&mut whole);
    shared::security(&mut whole);
    names::without_suffix(&mut whole);
    whole
}

/// Adds the response for too large a request head to all operations.
fn bound_heads(path: &mut PathItem) {
    let PathItem { get, post, put, patch, delete, .. } = path;
    for operation in [get, post, put, patch, delete].into_iter().flatten() {
        let is_oauth = operation.tags.iter().flatten().any(|tag| tag == "oauth2");
        let answers = if is_oauth { oauth2::HeadTooLarge::responses() } else { HeadTooLarge::responses() };
        operation.responses.responses.extend(answers);
    }
}

/// Adds the response for unknown query parameters to all operations.
fn refuse_unknown_parameters(path: &mut PathItem) {
    let PathItem { get, post, put, patch, delete, .. } = path;
    for operation in [get, post, put, patch, delete].into_iter().flatten() {
        for (status, response) in BadInput::responses() {
            operation.responses.responses.entry(status).or_insert(response);
        }
    }
}

/// The operations whose body is optional.
const OPTIONAL_BODIES: [&str; 4] =
    ["api_keys.rotate", "sessions.refresh", "signing_keys.rotate", "webhooks.rotate_secret"];

fn allow_no_body(operation: &mut Operation) {
    let is_optional = operation.operation_id.as_deref().is_some_and(|id| OPTIONAL_BODIES.contains(&id));
    if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| is_optional) {
        body.required = Some(Required::False);
    }
}

/// Allows cookies wherever a bearer token of a user is allowed; requests that change data also require the CSRF token.
fn allow_cookies(path: &mut PathItem) {
    let none: [&str; 0] = [];
    let cookie = SecurityRequirement::new("cookie", none);
    let changing = cookie.clone().add("csrf", none);
    let PathItem { get, post, put, patch, delete, .. } = path;
    let reading = [(get, cookie)].into_iter();
    let operations = reading.chain([post, put, patch, delete].map(|operation| (operation, changing.clone())));
    for (operation, requirement) in operations.filter_map(|(operation, with)| Some((operation.as_mut()?, with))) {
        let is_oauth = operation.tags.iter().flatten().any(|tag| tag == "oauth2");
        let security = operation.security.get_or_insert_default();
        if is_oauth || !security.contains(&SecurityRequirement::new("bearer", none)) {
            continue;
        }
        if requirement == changing {
            for (status, answer) in FromOurPages::responses() {
                operation.responses.responses.entry(status).or_insert(answer);
            }
        }
        security.push(requirement);
    }
}
