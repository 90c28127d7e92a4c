//! Groups of operations, with one method for each.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

use super::names::{camel, comment, snake};
use super::types::{Types, named, reference};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Without a group: documents and forms of OAuth 2, which have their own libraries, and health checks.
const SKIPPED_GROUPS: [&str; 3] = ["metadata", "oauth2", "health"];

/// The operations whose ids begin with one name.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) code: String,
}

struct Operation<'a> {
    id: &'a str,
    method: &'a str,
    path: &'a str,
    group: &'a str,
    value: &'a Value,
    /// Parameters that several operations have.
    shared_parameters: &'a Value,
}

/// All groups, by name.
pub(super) fn groups<'a>(document: &'a Value, types: &mut Types<'a>) -> anyhow::Result<Vec<Group>> {
    let mut groups: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    let paths = document["paths"].as_object().context("the document has no paths")?;
    for (path, item) in paths {
        for method in METHODS {
            let Some(value) = item.get(method) else { continue };
            let id = value["operationId"].as_str().with_context(|| format!("{method} {path} has no operationId"))?;
            let (group, _) = id.split_once('.').with_context(|| format!("{id} must have a group"))?;
            let shared_parameters = &document["components"]["parameters"];
            let operation = Operation { id, method, path, group, value, shared_parameters };
            if !SKIPPED_GROUPS.contains(&group) && operation.is_json() {
                operation.record(types);
                groups.entry(group).or_default().push(operation);
            }
        }
    }
    let mut written = Vec::new();
    for (name, operations) in groups {
        let type_name = format!("{}Api", camel(name));
        let (mut methods, mut queries) = (String::new(), String::new());
        for operation in &operations {
            let written = operation.write(&mut queries);
            methods += &written.with_context(|| format!("operation {}", operation.id))?;
        }
        let code = format!(
            "/// The operations of the group `{name}`.\n#[derive(Debug, Clone, Copy)]\npub struct {type_name}<'a> {{\n\
             pub(super) api: &'a Api,\n}}\n\nimpl<'a> {type_name}<'a> {{\n{methods}}}\n\n{queries}"
        );
        written.push(Group { name: name.to_owned(), type_name, code });
    }
    Ok(written)
}

impl<'a> Operation<'a> {
    /// The successful responses: the schema of each, if it has a body.
    fn successes(&self) -> Vec<(&'a str, Option<&'a Value>)> {
        let responses = self.value["responses"].as_object();
        let successes = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
        successes
            .map(|(status, response)| {
                let content = response["content"].as_object().and_then(|content| content.values().next());
                (status.as_str(), content.map(|content| &content["schema"]))
            })
            .collect()
    }

    /// Whether bodies are JSON. Streams, pages, redirects and files are not.
    fn is_json(&self) -> bool {
        let is_json =
            |content: &Value| content.as_object().is_none_or(|content| content.contains_key("application/json"));
        let responses = self.value["responses"].as_object();
        let mut successes = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2')).peekable();
        successes.peek().is_some()
            && successes.all(|(_, response)| is_json(&response["content"]))
            && is_json(&self.value["requestBody"]["content"])
    }

    fn body(&self) -> Option<&'a Value> {
        let content = self.value["requestBody"]["content"].as_object()?;
        content.get("application/json").map(|content| &content["schema"])
    }

    fn parameters(&self, place: &'a str) -> impl Iterator<Item = &'a Value> {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|parameter| match parameter["$ref"].as_str() {
            Some(reference) => &self.shared_parameters[reference.rsplit('/').next().unwrap_or_default()],
            None => parameter,
        });
        parameters.filter(move |parameter| parameter["in"] == place)
    }

    fn has_header(&self, name: &str) -> bool {
        self.parameters("header").any(|parameter| parameter["name"] == name)
    }

    fn record(&self, types: &mut Types<'a>) {
        if let Some(body) = self.body() {
            types.record(body, self.group, true);
        }
        for (_, schema) in self.successes() {
            if let Some(schema) = schema {
                types.record(schema, self.group, false);
            }
        }
    }

    fn method_name(&self) -> String {
        snake(self.id.split_once('.').map_or(self.id, |(_, name)| name))
    }

    /// The method, and the type of its query.
    fn write(&self, queries: &mut String) -> anyhow::Result<String> {
        let method_name = self.method_name();
        let (mut arguments, mut path, mut steps) = (vec!["&self".to_owned()], self.path.to_owned(), String::new());
        let mut segments = Vec::new();
        for parameter in self.parameters("path") {
            let wire = parameter["name"].as_str().context("a parameter has no name")?;
            let name = snake(wire);
            let is_uuid = named(&parameter["schema"])? == "Uuid";
            arguments.push(format!("{name}: {}", if is_uuid { "Uuid" } else { "&str" }));
            let place = if is_uuid { format!("{{{name}}}") } else { "{}".to_owned() };
            path = path.replace(&format!("{{{wire}}}"), &place);
            if !is_uuid {
                segments.push(format!("encode({name})"));
            }
        }
        // An operation on one resource keeps its method when it gains options; they have a second method.
        let has_query = self.parameters("query").next().is_some();
        let has_options = has_query && self.parameters("path").next().is_some() && self.result()?.0 == "Call";
        let mut query = None;
        if has_query {
            let name = format!("{}{}Query", camel(self.group), camel(&method_name));
            *queries += &self.query(&name, if has_options { "_with" } else { "" })?;
            query = Some((format!("query: &{name}"), ".query(query.pairs())"));
        }
        if let Some((argument, step)) = query.take_if(|_| !has_options) {
            arguments.push(argument);
            steps += step;
        }
        if let Some(body) = self.body() {
            arguments.push(format!("body: &{}", reference(body).context("a body must be a reference")?));
            steps += ".body(body)";
        }
        if self.has_header("Idempotency-Key") {
            steps += ".repeatable()";
        }
        let path = match (path.contains('{'), segments.as_slice()) {
            (false, _) => format!("{path:?}.to_owned()"),
            (true, []) => format!("format!({path:?})"),
            (true, segments) => format!("format!({path:?}, {})", segments.join(", ")),
        };
        let (kind, result) = self.result()?;
        let limit = self.parameters("query").find(|parameter| parameter["name"] == "limit");
        if kind == "List" {
            let limit = limit.and_then(|limit| limit["schema"]["maximum"].as_i64()).context("a list needs a limit")?;
            steps += &format!(".pages({limit})");
        }
        let doc = [self.value["summary"].as_str(), self.value["description"].as_str()];
        let doc = doc.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
        let verb = camel(self.method);
        let method = |name: &str, doc: &str, arguments: &[String], steps: &str| {
            format!(
                "{}pub fn {name}({}) -> {kind}<'a, {result}> {{\nCall::new(self.api, Method::{verb}, {path}){steps}\n\
                 }}\n\n",
                comment(&format!("{doc}\n\n`{} {}`", self.method.to_uppercase(), self.path)),
                arguments.join(", ")
            )
        };
        let mut methods = method(&method_name, &doc, &arguments, &steps);
        if let Some((argument, step)) = query {
            arguments.push(argument);
            let doc = format!("The same as [`Self::{method_name}`], with options.");
            methods += &method(&format!("{method_name}_with"), &doc, &arguments, &(steps + step));
        }
        Ok(methods)
    }

    /// The type that is returned, and what it leads to.
    fn result(&self) -> anyhow::Result<(&'static str, String)> {
        let successes = self.successes();
        let bodies: Vec<_> = successes.iter().filter_map(|(_, schema)| *schema).collect();
        let is_paged = self.value["responses"]["200"]["headers"]["Link"].is_object();
        Ok(match bodies.as_slice() {
            [] => ("Call", "()".to_owned()),
            [list] if is_paged => ("List", named(&list["items"])?),
            [body] if bodies.len() == successes.len() => ("Call", named(body)?),
            [body] => ("Call", format!("Option<{}>", named(body)?)),
            [_, _] if is_sign_in(&bodies) => ("Call", "SignInResult".to_owned()),
            _ => bail!("these responses have no type"),
        })
    }

    fn query(&self, name: &str, suffix: &str) -> anyhow::Result<String> {
        let (mut fields, mut setters, mut pairs) = (String::new(), String::new(), String::new());
        for parameter in self.parameters("query") {
            let wire = parameter["name"].as_str().context("a parameter has no name")?;
            let field = snake(wire);
            let schema = &parameter["schema"];
            let (kind, argument, value, text) = match (schema["type"].as_str(), schema["format"].as_str()) {
                (Some("integer"), _) => ("i64", "i64", field.clone(), "value.to_string()"),
                (Some("boolean"), _) => ("bool", "bool", field.clone(), "value.to_string()"),
                (_, Some("uuid")) => ("Uuid", "Uuid", field.clone(), "value.to_string()"),
                (_, Some("date-time")) => ("OffsetDateTime", "OffsetDateTime", field.clone(), "rfc3339(*value)"),
                _ => ("String", "impl Into<String>", format!("{field}.into()"), "value.clone()"),
            };
            let doc = comment(parameter["description"].as_str().unwrap_or(wire));
            fields += &format!("{field}: Option<{kind}>,\n");
            setters += &format!(
                "{doc}#[must_use]\npub fn {field}(mut self, {field}: {argument}) -> Self {{\nself.{field} = Some({value});\n\
                 self\n}}\n\n"
            );
            pairs += &format!("if let Some(value) = &self.{field} {{\npairs.push(({wire:?}, {text}));\n}}\n");
        }
        Ok(format!(
            "/// Parameters of [`{group}Api::{method}{suffix}`].\n#[derive(Debug, Clone, Default, PartialEq)]\npub struct {name} {{\n\
             {fields}}}\n\nimpl {name} {{\n/// No parameters.\n#[must_use]\npub fn new() -> Self {{\nSelf::default()\n}}\n\n\
             {setters}fn pairs(&self) -> Vec<(&'static str, String)> {{\nlet mut pairs = Vec::new();\n{pairs}pairs\n}}\n}}\n\n",
            group = camel(self.group),
            method = self.method_name(),
        ))
    }
}

fn is_sign_in(bodies: &[&Value]) -> bool {
    bodies.iter().map(|body| reference(body)).eq([Some("SignedIn"), Some("Challenge")])
}
