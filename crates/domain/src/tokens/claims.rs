//! Attributes of users as claims of access tokens, as configured in `tokens.claims`.

use crate::users::{User, value_bytes};
use crate::value::{Object, Value};

/// The maximum number of claims.
pub const CLAIMS_MAX: usize = 16;
/// The maximum size of all claims in one token, in bytes of JSON.
pub const CLAIMS_BYTES_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 64;
/// The maximum number of names in a path: the maximum depth of attributes.
const PATH_MAX: usize = 8;
/// Claims and members of introspection with a standard meaning (RFC 7519, RFC 7662, RFC 7800, RFC 8693, RFC 9068).
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

/// Claims that many services treat as permissions (RFC 9068, RFC 9396). Users must not write them.
const RESERVED_FOR_APP_ATTRIBUTES: [&str; 5] =
    ["roles", "groups", "entitlements", "permissions", "authorization_details"];

/// The object that contains the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The user can write it.
    Attributes,
    /// Only administrators and programs can write it.
    AppAttributes,
}

/// A claim whose value is an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeClaim {
    name: String,
    source: Source,
    path: Vec<String>,
}

impl AttributeClaim {
    /// Parses `plan=app_attributes.plan`: the name of the claim, and the attribute. The names in its path are separated
    /// by dots. `None` if the form is wrong, if the name is reserved, or if users could write their own permissions.
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
pub(crate) fn claims_of(configured: &[AttributeClaim], user: &User) -> Vec<(String, Value)> {
    let mut left = CLAIMS_BYTES_MAX;
    let mut claims = Vec::new();
    for claim in configured {
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
    fn permission_claims_are_allowed_from_app_attributes_only() {
        for name in ["roles", "groups", "entitlements", "permissions", "authorization_details"] {
            assert_eq!(AttributeClaim::parse(&format!("{name}=attributes.{name}")), None);
            assert!(AttributeClaim::parse(&format!("{name}=app_attributes.{name}")).is_some());
        }
    }

    #[test]
    fn valid_claims_are_parsed_and_others_rejected() {
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
