//! The JSON Schemas of attributes, from the configuration.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use denizen_domain::users::{AttributesSchema, AttributesSchemas};
use denizen_infra::attributes_schema::{JsonSchema, SCHEMA_BYTES_MAX};

use crate::config::{SchemaSource, Users};

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key} is {problem}; expected {expected}")]
pub(crate) struct InvalidSchema {
    /// The key of the configuration.
    pub(crate) key: &'static str,
    /// The problem.
    pub(crate) problem: String,
    /// What is expected, with the location in the schema.
    pub(crate) expected: String,
}

/// The schemas of the configuration, compiled.
pub(crate) fn of(config: &Users) -> Result<AttributesSchemas, InvalidSchema> {
    let compiled = |key, source: &Option<SchemaSource>| source.as_ref().map(|source| compile(key, source)).transpose();
    Ok(AttributesSchemas {
        attributes: compiled("users.attributes_schema", &config.attributes_schema)?,
        app_attributes: compiled("users.app_attributes_schema", &config.app_attributes_schema)?,
    })
}

fn compile(key: &'static str, source: &SchemaSource) -> Result<Arc<dyn AttributesSchema>, InvalidSchema> {
    let (text, problem) = match source {
        SchemaSource::Inline(text) => (text.clone(), "not valid".to_owned()),
        SchemaSource::File(path) => {
            let path_text = path.display();
            let text = read(path).map_err(|error| InvalidSchema {
                key,
                problem: format!("{path_text}, which cannot be read ({error})"),
                expected: "a readable file with a JSON Schema".to_owned(),
            })?;
            (text, format!("{path_text}, which is not valid"))
        }
    };
    let schema = JsonSchema::compile(&text);
    schema.map(|schema| -> Arc<dyn AttributesSchema> { Arc::new(schema) }).map_err(|error| InvalidSchema {
        key,
        problem,
        expected: error.to_string(),
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One more than the limit, so that a larger file is recognised.
    File::open(path)?.take(SCHEMA_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
