//! Refuses integers of more than 64 bits: they would be read as the nearest double, and lose digits silently.

use std::fmt;

use denizen_domain::error::FieldError;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// 2⁶³.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// The first integer in a JSON text that is not within 64 bits, sign included.
pub(super) fn find_too_long(text: &[u8]) -> Option<FieldError> {
    if !has_too_long(text) {
        return None;
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let error = serde_path_to_error::deserialize::<_, Bounded>(&mut json).err()?;
    if !error.inner().is_data() {
        return None;
    }
    // A text that is nothing but a number has the wrong form, whatever its length.
    let path = Some(error.path().to_string()).filter(|path| path != ".")?;
    let message = "must be an integer from -9223372036854775808 to 9223372036854775807; send larger numbers as strings";
    Some(FieldError::new(path, "out_of_range", message))
}

/// Looks for a literal of digits alone, outside of strings, that is no `i64`.
fn has_too_long(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at + 1),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = text[at..].iter().take_while(|byte| is_part(byte)).count();
                let literal = &text[at..at + length];
                let is_integer = !literal.iter().any(|byte| b".eE".contains(byte));
                let literal = std::str::from_utf8(literal).unwrap_or_default();
                if is_integer && length > 18 && literal.parse::<i64>().is_err() {
                    return true;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    false
}

/// Where the string that has begun ends.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Any value whose integers are within 64 bits.
struct Bounded;

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self, E> {
        i64::try_from(value).map(|_| self).map_err(|_| E::custom("beyond 64 bits"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self, E> {
        if value.fract() == 0.0 && value.abs() >= BEYOND { Err(E::custom("beyond 64 bits")) } else { Ok(self) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<String, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::find_too_long;

    fn field(text: &str) -> Option<String> {
        find_too_long(text.as_bytes()).map(|fault| fault.field)
    }

    #[test]
    fn integers_beyond_64_bits_are_found_where_they_are() {
        for (text, expected) in [
            (r#"{"a":9223372036854775808}"#, "a"),
            (r#"{"a":{"b":[1,18446744073709551617]}}"#, "a.b[1]"),
            (r#"{"a":-9223372036854775809}"#, "a"),
            (r#"{"a":100000000000000000000000000000}"#, "a"),
        ] {
            assert_eq!(field(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            r#"{"a":9223372036854775807,"b":-9223372036854775808}"#,
            r#"{"a":1e30,"b":12345678901234567890.5,"c":1.5}"#,
            r#"{"a":"18446744073709551617","18446744073709551617":1,"b":"\"18446744073709551617"}"#,
            "18446744073709551617x",
            "",
            "\"",
            "\"\\",
        ] {
            assert_eq!(field(text), None, "{text}");
        }
    }
}
