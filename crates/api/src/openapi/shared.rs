//! Parts of operations that are written once, below `components`, and referred to.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

/// Moves parameters and response headers that several operations have to the components.
pub(super) fn parameters_and_headers(document: &mut Value) {
    let mut uses = HashMap::new();
    each(document, &mut |_, _, part| *uses.entry(part.to_string()).or_insert(0_usize) += 1);
    let mut components = HashMap::<Kind, Map<String, Value>>::new();
    each(document, &mut |kind, name, part| {
        if uses.get(&part.to_string()).is_some_and(|count| *count > 1) {
            let shared = components.entry(kind).or_default();
            let name = put(shared, name, part);
            *part = json!({"$ref": format!("#/components/{}/{name}", kind.as_str())});
        }
    });
    for (kind, shared) in components {
        document["components"][kind.as_str()] = Value::Object(shared);
    }
}

/// Moves the security requirements that most operations have to the document, where they are the default.
pub(super) fn security(document: &mut Value) {
    let mut uses: BTreeMap<String, Vec<&mut Map<String, Value>>> = BTreeMap::new();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flat_map(Map::values_mut));
    for operation in operations.filter_map(Value::as_object_mut) {
        if let Some(security) = operation.get("security") {
            uses.entry(security.to_string()).or_default().push(operation);
        }
    }
    let Some(most) = uses.into_values().max_by_key(Vec::len) else { return };
    let mut default = Value::Null;
    for operation in most {
        default = operation.remove("security").unwrap_or_default();
    }
    document["security"] = default;
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Parameters,
    Headers,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Headers => "headers",
        }
    }
}

/// Calls `visit` with the kind, the name and the value of every parameter and every response header of the operations.
fn each(document: &mut Value, visit: &mut dyn FnMut(Kind, &str, &mut Value)) {
    let Some(document) = document.as_object_mut() else { return };
    let parts = document.iter_mut().filter(|(part, _)| ["paths", "webhooks"].contains(&part.as_str()));
    for (path, item) in parts.filter_map(|(_, items)| items.as_object_mut()).flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
                let name = parameter_name(path, parameter);
                visit(Kind::Parameters, &name, parameter);
            }
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten();
            for (_, response) in responses {
                let headers = response.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten();
                headers.for_each(|(name, header)| visit(Kind::Headers, &camel_case(name), header));
            }
        }
    }
}

/// The name of a parameter. Ids and names in a path are those of the collection before them.
fn parameter_name(path: &str, parameter: &Value) -> String {
    let name = parameter["name"].as_str().unwrap_or_default();
    let (before, _) = path.split_once(&format!("/{{{name}}}")).unwrap_or_default();
    let is_of_collection = parameter["in"] == "path" && ["id", "name"].contains(&name);
    let collection = before.rsplit('/').next().filter(|_| is_of_collection);
    format!("{}{}", camel_case(collection.unwrap_or_default()), camel_case(name))
}

/// Adds a component under its name; under a numbered one if a different component has the name.
pub(super) fn put(shared: &mut Map<String, Value>, name: &str, component: &Value) -> String {
    let mut candidate = name.to_owned();
    for number in 2.. {
        match shared.get(&candidate) {
            Some(existing) if existing != component => candidate = format!("{name}{number}"),
            Some(_) => break,
            None => {
                shared.insert(candidate.clone(), component.clone());
                break;
            }
        }
    }
    candidate
}

/// A name without separators, each word with a capital.
pub(super) fn camel_case(name: &str) -> String {
    let words = name.split(['_', '-']).filter_map(|word| {
        let mut letters = word.chars();
        let first = letters.next()?.to_ascii_uppercase();
        Some(std::iter::once(first).chain(letters).collect::<String>())
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_operations_have_the_security_of_the_document() {
        let operation = |scheme: &str| json!({"security": [{scheme: []}]});
        let mut document = json!({"paths": {
            "/a": {"get": operation("bearer"), "post": operation("client")},
            "/b": {"get": operation("bearer"), "post": {}},
        }});
        security(&mut document);
        assert_eq!(document["security"], json!([{"bearer": []}]));
        assert_eq!(document["paths"]["/a"]["get"]["security"], Value::Null);
        assert_eq!(document["paths"]["/a"]["post"]["security"], json!([{"client": []}]));
    }

    #[test]
    fn what_several_operations_have_is_written_once() {
        let limit = json!({"name": "limit", "in": "query", "schema": {"type": "integer"}});
        let id = json!({"name": "id", "in": "path", "schema": {"type": "string"}});
        let once = json!({"name": "q", "in": "query"});
        let responses = json!({"200": {"headers": {"X-Total-Count": {"schema": {"type": "integer"}}}}});
        let operation = |parameters: [&Value; 2]| json!({"get": {"parameters": parameters, "responses": responses}});
        let mut document = json!({"components": {}, "paths": {
            "/a/{id}": operation([&id, &limit]),
            "/a/{id}/b": operation([&id, &once]),
            "/c": operation([&limit, &once]),
        }});
        document["paths"]["/c"]["get"]["parameters"][1]["name"] = "other".into();
        parameters_and_headers(&mut document);
        let at = |path: &str, number: usize| document["paths"][path]["get"]["parameters"][number]["$ref"].clone();
        assert_eq!(
            (at("/a/{id}", 0), at("/a/{id}/b", 0)),
            ("#/components/parameters/AId".into(), "#/components/parameters/AId".into())
        );
        assert_eq!(
            (at("/a/{id}", 1), at("/c", 0)),
            ("#/components/parameters/Limit".into(), "#/components/parameters/Limit".into())
        );
        assert_eq!((at("/a/{id}/b", 1), at("/c", 1)), (Value::Null, Value::Null));
        assert_eq!(document["components"]["parameters"]["Limit"], limit);
        let header = &document["paths"]["/c"]["get"]["responses"]["200"]["headers"]["X-Total-Count"]["$ref"];
        assert_eq!(header, "#/components/headers/XTotalCount");
    }
}
