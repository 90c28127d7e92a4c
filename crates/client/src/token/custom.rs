//! Claims without a method of their own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The claims that [`Claims`](crate::Claims) has methods for.
const KNOWN: [&str; 18] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "nbf",
    "cnf",
    "sid",
    "key_id",
    "client_id",
    "email",
    "email_verified",
    "auth_time",
    "acr",
    "amr",
    "role",
    "scope",
];

/// The other claims of a token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Custom(BTreeMap<Box<str>, Value>);

impl Custom {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Others)
    }
}

struct Others;

impl<'de> Visitor<'de> for Others {
    type Value = Custom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Custom, A::Error> {
        let mut others = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if KNOWN.contains(&name.as_str()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match others.entry(name.into_boxed_str()) {
                // Parsers disagree on the value of a repeated claim.
                Entry::Occupied(_) => return Err(A::Error::custom("a claim is repeated")),
                Entry::Vacant(place) => drop(place.insert(map.next_value()?)),
            }
        }
        Ok(Custom(others))
    }
}
