//! The JSON objects of a user for data of the application, and their bounds.

use crate::error::RuleBroken;
use crate::value::{Object, Value, merge_patch};

/// The most bytes of names and strings in it, each value counting eight more.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;
/// The most values in it, at every depth.
pub const ATTRIBUTES_VALUES_MAX: usize = 512;
/// How deep it may nest, the object itself counting one.
pub const ATTRIBUTES_DEPTH_MAX: usize = 8;

/// A bounded JSON object of a user.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes(Object);

impl Attributes {
    /// An object within the bounds.
    ///
    /// # Errors
    /// `too_large` or `too_deep`.
    pub fn parse(object: Object) -> Result<Self, RuleBroken> {
        let mut size = Size::default();
        size.add_object(&object, 1)?;
        Ok(Self(object))
    }

    /// Takes over what a store kept.
    #[must_use]
    pub fn from_stored(object: Object) -> Self {
        Self(object)
    }

    /// These attributes after a JSON Merge Patch (RFC 7396), if the patch and the result are within the bounds.
    ///
    /// # Errors
    /// `too_large` or `too_deep`.
    pub fn merged(&self, patch: Object) -> Result<Self, RuleBroken> {
        Size::default().add_object(&patch, 1)?;
        let mut object = self.0.clone();
        merge_patch(&mut object, patch);
        Self::parse(object)
    }

    /// How many bytes a store keeps for it, roughly: those of its JSON text; none when it is empty.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        if self.0.is_empty() { 0 } else { object_bytes(&self.0) }
    }

    /// The object, given up.
    #[must_use]
    pub fn into_object(self) -> Object {
        self.0
    }

    /// The object itself.
    #[must_use]
    pub fn as_object(&self) -> &Object {
        &self.0
    }
}

fn object_bytes(object: &Object) -> usize {
    2 + object.iter().map(|(name, value)| text_bytes(name) + 2 + value_bytes(value)).sum::<usize>()
}

/// The size of a value as JSON text, at most.
pub(crate) fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Integer(_) => 20,
        Value::Float(_) => 25,
        Value::String(text) => text_bytes(text),
        Value::Array(items) => 2 + items.iter().map(|item| value_bytes(item) + 1).sum::<usize>(),
        Value::Object(object) => object_bytes(object),
    }
}

/// A string in JSON: control characters take six bytes.
fn text_bytes(text: &str) -> usize {
    let bytes = |character: char| match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..' ' => 6,
        other => other.len_utf8(),
    };
    2 + text.chars().map(bytes).sum::<usize>()
}

#[derive(Default)]
struct Size {
    values: usize,
    bytes: usize,
}

impl Size {
    fn add_object(&mut self, object: &Object, depth: usize) -> Result<(), RuleBroken> {
        if depth > ATTRIBUTES_DEPTH_MAX {
            let message = format!("must nest at most {ATTRIBUTES_DEPTH_MAX} levels deep");
            return Err(RuleBroken::new("too_deep", message));
        }
        for (name, value) in object {
            self.bytes += name.len();
            self.add(value, depth)?;
        }
        Ok(())
    }

    fn add(&mut self, value: &Value, depth: usize) -> Result<(), RuleBroken> {
        self.values += 1;
        self.bytes += 8;
        if let Value::String(text) = value {
            self.bytes += text.len();
        }
        if self.values > ATTRIBUTES_VALUES_MAX || self.bytes > ATTRIBUTES_BYTES_MAX {
            let message =
                format!("must contain at most {ATTRIBUTES_VALUES_MAX} values and {ATTRIBUTES_BYTES_MAX} bytes");
            return Err(RuleBroken::new("too_large", message));
        }
        match value {
            Value::Object(object) => self.add_object(object, depth + 1),
            Value::Array(_) if depth >= ATTRIBUTES_DEPTH_MAX => self.add_object(&Object::new(), depth + 1),
            Value::Array(items) => items.iter().try_for_each(|item| self.add(item, depth + 1)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;
    use crate::value::{Object, Value};

    fn nested(levels: usize) -> Object {
        (1..levels).fold(Object::new(), |inner, _| Object::from([("a".to_owned(), Value::Object(inner))]))
    }

    #[test]
    fn what_is_stored_is_counted_as_json() {
        let stored = |value| Attributes(Object::from([("note".to_owned(), value)])).stored_bytes();
        assert_eq!(Attributes::default().stored_bytes(), 0);
        assert_eq!(stored(Value::String("x".repeat(100))), r#"{"note":"","#.len() + 100 + 1);
        assert_eq!(stored(Value::String("\u{1}".repeat(100))) - stored(Value::String(String::new())), 600);
        assert_eq!(stored(Value::Array(vec![Value::Null; 10])) - stored(Value::Array(Vec::new())), 60);
    }

    #[test]
    fn bounds_hold() {
        let code = |object| Attributes::parse(object).err().map(|rule| rule.code);
        assert_eq!(code(nested(8)), None);
        assert_eq!(code(nested(9)), Some("too_deep"));
        let wide = |n: usize| (0..n).map(|i| (i.to_string(), Value::Null)).collect();
        assert_eq!(code(wide(512)), None);
        assert_eq!(code(wide(513)), Some("too_large"));
        assert_eq!(code(Object::from([("a".into(), Value::String("x".repeat(17_000)))])), Some("too_large"));
    }
}
