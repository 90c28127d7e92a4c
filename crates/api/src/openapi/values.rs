//! Strings of which there are only so many: lists in place of patterns, and schemas for the long ones.

use serde_json::{Map, Value, json};

use super::walk;

/// Replaces each pattern that is a list of words, `^(a|b)$`, with the list.
pub(super) fn list(document: &mut Value) {
    walk::objects(document, &mut |schema| {
        let Some(words) = schema.get("pattern").and_then(Value::as_str).and_then(words_of) else { return };
        let mut values: Vec<Value> = words.into_iter().map(Value::from).collect();
        if is_nullable(schema) {
            values.push(Value::Null);
        }
        schema.remove("pattern");
        schema.insert("enum".to_owned(), values.into());
    });
}

/// Adds the schema of a list of strings.
pub(super) fn add<'a>(document: &mut Value, name: &str, description: &str, values: impl IntoIterator<Item = &'a str>) {
    let values: Vec<&str> = values.into_iter().collect();
    let schema = json!({"type": "string", "description": description, "enum": values});
    walk::schemas(document).insert(name.to_owned(), schema);
}

/// Says of a property of one schema that it has a value of a list.
pub(super) fn refer(document: &mut Value, schema: &str, property: &str, list: &str) {
    let property = &mut walk::schemas(document)[schema]["properties"][property];
    assert!(property.is_object(), "there is no such property of {schema}");
    *property = referring(property, list);
}

/// Says of all arrays with one of these names that they have values of a list.
pub(super) fn refer_items(document: &mut Value, names: &[&str], list: &str) {
    walk::objects(document, &mut |object| {
        let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (_, property) in properties.iter_mut().filter(|(name, _)| names.contains(&name.as_str())) {
            if property["items"]["type"] == "string" {
                property["items"] = walk::reference(list);
            }
        }
    });
}

/// A reference with the description of what it replaces, which OpenAPI 3.1 allows beside it.
fn referring(property: &Value, list: &str) -> Value {
    let mut reference = walk::reference(list);
    if let Some(description) = property.get("description") {
        reference["description"] = description.clone();
    }
    reference
}

fn is_nullable(schema: &Map<String, Value>) -> bool {
    schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&json!("null")))
}

/// The words of a pattern that is nothing but a list of them.
fn words_of(pattern: &str) -> Option<Vec<&str>> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let inner = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(inner);
    let words: Vec<&str> = inner.split('|').collect();
    let is_word =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    words.iter().all(is_word).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_words_become_lists() {
        for (pattern, expected) in [
            ("^(active|disabled)$", Some(vec!["active", "disabled"])),
            ("^current$", Some(vec!["current"])),
            ("^[0-9a-f]{64}$", None),
            ("^(a|b[0-9])$", None),
            ("active|disabled", None),
        ] {
            assert_eq!(words_of(pattern), expected, "{pattern}");
        }
        let mut document =
            json!({"schema": {"type": ["string", "null"], "pattern": "^(a|b)$"}, "example": {"pattern": "^a$"}});
        list(&mut document);
        assert_eq!(document["schema"], json!({"type": ["string", "null"], "enum": ["a", "b", null]}));
        assert_eq!(document["example"], json!({"pattern": "^a$"}));
    }
}
