//! The names of schemas: those of the resources, without the suffix of the types in the code.

use std::collections::BTreeMap;

use serde_json::Value;

use super::walk;

const SUFFIX: &str = "Body";
const SCHEMAS: &str = "#/components/schemas/";

/// Removes the suffix from every schema, and from the references to it. A name that is taken stays as it is.
pub(super) fn without_suffix(document: &mut Value) {
    let schemas = walk::schemas(document);
    let mut renamed = BTreeMap::new();
    for old in schemas.keys().filter(|name| name.ends_with(SUFFIX)) {
        let new = old.trim_end_matches(SUFFIX);
        if !new.is_empty() && !schemas.contains_key(new) {
            renamed.insert(old.clone(), new.to_owned());
        }
    }
    for (old, new) in &renamed {
        if let Some(schema) = schemas.remove(old) {
            schemas.insert(new.clone(), schema);
        }
    }
    walk::objects(document, &mut |object| {
        if let Some(Value::String(reference)) = object.get_mut("$ref")
            && let Some(new) = reference.strip_prefix(SCHEMAS).and_then(|old| renamed.get(old))
        {
            *reference = format!("{SCHEMAS}{new}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_follow_their_schemas() {
        let mut document = json!({
            "paths": {"/users": {"schema": {"$ref": "#/components/schemas/UserBody"}}},
            "components": {"schemas": {"UserBody": {"type": "object"}, "Role": {}, "RoleBody": {}}},
        });
        without_suffix(&mut document);
        assert_eq!(document["paths"]["/users"]["schema"]["$ref"], "#/components/schemas/User");
        let names: Vec<_> = document["components"]["schemas"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["Role", "RoleBody", "User"]);
    }
}
