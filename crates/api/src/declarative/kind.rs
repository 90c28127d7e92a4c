//! What a kind of resource provides. A further kind is one file in [`super::kinds`].

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::plan::Planned;
use super::schema::ItemSchema;
use crate::json_form::{self, FormError};

/// The names of a kind.
#[derive(Debug)]
pub(crate) struct Info {
    /// The key of its list in a document.
    pub(crate) section: &'static str,
    /// The same as an argument on the command line.
    pub(crate) argument: &'static str,
    /// What one of them is called in messages.
    pub(crate) singular: &'static str,
    /// The field that resources are matched by.
    pub(crate) key: &'static str,
    /// Whether several can have the same key, so that a document can name one by its `id`.
    pub(crate) has_id: bool,
    /// The most that there can be.
    pub(crate) max: Option<u64>,
}

/// What a resource is known by.
pub(crate) struct Identity {
    /// Its id, of kinds that have one.
    pub(crate) id: Option<String>,
    /// Its key: the name or the URL.
    pub(crate) key: String,
}

/// How secrets are handled that a document gives by the name of a variable or of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// A secret that cannot be read is an error.
    Required,
    /// A secret that cannot be read is not compared: the server may not have what the deployment has.
    IfPresent,
}

/// A secret that is shown once.
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

/// A kind of resource.
pub(crate) trait Kind: 'static {
    /// A resource of the database.
    type Resource: Clone + Send + Sync + 'static;
    /// What a document asks for. A field that the document omits is unchanged, or has its default.
    type Change: Clone + Send + Sync + 'static;

    /// Its names.
    const INFO: Info;

    /// The JSON Schema of one resource, from the type of the REST API.
    fn schema() -> ItemSchema;

    /// All resources of the database.
    fn list(ctx: &Ctx) -> impl Future<Output = Result<Vec<Self::Resource>>> + Send;

    /// What it is known by.
    fn identity(resource: &Self::Resource) -> Identity;

    /// A key as the database has it, in the form in which it is compared.
    fn stored_key(raw: &str) -> String {
        raw.to_owned()
    }

    /// The resource as the REST API returns it. Fields that are not in the schema are ignored.
    fn body(resource: &Self::Resource) -> Value;

    /// The fields that a document must give, of those in the schema, to describe the resource.
    fn described(_: &Self::Resource, fields: Map<String, Value>) -> Map<String, Value> {
        fields
    }

    /// Whether it can be deleted.
    fn is_deletable(_: &Self::Resource) -> bool {
        true
    }

    /// Reads the fields of a document; every field at fault is reported.
    fn read(
        fields: Map<String, Value>,
        before: Option<&Self::Resource>,
        secrets: Secrets,
    ) -> Result<Self::Change, Vec<FieldError>>;

    /// The resource after a change.
    fn after(change: &Self::Change, before: &Self::Resource) -> Self::Resource;

    /// What the use case would refuse, as far as that is known before.
    fn check(ctx: &Ctx, change: &Self::Change, before: Option<&Self::Resource>, planned: &Planned) -> Vec<FieldError>;

    /// The secrets that a change sets to another value.
    fn changed_secrets(
        _: &Ctx,
        _: &Self::Change,
        _: &Self::Resource,
    ) -> impl Future<Output = Result<Vec<&'static str>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Why a resource cannot be deleted.
    fn undeletable(_: &Ctx, _: &Self::Resource) -> impl Future<Output = Result<Option<String>>> + Send {
        async { Ok(None) }
    }

    /// The role that a resource has.
    fn role(_: &Self::Resource) -> Option<String> {
        None
    }

    /// What an event may say of a resource that does not exist yet: a key can contain a secret.
    fn public_key(_: &Ctx, key: &str) -> String {
        key.to_owned()
    }

    /// Creates a resource.
    fn create(ctx: &Ctx, change: Self::Change) -> impl Future<Output = Result<Option<Issued>>> + Send;

    /// Changes the version of a resource that was planned with.
    fn update(ctx: &Ctx, before: &Self::Resource, change: Self::Change) -> impl Future<Output = Result<()>> + Send;

    /// Deletes the version of a resource that was planned with.
    fn delete(ctx: &Ctx, before: &Self::Resource) -> impl Future<Output = Result<()>> + Send;
}

/// Reads the body of a request from fields.
pub(super) fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Vec<FieldError>> {
    let text = Value::Object(fields).to_string();
    json_form::read(text.as_bytes()).map_err(|error| match error {
        FormError::Fields(faults) => faults,
        FormError::Empty | FormError::Syntax { .. } => vec![FieldError::new("", "wrong_type", "must be an object")],
    })
}

/// A resource as a document shows it, with the fields in an order for readers.
pub(crate) struct Shown(pub(super) Vec<(String, Value)>);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
