//! JSON objects without duplicate names, which RFC 8259 §4 leaves undefined.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::fields::Object;

const DUPLICATE: &str = "duplicate name in a JSON object: ";

/// Reads one JSON object. The outer error is a syntax error, the inner one another type of value or a
/// duplicate name.
pub(super) fn parse(json: &[u8]) -> Result<Result<Object, String>, String> {
    match serde_json::from_slice::<Strict>(json) {
        Ok(Strict(Value::Object(object))) => Ok(Ok(object)),
        Ok(_) => Ok(Err("not a JSON object".to_owned())),
        Err(error) => {
            let text = error.to_string();
            match text.strip_prefix(DUPLICATE) {
                Some(rest) => Ok(Err(format!("{DUPLICATE}{}", rest.split(" at line").next().unwrap_or_default()))),
                None => Err(format!("invalid JSON at column {}", error.column())),
            }
        }
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
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
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                let name: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format_args!("{DUPLICATE}{name}")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn duplicate_names_are_refused_at_every_depth() {
        for json in [r#"{"a":1,"a":2}"#, r#"{"b":[{"a":1,"a":2}]}"#, r#"{"a":1,"\u0061":2}"#] {
            let error = parse(json.as_bytes()).unwrap().unwrap_err();
            assert_eq!(error, "duplicate name in a JSON object: a", "{json}");
        }
    }

    #[test]
    fn other_values_and_syntax_errors() {
        assert!(parse(b"[1]").unwrap().is_err());
        assert!(parse(b"{").is_err());
        assert!(parse(b"{} x").is_err());
        assert_eq!(parse(br#"{"a":[1,-1,1.5,null,true,"x",{}]}"#).unwrap().unwrap()["a"].as_array().unwrap().len(), 7);
    }
}
