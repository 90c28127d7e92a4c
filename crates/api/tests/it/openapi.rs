//! The OpenAPI document as code generators and fuzzers read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::docs::{document, operations, resolve};

/// The whole document without line breaks.
const BYTES_MAX: usize = 410_000;

/// Calls `check` with every object of the document and its address; examples are no part of it.
fn each(value: &Value, at: &str, check: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            check(at, value);
            for (name, member) in members.iter().filter(|(name, _)| !["example", "examples"].contains(&name.as_str())) {
                each(member, &format!("{at}/{name}"), check);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, at, check)),
        _ => {}
    }
}

fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    resolve(document, &format!("#/components/schemas/{name}"))
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn schemas_have_names_without_suffix_and_all_are_used() {
    let document = document();
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!name.ends_with("Body"), "{name}");
        let reference = format!("\"#/components/schemas/{name}\"");
        let is_used = text.contains(&reference);
        assert!(is_used, "{name} is not used");
    }
    // Two bodies had this name in the code.
    let granted = &document["paths"]["/oauth2/token"]["post"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(granted["schema"]["$ref"], "#/components/schemas/OAuthToken");
    assert!(schema(&document, "OAuthToken")["properties"]["access_token"].is_object());
}

#[test]
fn errors_are_written_once() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                // A health check that fails has a report, not an error.
                let is_error = status.as_str() >= "400" && !(path.starts_with("/health") && status == "503");
                assert_eq!(response["$ref"].is_string(), is_error, "{method} {path} {status}");
            }
        }
    }
    let bytes = document.to_string().len();
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
}

#[test]
fn the_codes_of_errors_are_those_of_the_page() {
    let document = document();
    let page = include_str!("../../../../docs/errors.md");
    for (heading, name) in [("## Codes\n", "ErrorCode"), ("## Errors of OAuth\n", "OAuthErrorCode")] {
        let section = page.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(texts(&schema(&document, name)["enum"]), rows.collect::<BTreeSet<_>>(), "{name}");
    }
    let detail = &schema(&document, "ErrorDetail")["properties"]["code"];
    assert_eq!(detail["$ref"], "#/components/schemas/ErrorCode");
    let oauth = &schema(&document, "OAuthError")["properties"]["error"];
    assert_eq!(oauth["$ref"], "#/components/schemas/OAuthErrorCode");
}

#[test]
fn no_default_is_null_and_objects_without_known_members_are_open() {
    each(&document(), "", &mut |at, object| {
        assert!(object.get("default").is_none_or(|default| !default.is_null()), "{at}");
        let is_object = object["type"] == "object" || object["type"] == json!(["object", "null"]);
        let members = &object["additionalProperties"];
        let is_open = object["properties"].is_object() || *members == true || members.is_object();
        assert!(!is_object || is_open, "{at}");
    });
}

#[test]
fn null_is_allowed_where_it_is_accepted_or_sent() {
    let document = document();
    let is_nullable = |name: &str, property: &str| {
        let kind = &schema(&document, name)["properties"][property]["type"];
        assert!(!kind.is_null(), "{name} {property}");
        kind.as_array().is_some_and(|kinds| kinds.contains(&json!("null")))
    };
    for property in ["email", "name", "role", "status"] {
        assert!(!is_nullable("PatchUser", property), "{property}");
    }
    // They are removed by it.
    assert!(is_nullable("PatchUser", "locale") && is_nullable("PatchUser", "attributes"));
    for property in ["url", "types", "description", "status"] {
        assert!(!is_nullable("PatchWebhook", property), "{property}");
    }
    for (name, property) in [("User", "last_sign_in_at"), ("ApiKey", "expires_at"), ("Session", "label")] {
        assert!(is_nullable(name, property), "{name} {property}");
        assert!(texts(&schema(&document, name)["required"]).contains(property), "{name} always has {property}");
    }
    for property in ["client_id", "email_verified", "exp", "username"] {
        assert!(!is_nullable("Introspection", property), "{property} is absent rather than null");
    }
}

#[test]
fn words_are_listed() {
    let document = document();
    let listed = |name: &str, property: &str| schema(&document, name)["properties"][property]["enum"].clone();
    assert_eq!(listed("User", "status"), json!(["active", "disabled", "invited"]));
    assert_eq!(listed("PatchUser", "status"), json!(["active", "disabled"]));
    assert_eq!(listed("SigningKey", "algorithm"), json!(["ES256", "EdDSA", "RS256"]));
    assert_eq!(listed("CreateRole", "second_factor"), json!(["optional", "required", "passkey", null]));
    let items = |name: &str, property: &str| schema(&document, name)["properties"][property]["items"]["$ref"].clone();
    for (name, property) in [("Role", "permissions"), ("ApiKey", "scopes"), ("CreateApiKey", "scopes")] {
        assert_eq!(items(name, property), "#/components/schemas/PermissionName", "{name}");
    }
    assert_eq!(items("Challenge", "factors"), "#/components/schemas/Factor");
}

#[test]
fn tokens_and_cookies_are_alternatives() {
    let document = document();
    let alternatives = schema(&document, "SignedIn")["oneOf"].as_array().unwrap();
    let alternatives: Vec<&str> = alternatives.iter().map(|one| one["$ref"].as_str().unwrap()).collect();
    let expected = ["#/components/schemas/SignedInWithTokens", "#/components/schemas/SignedInWithCookies"];
    assert_eq!(alternatives, expected);
    let tokens = schema(&document, "SignedInWithTokens");
    assert!(texts(&tokens["required"]).is_superset(&BTreeSet::from(["access_token", "refresh_token", "token_type"])));
    let cookies = schema(&document, "SignedInWithCookies");
    assert!(texts(&cookies["required"]).contains("csrf_token") && cookies["properties"]["access_token"].is_null());
}

#[test]
fn events_are_typed_and_webhooks_ask_for_no_credentials() {
    let document = document();
    let webhooks = document["webhooks"].as_object().unwrap();
    let mapping = schema(&document, "Event")["discriminator"]["mapping"].as_object().unwrap();
    assert_eq!(webhooks.keys().collect::<BTreeSet<_>>(), mapping.keys().collect::<BTreeSet<_>>());
    for (kind, webhook) in webhooks {
        assert_eq!(webhook["post"]["security"], json!([]), "{kind}");
        let event = resolve(&document, mapping[kind].as_str().unwrap());
        assert_eq!(event["properties"]["type"]["enum"], json!([kind]));
        assert!(event["properties"]["data"]["$ref"].is_string(), "{kind}");
    }
    let data = schema(&document, "Record")["properties"]["data"]["anyOf"].as_array().unwrap();
    assert_eq!(data.len(), mapping.len());
}

#[test]
fn headers_cursors_and_tokens_have_patterns() {
    let document = document();
    let ignoring = ["sessions.", "challenges.", "events.tickets", "me.", "oauth2.", "password_resets.create"];
    for operation in operations(&document) {
        for parameter in operation.body["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            if ["If-Match", "Idempotency-Key", "Last-Event-ID", "after", "ticket"].contains(&name) {
                assert!(parameter["schema"]["pattern"].is_string(), "{} {name}", operation.id);
            }
            let is_ignored = ignoring.iter().any(|prefix| operation.id.starts_with(prefix));
            assert!(name != "Idempotency-Key" || !is_ignored, "{} ignores it", operation.id);
        }
    }
    for (name, property) in [("Refresh", "refresh_token"), ("Reset", "token"), ("Ticket", "ticket"), ("Token", "token")]
    {
        assert!(schema(&document, name)["properties"][property]["pattern"].is_string(), "{name}");
    }
}
