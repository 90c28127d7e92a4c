//! The JSON Schema of documents, from the types of the REST API.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::SECTIONS;

/// Where the REST API keeps its schemas, and where this document does.
const REFERENCES: (&str, &str) = ("#/components/schemas/", "#/$defs/");
/// The schema of one resource, and the schemas that it refers to.
pub(crate) struct ItemSchema {
    object: Map<String, Value>,
    definitions: Map<String, Value>,
}

impl ItemSchema {
    /// The schema of a type of the REST API.
    pub(super) fn of<T: ToSchema>() -> Self {
        let value = |schema| {
            let text = serde_json::to_string(&schema).expect("a schema is JSON").replace(REFERENCES.0, REFERENCES.1);
            serde_json::from_str::<Map<String, Value>>(&text).expect("a schema is an object")
        };
        let mut object = value(T::schema());
        object.remove("example");
        drop_null_defaults(&mut object);
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
        let mut referenced = Vec::new();
        T::schemas(&mut referenced);
        let definition = |(name, schema)| {
            let mut definition = value(schema);
            definition.remove("example");
            drop_null_defaults(&mut definition);
            (name, Value::Object(definition))
        };
        Self { object, definitions: referenced.into_iter().map(definition).collect() }
    }

    /// Adds a property.
    pub(super) fn with(mut self, name: &str, property: Value) -> Self {
        self.properties_mut().insert(name.to_owned(), property);
        self
    }

    /// Makes a property required.
    pub(super) fn requiring(mut self, name: &str) -> Self {
        let required = self.object.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(names) = required
            && !names.iter().any(|known| known == name)
        {
            names.insert(0, name.into());
        }
        self
    }

    /// Makes a property required only if the schema `unless` does not hold.
    pub(super) fn requiring_unless(mut self, name: &str, unless: Value) -> Self {
        if let Some(Value::Array(names)) = self.object.get_mut("required") {
            names.retain(|known| known != name);
        }
        self.object.insert("if".to_owned(), unless);
        self.object.insert("else".to_owned(), json!({"required": [name]}));
        self
    }

    /// The names of the properties of a resource, or of an object within it.
    pub(super) fn names(&self, within: &str) -> Vec<&str> {
        let own = self.object.get("properties");
        let properties = within.split('.').filter(|part| !part.is_empty()).try_fold(own, |properties, name| {
            let property = properties?.get(name)?;
            let target = match reference_of(property) {
                Some(reference) => self.definitions.get(reference)?,
                None => property,
            };
            Some(target.get("properties"))
        });
        let properties = properties.flatten().and_then(Value::as_object);
        properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn properties_mut(&mut self) -> &mut Map<String, Value> {
        let properties = self.object.entry("properties").or_insert_with(|| json!({}));
        properties.as_object_mut().expect("properties are an object")
    }
}

/// An optional property is absent by default, and not `null`.
fn drop_null_defaults(schema: &mut Map<String, Value>) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        property.retain(|name, value| name != "default" || !value.is_null());
    }
}

/// The name of the schema that a property refers to.
fn reference_of(property: &Value) -> Option<&str> {
    property.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(REFERENCES.1))
}

/// The schema of a document.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut properties = Map::new();
    properties.insert("version".to_owned(), json!({"description": "The version of the format.", "const": 1}));
    for section in SECTIONS {
        let (info, mut item) = (section.info(), section.schema());
        item.object.insert("description".to_owned(), format!("A {}.", info.singular).into());
        let description = format!("The {}s. If the key is omitted, they are not managed.", info.singular);
        let reference = json!({"$ref": format!("#/$defs/{}", info.section)});
        let property = json!({"description": description, "type": "array", "items": reference});
        properties.insert(info.section.to_owned(), property);
        definitions.insert(info.section.to_owned(), Value::Object(item.object));
        definitions.extend(item.definitions);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Denizen configuration",
        "description": "Resources that `denizen apply` creates, changes and deletes.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": definitions,
    })
}
