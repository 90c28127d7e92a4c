//! Visits the objects of a document.

use serde_json::{Map, Value};

/// The members that hold values of the API rather than parts of the document.
const VALUES: [&str; 4] = ["example", "examples", "default", "enum"];

/// Calls `visit` with every object, parents first.
pub(super) fn objects(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            for (name, member) in members {
                if !VALUES.contains(&name.as_str()) {
                    objects(member, visit);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| objects(item, visit)),
        _ => {}
    }
}

/// The schemas of the document by name.
pub(super) fn schemas(document: &mut Value) -> &mut Map<String, Value> {
    document["components"]["schemas"].as_object_mut().expect("the document has schemas")
}

/// A reference to a schema.
pub(super) fn reference(schema: &str) -> Value {
    serde_json::json!({"$ref": format!("#/components/schemas/{schema}")})
}
