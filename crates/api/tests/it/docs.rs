//! The OpenAPI document and `/docs`.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, SignedIn, TestApp};
use crate::holders::{Targets, filled};

const DOCUMENT: &str = "/api/v1/openapi.json";
/// What OAuth takes in place of JSON.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// One documented operation.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) body: Value,
}

pub(crate) fn document() -> Value {
    serde_json::from_str(&denizen::openapi::document().to_json().unwrap()).unwrap()
}

pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, body) in methods.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let id = body["operationId"].as_str().unwrap().to_owned();
            let mut body = body.clone();
            let parameters = body.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
            parameters.for_each(|parameter| replace_reference(document, parameter));
            if body["security"].is_null() {
                body["security"] = document["security"].clone();
            }
            for response in body["responses"].as_object_mut().unwrap().values_mut() {
                replace_reference(document, response);
            }
            found.push(Operation { method, path: path.clone(), id, body });
        }
    }
    found
}

fn replace_reference(document: &Value, part: &mut Value) {
    if let Some(reference) = part["$ref"].as_str() {
        *part = resolve(document, reference).clone();
    }
}

/// The example of a request body, and its media type.
pub(crate) fn example(document: &Value, operation: &Operation) -> Option<(String, String)> {
    let (media_type, content) = operation.body["requestBody"]["content"].as_object()?.iter().next()?;
    let named = content["schema"]["$ref"].as_str().map(|path| resolve(document, path)["example"].clone());
    let example = named.filter(|example| !example.is_null()).unwrap_or_else(|| content["example"].clone());
    assert!(!example.is_null(), "{} has no example of its body", operation.id);
    let text = match &example {
        Value::String(text) => text.clone(),
        Value::Object(form) if media_type == FORM => serde_urlencoded::to_string(form).unwrap(),
        _ => example.to_string(),
    };
    Some((media_type.clone(), text))
}

pub(crate) fn resolve<'a>(document: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference.strip_prefix('#').expect("a reference within the document");
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

async fn get(app: &TestApp, path: &str) -> Response {
    app.request(Method::GET, path, None).send().await.unwrap()
}

#[tokio::test]
async fn the_served_document_is_that_of_the_code() {
    let app = TestApp::start(Db::Sqlite).await;
    let response = get(&app, DOCUMENT).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let tag = response.headers()["etag"].clone();
    assert_eq!(response.json::<Value>().await.unwrap(), document());
    let again = app.request(Method::GET, DOCUMENT, None).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        resolve(&document, &reference);
    }
    let ids: Vec<String> = operations(&document).into_iter().map(|operation| operation.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn every_operation_says_what_it_does_needs_and_answers() {
    let document = document();
    for Operation { method, id, path, body } in operations(&document) {
        assert!(body["summary"].as_str().is_some_and(|summary| summary.ends_with('.') || !summary.is_empty()), "{id}");
        assert!(body["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{id}");
        let security = body["security"].as_array().unwrap_or_else(|| panic!("{id} says nothing of security"));
        assert!(!security.is_empty(), "{id}");
        let is_open = security.contains(&json!({}));
        let with_cookies =
            if method == Method::GET { json!({"cookie": []}) } else { json!({"cookie": [], "csrf": []}) };
        let takes_bearer = security.contains(&json!({"bearer": []})) && !id.starts_with("oauth2.");
        assert_eq!(takes_bearer, security.contains(&with_cookies), "{id}");
        let responses = body["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2') || matches!(status.as_str(), "101" | "303")),
            "{id}"
        );
        assert!(is_open || responses.contains_key("401"), "{id} needs credentials and does not document 401");
        assert!(
            body["requestBody"].is_null() || ["400", "413"].iter().all(|status| responses.contains_key(*status)),
            "{id}"
        );
        let is_oauth = id.starts_with("oauth2.");
        assert!(body["requestBody"].is_null() || is_oauth || responses.contains_key("415"), "{id}");
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = name.trim_end_matches('}');
            let parameters = body["parameters"].as_array().unwrap();
            assert!(
                parameters.iter().any(|at| at["name"] == name && at["in"] == "path" && at["required"] == true),
                "{id} {name}"
            );
            // Which challenges there are is not told: one that is absent is as a code that is wrong.
            let absent = if id.starts_with("challenges.") { "401" } else { "404" };
            assert!(responses.contains_key(absent), "{id}");
        }
        let is_health = id.starts_with("health.");
        for (status, response) in responses {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {status}");
            if status.as_str() < "400" || is_health {
                continue;
            }
            let content = &response["content"]["application/json"];
            let shape = if is_oauth { "OAuthError" } else { "Error" };
            assert_eq!(content["schema"]["$ref"], format!("#/components/schemas/{shape}"), "{id} {status}");
            let said = &content["example"]["error"]["status"];
            assert!(is_oauth || *said == json!(status.parse::<u16>().unwrap()), "{id} {status}");
            assert!(
                !matches!(status.as_str(), "429" | "503") || response["headers"]["Retry-After"].is_object(),
                "{id} {status}"
            );
            assert!(status != "401" || response["headers"]["WWW-Authenticate"].is_object(), "{id} {status}");
        }
        let always = ["429", "500", "503"];
        assert!(is_health || always.iter().all(|status| responses.contains_key(*status)), "{id}");
    }
}

#[test]
fn every_documented_error_is_in_the_catalogue() {
    let catalogue = include_str!("../../../../docs/errors.md");
    for Operation { id, body, .. } in operations(&document()) {
        for response in body["responses"].as_object().unwrap().values() {
            let error = &response["content"]["application/json"]["example"]["error"];
            if let Some(code) = error["code"].as_str().or(error.as_str()) {
                assert!(catalogue.contains(&format!("| `{code}` |")), "{id}: {code}");
            }
        }
    }
}

/// Sends the example of an operation, upon the user that the examples speak of.
async fn send_example(operation: &Operation, media_type: &str, text: &str) -> Response {
    let offered = [("sign_in.mailed_codes", "true"), ("sign_in.magic_links", "true")];
    let app = TestApp::start_with(Db::Sqlite, &offered).await;
    let admin = app.admin().await;
    let mut token = None;
    let mut path = operation.path.clone();
    let mut text = text.to_owned();
    if !["users.create", "users.import"].contains(&operation.id.as_str()) {
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada Lovelace"});
        assert_eq!(app.post("/api/v1/users", &body).await.status(), 201);
        let ada: SignedIn = app.sign_in("ada@example.com").await;
        let targets = Targets::around(&app, ada).await;
        let names_provider = ["me.identities.link", "sessions.create_by_id_token"].contains(&operation.id.as_str());
        let name = if names_provider { &targets.provider } else { targets.named_in(&path) };
        path = filled(&path, name);
        if operation.id == "sessions.refresh" {
            text = json!({"refresh_token": targets.user.refresh_token}).to_string();
        }
        token = Some(targets.user.token);
    }
    let is_for_admins =
        ["roles.", "service_accounts.", "signing_keys.", "webhooks.", "providers.", "invitations.create"]
            .iter()
            .any(|of| operation.id.starts_with(of));
    if is_for_admins || ["users.import", "oauth2.introspect"].contains(&operation.id.as_str()) {
        token = Some(admin.token.clone());
    }
    let request = app.request(operation.method.clone(), &path, token.as_deref());
    request.header("content-type", media_type).body(text).send().await.unwrap()
}

#[tokio::test]
async fn every_example_of_a_body_is_accepted() {
    let document = document();
    let mut sent = 0;
    for operation in operations(&document) {
        let Some((media_type, text)) = example(&document, &operation) else { continue };
        let response = send_example(&operation, &media_type, &text).await;
        let status = response.status();
        let body = response.text().await.unwrap();
        // Tokens and codes are good once and of one deployment: those of the examples are read and refused.
        let refusals = [
            "invalid_refresh_token",
            "invalid_grant",
            "invalid_token",
            "invalid_code",
            "wrong_code",
            "second_factor_not_found",
            "invalid_passkey",
            "provider_refused",
            "invalid_state",
            "passkey_not_found",
        ];
        let refusals = refusals.map(|code| format!("\"{code}\""));
        let is_taken = status.is_success() || refusals.iter().any(|code| body.contains(code));
        assert!(is_taken, "{} {text}: {status} {body}", operation.id);
        assert!(
            operation.body["responses"][status.as_str()].is_object(),
            "{} does not document {status}",
            operation.id
        );
        assert!(operation.id != "users.import" || body.contains("\"created\":1"), "{body}");
        sent += 1;
    }
    assert!(sent >= 15, "only {sent} operations take a body");
}

#[tokio::test]
async fn the_documentation_needs_no_internet() {
    let app = TestApp::start(Db::Sqlite).await;
    let page = get(&app, "/docs").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"), "the short address leads there");
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("http"), "{policy}");
    let html = page.text().await.unwrap();
    let mut scripts = 0;
    for (at, _) in html.match_indices("<script") {
        let tag = &html[at..at + html[at..].find('>').unwrap()];
        assert!(tag.contains("src="), "the policy forbids scripts within the page: {tag}");
        scripts += 1;
    }
    assert!(scripts > 0);
    for marker in ["src=\"", "href=\""] {
        for (at, _) in html.match_indices(marker) {
            let link = html[at + marker.len()..].split('"').next().unwrap();
            assert!(!link.contains("//"), "{link} leads elsewhere");
            let path = format!("/docs/{}", link.trim_start_matches("./"));
            let response = get(&app, &path).await;
            assert_eq!(response.status(), 200, "{path}");
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            let expected = match path.rsplit('.').next() {
                Some("js") => "javascript",
                Some("css") => "text/css",
                _ => "image/",
            };
            assert!(kind.contains(expected), "{path} is {kind}");
        }
    }
    let initializer = get(&app, "/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(initializer.contains(DOCUMENT), "{initializer}");
    assert!(!initializer.contains("http://") && !initializer.contains("https://"), "{initializer}");
    crate::harness::problem(get(&app, "/docs/nothing.js").await, 404, "route_not_found").await;
}
