//! Values of a record, whatever the types in which its format writes them: CSV has only strings.

use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// A value by its name, or by its JSON Pointer if that begins with `/`. Null and empty values are absent.
pub(crate) fn value<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let found = match name.strip_prefix('/') {
        None => object.get(name),
        Some(pointer) => {
            let mut names = pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
            let mut found = object.get(&names.next()?);
            for name in names {
                found = match found? {
                    Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
                    Value::Object(object) => object.get(&name),
                    _ => None,
                };
            }
            found
        }
    };
    found.filter(|value| !is_empty(value))
}

pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// A string or number as text, without blanks around it.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A string or number as text.
pub(crate) fn text(object: &Object, name: &str) -> Option<String> {
    value(object, name).and_then(as_text)
}

/// The first of several names that has a text.
pub(crate) fn first_text(object: &Object, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(object, name))
}

/// A boolean, or a text or number that represents one. `None` if it is absent or something else.
pub(crate) fn flag(object: &Object, name: &str) -> Option<bool> {
    value(object, name).and_then(as_flag)
}

pub(crate) fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "on" | "enabled" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "off" | "disabled" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// An object, or the JSON of one in a string.
pub(crate) fn object(object: &Object, name: &str) -> Object {
    match value(object, name) {
        Some(Value::Object(nested)) => nested.clone(),
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
        _ => Object::new(),
    }
}

/// The elements of an array, or of the JSON of one in a string.
pub(crate) fn list(object: &Object, name: &str) -> Vec<Value> {
    match value(object, name) {
        Some(Value::Array(elements)) => elements.clone(),
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The objects among the elements of an array.
pub(crate) fn objects(parent: &Object, name: &str) -> Vec<Object> {
    let only_object = |value| if let Value::Object(object) = value { Some(object) } else { None };
    list(parent, name).into_iter().filter_map(only_object).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Object, flag, list, object, text, value};

    #[test]
    fn names_and_pointers() {
        let json = json!({"a": {"b/c": [1, {"d": " x "}]}, "/e": "no", "empty": " "});
        let json: Object = json.as_object().unwrap().clone();
        assert_eq!(text(&json, "/a/b~1c/1/d").as_deref(), Some("x"));
        assert_eq!(text(&json, "/a/b~1c/0").as_deref(), Some("1"));
        assert_eq!(value(&json, "/a/none/1"), None);
        assert_eq!(value(&json, "empty"), None);
    }

    #[test]
    fn values_of_csv_files() {
        let json = json!({"yes": "t", "no": "0", "other": "maybe", "object": "{\"a\":1}", "list": "[1]", "bad": "{"});
        let json: Object = json.as_object().unwrap().clone();
        assert_eq!((flag(&json, "yes"), flag(&json, "no"), flag(&json, "other")), (Some(true), Some(false), None));
        assert_eq!(object(&json, "object")["a"], 1);
        assert_eq!(list(&json, "list").len(), 1);
        assert!(object(&json, "bad").is_empty());
    }
}
