//! Attributes of users as claims of access tokens, as the configuration chooses them.

use crate::users::{User, value_bytes};
use crate::value::{Object, Value};

/// The number of claims.
pub const CLAIMS_MAX: usize = 16;
/// The size of all claims in one token, in bytes of JSON.
pub const CLAIMS_BYTES_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 64;
/// How deep a path leads, which is as deep as attributes are nested.
const PATH_MAX: usize = 8;
/// Claims and members of introspection that have a meaning already (RFC 7519, RFC 7662, RFC 7800, RFC 8693, RFC 9068).
const RESERVED: [&str; 31] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "email",
    "email_verified",
    "client_id",
    "key_id",
    "auth_time",
    "acr",
    "amr",
    "role",
    "scope",
    "cnf",
    "act",
    "may_act",
    "azp",
    "nonce",
    "typ",
    "kind",
    "active",
    "username",
    "token_type",
    "at_hash",
    "c_hash",
    "events",
    "toe",
];

/// Claims that many services take for permissions (RFC 9068, RFC 9396). Users must not write them.
const RESERVED_FOR_APP_ATTRIBUTES: [&str; 5] =
    ["roles", "groups", "entitlements", "permissions", "authorization_details"];

/// The attributes that a claim is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Those that the user writes.
    Attributes,
    /// Those that only administrators and programs write.
    AppAttributes,
}

/// A claim that is taken from an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeClaim {
    name: String,
    source: Source,
    path: Vec<String>,
}

impl AttributeClaim {
    /// Reads `plan=app_attributes.plan`: the name of the claim, and the attribute. Names within the path are separated by
    /// dots. `None` for another form, for the name of a claim that has a meaning already, and for a claim of permissions
    /// from attributes that users write.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let (name, attribute) = raw.split_once('=')?;
        let (name, attribute) = (name.trim(), attribute.trim());
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte));
        if !is_name || RESERVED.contains(&name) {
            return None;
        }
        let (source, path) = attribute.split_once('.')?;
        let source = match source {
            "attributes" => Source::Attributes,
            "app_attributes" => Source::AppAttributes,
            _ => return None,
        };
        if source == Source::Attributes && RESERVED_FOR_APP_ATTRIBUTES.contains(&name) {
            return None;
        }
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        let is_path = path.len() <= PATH_MAX && path.iter().all(|part| !part.is_empty());
        is_path.then(|| Self { name: name.to_owned(), source, path })
    }

    /// The name of the claim.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The attribute; `None` if the user has none, or it is null.
    fn value_of<'a>(&self, user: &'a User) -> Option<&'a Value> {
        let object = match self.source {
            Source::Attributes => &user.attributes,
            Source::AppAttributes => &user.app_attributes,
        };
        let (last, parents) = self.path.split_last()?;
        let inner = |object: &'a Object, name: &String| match object.get(name) {
            Some(Value::Object(inner)) => Some(inner),
            _ => None,
        };
        let object = parents.iter().try_fold(object.as_object(), inner)?;
        object.get(last).filter(|value| **value != Value::Null)
    }
}

/// The claims of a user, in the order of the configuration. A claim that would exceed [`CLAIMS_BYTES_MAX`] is omitted: the
/// user must still be able to sign in.
pub(crate) fn claims_of(chosen: &[AttributeClaim], user: &User) -> Vec<(String, Value)> {
    let mut left = CLAIMS_BYTES_MAX;
    let mut claims = Vec::new();
    for claim in chosen {
        let Some(value) = claim.value_of(user) else { continue };
        // A comma, a colon and the quotation marks of the name.
        if let Some(rest) = left.checked_sub(claim.name.len() + 4 + value_bytes(value)) {
            left = rest;
            claims.push((claim.name.clone(), value.clone()));
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::AttributeClaim;

    #[test]
    fn users_write_no_claims_of_permissions() {
        for name in ["roles", "groups", "entitlements", "permissions", "authorization_details"] {
            assert_eq!(AttributeClaim::parse(&format!("{name}=attributes.{name}")), None);
            assert!(AttributeClaim::parse(&format!("{name}=app_attributes.{name}")).is_some());
        }
    }

    #[test]
    fn a_claim_names_an_attribute() {
        for raw in
            ["plan=app_attributes.plan", " plan = attributes.a.b ", "https://example.com/plan=app_attributes.plan"]
        {
            assert!(AttributeClaim::parse(raw).is_some(), "{raw}");
        }
        let long = format!("{}=attributes.a", "x".repeat(65));
        let deep = format!("x=attributes.{}", ["a"; 9].join("."));
        for raw in [
            "",
            "plan",
            "plan=",
            "=attributes.a",
            "plan=plan",
            "plan=attributes",
            "plan=attributes.",
            "plan=attributes.a..b",
            "plan=email.a",
            "role=attributes.role",
            "sub=app_attributes.id",
            "cnf=attributes.a",
            "active=attributes.a",
            "a b=attributes.a",
            "a\"=attributes.a",
            &long,
            &deep,
        ] {
            assert_eq!(AttributeClaim::parse(raw), None, "{raw}");
        }
    }
}
