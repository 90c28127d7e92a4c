//! A JSON value without a JSON library: what a product keeps in a user's attributes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The members of a JSON object, in the order of their names.
pub type Object = BTreeMap<String, Value>;

/// A JSON value (RFC 8259).
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are JSON's own")]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Array(Vec<Value>),
    Object(Object),
}

/// Applies a JSON Merge Patch (RFC 7396 §2) to an object: null removes, an object merges, the rest replaces.
pub fn merge_patch(target: &mut Object, patch: Object) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(&name);
            }
            Value::Object(inner) => {
                let slot = target.entry(name).or_insert(Value::Null);
                if !matches!(slot, Value::Object(_)) {
                    *slot = Value::Object(Object::new());
                }
                if let Value::Object(object) = slot {
                    merge_patch(object, inner);
                }
            }
            other => {
                target.insert(name, other);
            }
        }
    }
}

/// How many values of a client's object are kept, at every depth. Twice what any object may hold: the rest of one that is
/// refused anyway does not take memory.
pub const VALUES_READ_MAX: usize = 1_024;

/// Reads an object or null, for `deserialize_with`. An object that names a member twice is refused: a map of the
/// standard library would silently keep the last one. Of an object with more than 1,024 values the first ones are kept.
///
/// # Errors
/// Another value than an object or null, and a member that is named twice.
pub fn object_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Object>, D::Error> {
    match (ValueVisitor { left: &Cell::new(VALUES_READ_MAX) }).deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Object(members) => Ok(Some(members)),
        _ => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Other("another value"), &"a JSON object")),
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(item)?;
                }
                sequence.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueVisitor { left: &Cell::new(usize::MAX) }.deserialize(deserializer)
    }
}

/// Reads a value, and keeps so many of the values in it.
struct ValueVisitor<'a> {
    left: &'a Cell<usize>,
}

impl ValueVisitor<'_> {
    fn keep_one(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Beyond 2⁶³ no common JSON reader keeps integers exactly (RFC 8259 §6).
        #[expect(clippy::cast_precision_loss, reason = "the nearest double is what readers see anyway")]
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while self.left.get() > 0 {
            let Some(item) = sequence.next_element_seed(ValueVisitor { left: self.left })? else {
                return Ok(Value::Array(items));
            };
            self.keep_one();
            items.push(item);
        }
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Object::new();
        while self.left.get() > 0 {
            let Some(name) = map.next_key::<String>()? else { return Ok(Value::Object(members)) };
            let value = map.next_value_seed(ValueVisitor { left: self.left })?;
            self.keep_one();
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("an object names a member twice"));
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, Value, merge_patch, object_or_null};
    use proptest::prelude::*;

    fn object(json: &str) -> Object {
        match serde_json::from_str(json).unwrap() {
            Value::Object(members) => members,
            other => panic!("{other:?} is not an object"),
        }
    }

    fn check(target: &str, patch: &str, expected: &str) {
        let mut merged = object(target);
        merge_patch(&mut merged, object(patch));
        assert_eq!(merged, object(expected), "{target} patched with {patch}");
    }

    #[test]
    fn the_examples_of_rfc_7396_appendix_a() {
        check(r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"a":null}"#, "{}");
        check(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#);
        check(r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#);
        check(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#);
        check(r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#);
        check("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#);
    }

    #[test]
    fn an_object_of_a_client_is_read_up_to_a_bound() {
        fn count(value: &Value) -> usize {
            match value {
                Value::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
                Value::Object(members) => members.values().map(|value| 1 + count(value)).sum(),
                _ => 0,
            }
        }
        let read = |json: &str| object_or_null(&mut serde_json::Deserializer::from_str(json)).unwrap().unwrap();
        for item in ["{}", "[]", r#"{"":0}"#, "[[0]]", "1"] {
            for (items, is_whole) in [(256, true), (100_000, false)] {
                let json = format!(r#"{{"a":[{}]}}"#, vec![item; items].join(","));
                let found = Value::Object(read(&json));
                let all = 1 + items * (1 + count(&serde_json::from_str(item).unwrap()));
                let kept = count(&found);
                assert!(if is_whole { kept == all } else { (1_024..1_030).contains(&kept) }, "{item}: {kept} of {all}");
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            "[a-z]{0,6}".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(Value::Object),
            ]
        })
    }

    fn any_object() -> impl Strategy<Value = Object> {
        prop::collection::btree_map("[a-d]", any_value(), 0..4)
    }

    proptest! {
        #[test]
        fn a_merge_patch_applied_twice_changes_nothing_more(target in any_object(), patch in any_object()) {
            let mut once = target;
            merge_patch(&mut once, patch.clone());
            let mut twice = once.clone();
            merge_patch(&mut twice, patch);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn text_and_value_agree(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
