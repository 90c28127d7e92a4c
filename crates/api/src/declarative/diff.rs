//! The differences between two states of a resource.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FieldChange {
    /// Its name; `settings.label` of a nested one.
    pub(crate) field: String,
    /// Whether it is a secret, whose values are not shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) secret: bool,
    /// The value in the database; `null` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Value>,
    /// The value of the document; `null` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Value>,
}

impl FieldChange {
    /// A secret that is set.
    pub(super) fn of_secret(field: &str) -> Self {
        Self { field: field.to_owned(), secret: true, before: None, after: None }
    }
}

/// The fields that differ, by name. Fields within objects are compared one by one.
pub(super) fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let (before, after) = (flat(before), flat(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (before.get(name), after.get(name));
        let is_same = before == after || (is_nothing(before) && is_nothing(after));
        let value = |value: Option<&&Value>| Some(value.map_or(Value::Null, |value| (*value).clone()));
        (!is_same).then(|| FieldChange {
            field: name.clone(),
            secret: false,
            before: value(before),
            after: value(after),
        })
    };
    names.into_iter().filter_map(change).collect()
}

fn is_nothing(value: Option<&&Value>) -> bool {
    value.is_none_or(|value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    })
}

fn flat(fields: &Map<String, Value>) -> BTreeMap<String, &Value> {
    fn add<'a>(path: &str, fields: &'a Map<String, Value>, flat: &mut BTreeMap<String, &'a Value>) {
        for (name, value) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match value {
                Value::Object(members) => add(&path, members, flat),
                other => drop(flat.insert(path, other)),
            }
        }
    }
    let mut flat = BTreeMap::new();
    add("", fields, &mut flat);
    flat
}

/// A value for readers: `[a, b]`, text without quotes, unless something in it could be misread.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !matches!(text, "none" | "null" | "true" | "false")
        && text.trim() == text
        && text.chars().all(|c| !c.is_control() && !matches!(c, '"' | '[' | ']' | ','))
        && text.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{differences, shown};

    fn compared(before: Value, after: Value) -> Vec<String> {
        let (Value::Object(before), Value::Object(after)) = (before, after) else { panic!("objects") };
        let line = |change: &super::FieldChange| {
            let shown = |value: &Option<Value>| value.as_ref().map(shown).unwrap_or_default();
            format!("{} {} → {}", change.field, shown(&change.before), shown(&change.after))
        };
        differences(&before, &after).iter().map(line).collect()
    }

    #[test]
    fn fields_are_compared_one_by_one() {
        assert_eq!(
            compared(
                json!({"types": ["a", "b"], "settings": {"label": "x", "claims": {}, "signup": true}, "same": 1}),
                json!({"types": ["a"], "settings": {"label": "1", "claims": {"name": "nick"}, "signup": true}, "same": 1})
            ),
            ["settings.claims.name none → nick", "settings.label x → \"1\"", "types [a, b] → [a]"]
        );
        assert_eq!(compared(json!({"a": null, "b": []}), json!({"b": null})), Vec::<String>::new());
    }

    #[test]
    fn a_value_that_could_be_misread_is_quoted() {
        for (value, expected) in [
            (json!(""), "\"\""),
            (json!("two\nlines"), "\"two\\nlines\""),
            (json!("a: b"), "a: b"),
            (json!("none"), "\"none\""),
            (json!(["a, b", "c"]), "[\"a, b\", c]"),
            (json!(false), "false"),
        ] {
            assert_eq!(shown(&value), expected);
        }
    }
}
