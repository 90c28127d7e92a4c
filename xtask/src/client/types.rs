//! Structs and enums of the schemas.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::names::{camel, comment, snake};

/// What the files import.
pub(super) const IMPORTS: &str = "use super::super::prelude::*;\n\n";

/// Values that must not be logged.
const SECRETS: [&str; 14] = [
    "access_token",
    "refresh_token",
    "device_token",
    "csrf_token",
    "secret",
    "client_secret",
    "token",
    "code",
    "id_token",
    "challenge_id",
    "code_verifier",
    "authorization_code",
    "recovery_code",
    "otpauth_uri",
];

/// Where a schema is used.
#[derive(Default)]
struct Use {
    groups: BTreeSet<String>,
    is_sent: bool,
    is_received: bool,
}

/// The schemas that operations use, as types.
pub(super) struct Types<'a> {
    schemas: &'a Map<String, Value>,
    uses: BTreeMap<&'a str, Use>,
}

/// A schema that may also be `null`.
struct Nullable<'a> {
    schema: &'a Value,
    is_nullable: bool,
}

impl<'a> Types<'a> {
    pub(super) fn new(document: &'a Value) -> anyhow::Result<Self> {
        let schemas = document["components"]["schemas"].as_object().context("the document has no schemas")?;
        Ok(Self { schemas, uses: BTreeMap::new() })
    }

    /// Records that a group sends or receives a schema, with all that it refers to.
    pub(super) fn record(&mut self, schema: &'a Value, group: &str, is_sent: bool) {
        if let Some(name) = reference(schema) {
            let Some((name, target)) = self.schemas.get_key_value(name) else { return };
            let usage = self.uses.entry(name).or_default();
            let is_new = usage.groups.insert(group.to_owned());
            let seen = if is_sent { &mut usage.is_sent } else { &mut usage.is_received };
            let is_new = !std::mem::replace(seen, true) || is_new;
            if is_new && !is_event(target) {
                self.record(target, group, is_sent);
            } else if is_new {
                self.record(&self.schemas["Actor"], group, is_sent);
                self.record_named("Actor", group);
                self.record_named("EventType", group);
            }
            return;
        }
        match schema {
            Value::Object(map) if map.contains_key("anyOf") => {}
            Value::Object(map) => {
                for (_, value) in map.iter().filter(|(key, _)| !matches!(key.as_str(), "example" | "examples")) {
                    self.record(value, group, is_sent);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.record(value, group, is_sent)),
            _ => {}
        }
    }

    fn record_named(&mut self, name: &str, group: &str) {
        if let Some((name, _)) = self.schemas.get_key_value(name) {
            let usage = self.uses.entry(name).or_default();
            usage.groups.insert(group.to_owned());
            usage.is_received = true;
        }
    }

    /// The code of the types that only this group uses; with `None`, of those that several use.
    pub(super) fn of(&self, group: Option<&str>) -> anyhow::Result<String> {
        let mut code = String::new();
        for (name, usage) in &self.uses {
            let owner = if usage.groups.len() == 1 { usage.groups.first().map(String::as_str) } else { None };
            if owner == group {
                let definition = definition(name, &self.schemas[*name], usage);
                code += &definition.with_context(|| format!("schema {name}"))?;
            }
        }
        Ok(code)
    }
}

/// The name of the schema that is referred to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// The events are one type whose data is free: later releases add types.
fn is_event(schema: &Value) -> bool {
    schema["discriminator"].is_object()
}

/// Tokens and keys by their prefixes.
fn is_secret(schema: &Value) -> bool {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    ["^dn", "^whsec_"].iter().any(|prefix| pattern.starts_with(prefix))
}

fn nullable(schema: &Value) -> Nullable<'_> {
    if let Some(variants) = schema["oneOf"].as_array()
        && let Some(inner) = variants.iter().find(|variant| variant["type"] != "null")
    {
        return Nullable { schema: inner, is_nullable: variants.len() > 1 };
    }
    let kinds = schema["type"].as_array();
    let is_nullable = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
    Nullable { schema, is_nullable }
}

fn enumeration(name: &str, doc: &str, values: &[Value]) -> anyhow::Result<String> {
    let (mut variants, mut names) = (String::new(), String::new());
    for value in values.iter().filter_map(Value::as_str) {
        let variant = camel(value);
        variants += &format!("/// `{value}`.\n#[serde(rename = {value:?})]\n{variant},\n");
        names += &format!("Self::{variant} => {value:?},\n");
    }
    if variants.is_empty() {
        bail!("an enumeration must have string values");
    }
    Ok(format!(
        "{doc}#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]\n#[non_exhaustive]\npub enum {name} {{\n\
         {variants}/// A value of a later release.\n#[serde(untagged)]\nOther(String),\n}}\n\n\
         impl {name} {{\n/// The value as it is sent.\n#[must_use]\npub fn as_str(&self) -> &str {{\nmatch self {{\n\
         {names}Self::Other(value) => value,\n}}\n}}\n}}\n\n"
    ))
}

fn one_of(name: &str, doc: &str, variants: &[Value]) -> anyhow::Result<String> {
    let mut code = format!("{doc}#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n#[serde(untagged)]\n");
    code += &format!("#[non_exhaustive]\npub enum {name} {{\n");
    for variant in variants {
        let of = reference(variant).context("the variants of oneOf must be references")?;
        let doc = comment(variant["description"].as_str().unwrap_or(of));
        code += &format!("{doc}{of}({of}),\n");
    }
    Ok(code + "}\n\n")
}

fn event(doc: &str) -> String {
    format!(
        "{doc}#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n#[non_exhaustive]\npub struct Event {{\n\
         /// Continues the list or a stream after this event.\npub cursor: String,\n/// Unique identifier.\npub id: Uuid,\n\
         /// The type.\n#[serde(rename = \"type\")]\npub kind: EventType,\n\
         /// The user, role or other object that it concerns.\npub subject: Option<String>,\n\
         /// Who caused it.\npub actor: Actor,\n/// When it happened.\n\
         #[serde(with = \"time::serde::rfc3339\")]\npub occurred_at: OffsetDateTime,\n\
         /// The data, by type: see the event catalogue.\npub data: Map<String, Value>,\n}}\n\n"
    )
}

/// What a caller passes for a type.
fn argument(plain: &str) -> (String, String) {
    match plain {
        "String" | "Secret" => (format!("impl Into<{plain}>"), ".into()".to_owned()),
        _ => (plain.to_owned(), String::new()),
    }
}

fn setter(field: &str, plain: &str, is_patch: bool) -> String {
    let (argument, into) = argument(plain);
    let value = format!("{field}{into}");
    let value = if is_patch { format!("Some(Some({value}))") } else { format!("Some({value})") };
    let mut code = format!(
        "/// Sets [`Self::{field}`].\n#[must_use]\npub fn {field}(mut self, {field}: {argument}) -> Self {{\n\
         self.{field} = {value};\nself\n}}\n\n"
    );
    if is_patch {
        code += &format!(
            "/// Removes the value of [`Self::{field}`].\n#[must_use]\npub fn remove_{field}(mut self) -> Self {{\n\
             self.{field} = Some(None);\nself\n}}\n\n"
        );
    }
    code
}

/// `new` with the required fields, and setters of the others.
fn constructor(name: &str, required: &[(String, String)], properties: &Map<String, Value>, setters: &str) -> String {
    let parameters: Vec<_> = required.iter().map(|(field, plain)| format!("{field}: {}", argument(plain).0)).collect();
    let values = properties.keys().map(|wire| {
        let field = snake(wire);
        match required.iter().find(|(name, _)| *name == field) {
            Some((field, plain)) => match argument(plain).1.as_str() {
                "" => format!("{field},\n"),
                into => format!("{field}: {field}{into},\n"),
            },
            None => format!("{field}: None,\n"),
        }
    });
    let values: String = values.collect();
    let default = if required.is_empty() {
        format!("impl Default for {name} {{\nfn default() -> Self {{\nSelf::new()\n}}\n}}\n\n")
    } else {
        String::new()
    };
    let with = if required.is_empty() { "without any field" } else { "with the required fields" };
    format!(
        "impl {name} {{\n/// One {with}.\n#[must_use]\npub fn new({}) -> Self {{\nSelf {{ {values} }}\n}}\n\n{setters}}}\n\n\
         {default}",
        parameters.join(", ")
    )
}

/// The type of a value. Enumerations without a name get that of the field.
fn type_of(parent: &str, field: &str, schema: &Value, enums: &mut String) -> anyhow::Result<String> {
    if let Some(name) = reference(schema) {
        return Ok(name.to_owned());
    }
    if let Some(values) = schema["enum"].as_array() {
        let name = format!("{parent}{}", camel(field));
        let doc = comment(&format!("Values of `{field}` of [`{parent}`]."));
        *enums += &enumeration(&name, &doc, values)?;
        return Ok(name);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    Ok(match (kind, schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => "OffsetDateTime".to_owned(),
        (Some("string"), Some("uuid")) => "Uuid".to_owned(),
        (Some("string"), Some("password")) => "Secret".to_owned(),
        (Some("string"), _) if SECRETS.contains(&field) || is_secret(schema) => "Secret".to_owned(),
        (Some("string"), _) => "String".to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("integer"), _) => "i64".to_owned(),
        (Some("number"), _) => "f64".to_owned(),
        (Some("array"), _) => format!("Vec<{}>", type_of(parent, field, &schema["items"], enums)?),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            let value = type_of(parent, field, &schema["additionalProperties"], enums)?;
            format!("BTreeMap<String, {value}>")
        }
        (Some("object"), _) => "Map<String, Value>".to_owned(),
        _ => "Value".to_owned(),
    })
}

/// The type of a parameter or of the body of a response.
pub(super) fn named(schema: &Value) -> anyhow::Result<String> {
    let mut enums = String::new();
    let name = type_of("", "", schema, &mut enums)?;
    if enums.is_empty() { Ok(name) } else { bail!("an enumeration needs a name here") }
}

fn structure(name: &str, doc: &str, schema: &Value, first: &str, usage: &Use) -> anyhow::Result<String> {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let is_required = |field: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name.as_str() == Some(field)))
    };
    let (mut fields, mut enums, mut setters) = (first.to_owned(), String::new(), String::new());
    let mut required = Vec::new();
    for (wire, property) in properties {
        let Nullable { schema: inner, is_nullable } = nullable(property);
        let plain = type_of(name, wire, inner, &mut enums)?;
        let field = snake(wire);
        let mut attributes = Vec::new();
        if field.trim_start_matches("r#") != wire {
            attributes.push(format!("rename = {wire:?}"));
        }
        let is_patch = name.starts_with("Patch") && is_nullable;
        let is_optional = is_nullable || !is_required(wire);
        let rust = match (is_optional, is_patch) {
            (_, true) => format!("Option<Option<{plain}>>"),
            (true, _) => format!("Option<{plain}>"),
            (false, _) => plain.clone(),
        };
        if is_optional && !is_required(wire) {
            attributes.push("default, skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if plain == "OffsetDateTime" {
            let module = if is_optional { "time::serde::rfc3339::option" } else { "time::serde::rfc3339" };
            attributes.push(format!("with = {module:?}"));
            if is_optional && is_required(wire) {
                attributes.push("default".to_owned());
            }
        }
        let described = property["description"].as_str().or_else(|| inner["description"].as_str());
        let described = described.map_or_else(|| format!("`{wire}`."), ToOwned::to_owned);
        let attributes =
            if attributes.is_empty() { String::new() } else { format!("#[serde({})]\n", attributes.join(", ")) };
        fields += &format!("{}{attributes}pub {field}: {rust},\n", comment(&described));
        if is_required(wire) && !is_optional {
            required.push((field, plain));
        } else {
            setters += &setter(&field, &plain, is_patch);
        }
    }
    let mut code = format!(
        "{doc}#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n#[non_exhaustive]\npub struct {name} {{\n\
         {fields}}}\n\n"
    );
    if usage.is_sent {
        code += &constructor(name, &required, properties, &setters);
    }
    Ok(code + &enums)
}

fn definition(name: &str, schema: &Value, usage: &Use) -> anyhow::Result<String> {
    let doc = comment(schema["description"].as_str().unwrap_or(name));
    if is_event(schema) {
        return Ok(event(&doc));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return all_of(name, &doc, parts, usage);
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        return one_of(name, &doc, variants);
    }
    if let Some(values) = schema["enum"].as_array() {
        return enumeration(name, &doc, values);
    }
    structure(name, &doc, schema, "", usage)
}

/// One schema with further fields.
fn all_of(name: &str, doc: &str, parts: &[Value], usage: &Use) -> anyhow::Result<String> {
    let [base, more] = parts else { bail!("allOf must have two parts") };
    let base = reference(base).context("the first part of allOf must be a reference")?;
    let field = format!("/// The fields of [`{base}`].\n#[serde(flatten)]\npub {}: {base},\n", snake(base));
    structure(name, doc, more, &field, usage)
}
