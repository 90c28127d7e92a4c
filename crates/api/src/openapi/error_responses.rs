//! Error responses, each written once below `components/responses`.

use serde_json::{Map, Value, json};

use super::shared::{camel_case, put};

/// The schemas of errors, as they are called in the code.
const ERRORS: [(&str, &str); 2] =
    [("#/components/schemas/ErrorBody", ""), ("#/components/schemas/OAuthErrorBody", "OAuth")];

/// Moves every error response of an operation to the components, and refers to it.
pub(super) fn share(document: &mut Value) {
    let mut shared = Map::new();
    let paths = document["paths"].as_object_mut().expect("the document has paths");
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for responses in operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut()) {
        for (status, response) in responses {
            if let Some(name) = name_of(response, status) {
                let name = put(&mut shared, &name, response);
                *response = json!({"$ref": format!("#/components/responses/{name}")});
            }
        }
    }
    document["components"]["responses"] = Value::Object(shared);
}

/// The name of an error response: the code of its example. `None` for other responses.
fn name_of(response: &Value, status: &str) -> Option<String> {
    if status < "400" {
        return None;
    }
    let content = &response["content"]["application/json"];
    let (_, prefix) = ERRORS.into_iter().find(|(schema, _)| content["schema"]["$ref"] == *schema)?;
    let error = &content["example"]["error"];
    let code = error["code"].as_str().or(error.as_str())?;
    Some(format!("{prefix}{}", camel_case(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_responses_share_a_name_and_others_get_a_number() {
        let error = |code: &str, description: &str| {
            let content =
                json!({"schema": {"$ref": "#/components/schemas/ErrorBody"}, "example": {"error": {"code": code}}});
            json!({"description": description, "content": {"application/json": content}})
        };
        let mut document = json!({"components": {}, "paths": {
            "/a": {"get": {"responses": {"200": {"description": "ok"}, "403": error("not_yours", "one")}}},
            "/b": {"get": {"responses": {"403": error("not_yours", "one")}}, "put": {"responses": {"403": error("not_yours", "two")}}},
        }});
        share(&mut document);
        let at = |path: &str, method: &str| document["paths"][path][method]["responses"]["403"]["$ref"].clone();
        assert_eq!(at("/a", "get"), "#/components/responses/NotYours");
        assert_eq!(at("/b", "get"), "#/components/responses/NotYours");
        assert_eq!(at("/b", "put"), "#/components/responses/NotYours2");
        assert_eq!(document["paths"]["/a"]["get"]["responses"]["200"]["description"], "ok");
    }
}
