//! The event catalogue as documents, generated from the types: a Markdown page, JSON Schemas, and the `webhooks` of the
//! OpenAPI document.

mod markdown;
mod schemas;
mod webhooks;

pub use markdown::page;
pub use schemas::schemas;
pub(crate) use webhooks::describe;

use denizen_domain::events::EventType;
use denizen_domain::events::catalogue::{FieldInfo, Form};
use serde_json::{Map, Value, json};

const AN_ID: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
const ANOTHER_ID: &str = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50";
const A_KEY_ID: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
const A_MOMENT: &str = "2026-11-22T17:30:18.000001Z";

/// An example event of this type.
fn example(kind: EventType) -> Value {
    let data: Map<String, Value> =
        kind.fields().iter().map(|field| (field.name.to_owned(), example_of(kind, field))).collect();
    let subject = if kind.as_str().starts_with("signing_key.") { A_KEY_ID } else { AN_ID };
    json!({
        "cursor": "AAAAAAAAACrWxLK4J2BoTv5rEQfnkFLC",
        "id": ANOTHER_ID,
        "type": kind.as_str(),
        "subject": subject,
        "actor": {"type": "user", "id": AN_ID},
        "occurred_at": A_MOMENT,
        "data": data,
    })
}

fn example_of(kind: EventType, field: &FieldInfo) -> Value {
    if let Some(value) = field.values.first() {
        return json!(value);
    }
    match (field.form, field.name) {
        (Form::Uuid, _) => json!(ANOTHER_ID),
        (Form::Moment, _) => json!("2026-12-22T17:30:18Z"),
        (Form::Flag, _) => json!(true),
        (Form::Texts, "changed") => json!(["name"]),
        (Form::Texts, _) => json!(["users:read"]),
        (Form::Text, "email") => json!("ada@example.com"),
        (Form::Text, "previous_email") => json!("ada@old.example.com"),
        (Form::Text, "role") => json!("user"),
        (Form::Text, "name") if kind.as_str().starts_with("role.") => json!("editor"),
        (Form::Text, "name") => json!("Ada Lovelace"),
        (Form::Text, "label") => json!("My laptop"),
        (Form::Text, "locale") => json!("en"),
        (Form::Text, "host") => json!("hooks.example.com"),
        (Form::Text, _) => json!("text"),
    }
}
