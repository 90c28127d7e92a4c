//! The events as JSON Schemas (2020-12).

use denizen_domain::events::catalogue::{FieldInfo, Form};
use denizen_domain::events::{ActorKind, EventType};
use serde_json::{Map, Value, json};

use super::example;

/// The schema of an event: one of the types, each of which is in `$defs` under its name.
///
/// Later versions may add fields: a schema allows more fields than it lists.
#[must_use]
pub fn schemas() -> Value {
    let definition = |kind: &EventType| (kind.as_str().to_owned(), schema(*kind));
    let actor = ("actor".to_owned(), actor());
    let definitions: Map<String, Value> = EventType::ALL.iter().map(definition).chain([actor]).collect();
    let reference = |kind: &EventType| json!({"$ref": format!("#/$defs/{}", kind.as_str())});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event",
        "description": "An event, as returned by lists, streams and webhooks.",
        "oneOf": EventType::ALL.iter().map(reference).collect::<Vec<_>>(),
        "$defs": definitions,
    })
}

fn actor() -> Value {
    let kinds: Vec<_> = ActorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json!({
        "description": "The actor.",
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": kinds},
            "id": {"description": "The id of the user or service account.", "type": "string", "format": "uuid"},
        },
    })
}

fn schema(kind: EventType) -> Value {
    let fields = kind.fields();
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| !field.is_optional).map(|field| field.name).collect();
    json!({
        "description": kind.description(),
        "type": "object",
        "required": ["cursor", "id", "type", "subject", "actor", "occurred_at", "data"],
        "properties": {
            "cursor": {"description": "The cursor of the event, for the parameter `after`.", "type": "string"},
            "id": {"description": "Unique identifier of the event.", "type": "string", "format": "uuid"},
            "type": {"const": kind.as_str()},
            "subject": {"description": "The resource that the event is about.", "type": ["string", "null"]},
            "actor": {"$ref": "#/$defs/actor"},
            "occurred_at": {"description": "The time of the event.", "type": "string", "format": "date-time"},
            "data": {"type": "object", "required": required, "properties": properties},
        },
        "examples": [example(kind)],
    })
}

fn property(field: &FieldInfo) -> Value {
    let mut schema = match field.form {
        Form::Text => json!({"type": "string"}),
        Form::Uuid => json!({"type": "string", "format": "uuid"}),
        Form::Moment => json!({"type": "string", "format": "date-time"}),
        Form::Flag => json!({"type": "boolean"}),
        Form::Texts => json!({"type": "array", "items": {"type": "string"}}),
    };
    schema["description"] = json!(field.description);
    if !field.values.is_empty() {
        schema["enum"] = json!(field.values);
    }
    schema
}
