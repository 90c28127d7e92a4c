//! The forms of values that code generators and fuzzers need: patterns of headers, cursors and tokens, objects that may have
//! any members, and no default that is `null`.

use serde_json::{Map, Value, json};

use super::walk;

/// The patterns of parameters: location, name, pattern.
const PARAMETERS: [(&str, &str, &str); 6] = [
    ("header", "If-Match", r#"^(\*|(W/)?"[!#-+\--~]*"( *, *(W/)?"[!#-+\--~]*")*)$"#),
    ("header", "Idempotency-Key", "^[!-~]{1,255}$"),
    ("header", "Last-Event-ID", CURSOR),
    ("header", "X-CSRF-Token", "^[A-Za-z0-9_-]+$"),
    ("query", "after", CURSOR),
    ("query", "ticket", "^dnt_[A-Za-z0-9_-]+$"),
];
/// A cursor: bytes in base64url.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
const REFRESH_TOKEN: &str = "^dnr_[A-Za-z0-9_-]+$";
const DEVICE_TOKEN: &str = "^dnd_[A-Za-z0-9_-]+$";
const ONE_TIME_TOKEN: &str = "^dno_[A-Za-z0-9_-]+$";
/// The patterns of properties: schema, property, pattern. Bodies that take any string and refuse most have one too; those
/// that ignore an invalid value do not.
const PROPERTIES: [(&str, &str, &str); 16] = [
    ("AcceptBody", "token", ONE_TIME_TOKEN),
    ("ChallengeBody", "challenge_id", "^dnc_[A-Za-z0-9_-]+$"),
    ("FollowBody", "token", ONE_TIME_TOKEN),
    ("IssuedKeyBody", "key", "^dnk_[A-Za-z0-9_-]+$"),
    ("IssuedWebhookBody", "secret", "^whsec_[A-Za-z0-9+/=]+$"),
    ("RecordBody", "cursor", CURSOR),
    ("RefreshBody", "refresh_token", REFRESH_TOKEN),
    ("ResetBody", "token", ONE_TIME_TOKEN),
    ("RevocationBody", "cursor", CURSOR),
    ("SignedInWithTokensBody", "refresh_token", REFRESH_TOKEN),
    ("SignedInWithTokensBody", "device_token", DEVICE_TOKEN),
    ("TicketBody", "ticket", "^dnt_[A-Za-z0-9_-]+$"),
    ("TokenBody", "token", ONE_TIME_TOKEN),
    ("TokenForm", "refresh_token", REFRESH_TOKEN),
    ("OAuthTokenBody", "refresh_token", REFRESH_TOKEN),
    ("VerificationBody", "token", ONE_TIME_TOKEN),
];

/// Adds the patterns.
pub(super) fn add_patterns(document: &mut Value) {
    for (schema, property, pattern) in PROPERTIES {
        let schema = &mut walk::schemas(document)[schema];
        let own = if schema["allOf"].is_array() { &mut schema["allOf"][1] } else { schema };
        let property = own["properties"].get_mut(property).and_then(Value::as_object_mut);
        property.expect("the property is there").insert("pattern".to_owned(), pattern.into());
    }
    walk::objects(document, &mut |parameter| {
        let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
        let (place, name) = (text("in"), text("name"));
        // A security scheme has a place and a name as well, and no schema.
        let known = PARAMETERS.iter().find(|(at, known, _)| *at == place && *known == name);
        let known = known.filter(|_| parameter.contains_key("schema"));
        let Some((_, _, pattern)) = known else { return };
        parameter.insert("schema".to_owned(), json!({"type": "string", "pattern": pattern}));
    });
}

/// Says of objects without known members that they may have any, and takes defaults of `null` away.
pub(super) fn open_objects(document: &mut Value) {
    walk::objects(document, &mut |schema| {
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        if is_object(schema) && !schema.contains_key("properties") {
            schema.entry("additionalProperties").or_insert(Value::Bool(true));
        }
    });
}

fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.contains(&json!("object")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_without_members_are_open() {
        let mut document = json!({
            "attributes": {"type": ["object", "null"], "default": null},
            "known": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
        });
        open_objects(&mut document);
        assert_eq!(document["attributes"], json!({"type": ["object", "null"], "additionalProperties": true}));
        assert_eq!(
            document["known"],
            json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}})
        );
    }
}
