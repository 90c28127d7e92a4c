//! The catalogue of events as documents: what is told is what they say.

use std::collections::BTreeSet;

use denizen_domain::events::EventType;
use denizen_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{TABLE, credential, send};
use crate::docs::{document, resolve};
use crate::harness::{Db, TestApp, on_both};
use crate::holders::Targets;

const SCHEMAS: &str = "/api/v1/events/schemas";

/// Notes what does not hold.
macro_rules! require {
    ($found:ident, $path:ident, $value:ident, $holds:expr, $what:expr) => {
        if !$holds {
            $found.push(format!("{}: {}: {}", $path, $what, $value));
        }
    };
}

/// What of a value a schema of ours does not allow; as much of JSON Schema as ours use. A field that no schema names is
/// taken for a mistake, although a receiver must take no notice of it.
fn faults(root: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut keywords: BTreeSet<&str> = schema.as_object().unwrap().keys().map(String::as_str).collect();
    keywords.remove("description");
    keywords.remove("examples");
    keywords.remove("title");
    let is_of = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type of ours"),
    };
    if keywords.remove("type") {
        let names = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        require!(found, path, value, names.iter().any(|name| is_of(name.as_str().unwrap())), "type");
    }
    if keywords.remove("const") {
        require!(found, path, value, schema["const"] == *value, "const");
    }
    if keywords.remove("enum") {
        require!(found, path, value, schema["enum"].as_array().unwrap().contains(value), "enum");
    }
    if keywords.remove("format") {
        let text = value.as_str().unwrap_or_default();
        let is_formed = match schema["format"].as_str().unwrap() {
            "uuid" => Uuid::try_parse(text).is_ok(),
            "date-time" => Timestamp::parse(text).is_some(),
            other => panic!("{other} is no format of ours"),
        };
        require!(found, path, value, is_formed, "format");
    }
    if keywords.remove("pattern") {
        let text = value.as_str().unwrap_or_default();
        let is_formed = match schema["pattern"].as_str().unwrap() {
            "^[A-Za-z0-9_-]{32}$" => {
                text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            }
            other => panic!("{other} is no pattern of ours"),
        };
        require!(found, path, value, is_formed, "pattern");
    }
    if keywords.remove("required") {
        let names = schema["required"].as_array().unwrap().iter();
        for name in names.map(|name| name.as_str().unwrap()) {
            require!(found, path, value, value.get(name).is_some(), name);
        }
    }
    if keywords.remove("properties") {
        for (name, member) in value.as_object().into_iter().flatten() {
            require!(found, path, value, schema["properties"].get(name).is_some(), "not named");
            if let Some(schema) = schema["properties"].get(name) {
                faults(root, schema, member, &format!("{path}.{name}"), found);
            }
        }
    }
    if keywords.remove("additionalProperties") {
        assert_eq!(schema["additionalProperties"], true, "{path} is open to fields of later releases");
    }
    if keywords.remove("items") {
        for item in value.as_array().into_iter().flatten() {
            faults(root, &schema["items"], item, &format!("{path}[]"), found);
        }
    }
    if keywords.remove("$ref") {
        let pointer = schema["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
        let of = root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"));
        faults(root, of, value, path, found);
    }
    assert!(keywords.is_empty(), "{keywords:?} are not looked at");
}

fn check(root: &Value, schema: &Value, event: &Value) {
    let mut found = Vec::new();
    faults(root, schema, event, "event", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

fn committed(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_committed_documents_are_those_of_the_types() {
    let schemas: Value = serde_json::from_str(&committed("schemas/events.json")).unwrap();
    assert_eq!(schemas, denizen::catalogue::schemas());
    assert_eq!(committed("docs/event-catalogue.md"), denizen::catalogue::page());
    let page = denizen::catalogue::page();
    for kind in EventType::ALL {
        let section = page.split(&format!("\n## `{}`\n", kind.as_str())).nth(1).unwrap_or_else(|| panic!("{kind:?}"));
        let section = section.split("\n## ").next().unwrap();
        assert!(kind.fields().iter().all(|field| section.contains(&format!("| `{}` |", field.name))), "{kind:?}");
        let example: Value =
            serde_json::from_str(section.split("```json").nth(1).unwrap().trim_end().trim_end_matches("```")).unwrap();
        check(&schemas, &schemas["$defs"][kind.as_str()], &example);
    }
}

#[test]
fn the_openapi_document_says_what_webhooks_send() {
    let document = document();
    let webhooks = document["webhooks"].as_object().unwrap();
    let named: BTreeSet<&str> = webhooks.keys().map(String::as_str).collect();
    assert_eq!(named, EventType::ALL.iter().map(|kind| kind.as_str()).collect());
    let schemas = denizen::catalogue::schemas();
    for (name, webhook) in webhooks {
        let reference =
            webhook["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let payload = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        check(&document, payload, &payload["examples"][0]);
        check(&schemas, &schemas["$defs"][name], &payload["examples"][0]);
        assert_eq!(payload["properties"]["type"]["enum"], json!([name]));
        assert!(webhook["post"]["responses"]["2XX"].is_object());
        let headers = webhook["post"]["parameters"].as_array().unwrap();
        assert_eq!(
            headers
                .iter()
                .map(|header| resolve(&document, header["$ref"].as_str().unwrap())["name"].as_str().unwrap())
                .collect::<Vec<_>>(),
            ["webhook-id", "webhook-timestamp", "webhook-signature",]
        );
    }
}

#[tokio::test]
async fn the_served_schemas_are_those_of_the_code() {
    let app = TestApp::start(Db::Sqlite).await;
    let response = app.request(Method::GET, SCHEMAS, None).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let tag = response.headers()["etag"].clone();
    assert_eq!(response.json::<Value>().await.unwrap(), denizen::catalogue::schemas());
    let again = app.request(Method::GET, SCHEMAS, None).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

on_both! {
    async fn every_event_that_is_told_is_as_its_schema_says(app: TestApp, "limits.sign_up_mails_per_hour" = "100000") {
        let schemas: Value = app.request(Method::GET, SCHEMAS, None).send().await.unwrap().json().await.unwrap();
        for row in TABLE {
            for who in ["oneself", "an admin"] {
                let targets = Targets::around(&app, app.user().await).await;
                let token = credential(&app, who, &targets).await;
                drop(send(&app, row.operation, &targets, token.as_deref()).await);
            }
        }
        let admin = app.admin().await;
        let mut next = Some("/api/v1/events?limit=200".to_owned());
        let mut told = BTreeSet::new();
        while let Some(path) = next {
            let response = app.get(&path, &admin.token).await;
            let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
            next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
            for event in response.json::<Vec<Value>>().await.unwrap() {
                let kind = event["type"].as_str().unwrap();
                let schema = &schemas["$defs"][kind];
                assert!(schema.is_object(), "{kind} is catalogued");
                check(&schemas, schema, &event);
                told.insert(kind.to_owned());
            }
        }
        assert!(told.len() > 20, "{told:?}");
    }
}
