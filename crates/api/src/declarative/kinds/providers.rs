//! Outside providers.

use std::env::{self, VarError};
use std::fs::{self, File};
use std::io::{self, Read};

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use denizen_domain::providers::manage::{
    self, ManagedProvider, NewProvider, PROVIDERS_MAX, ProviderChange, has_this_secret, settings_faults, unknown_role,
};
use denizen_domain::providers::{ProviderName, ProviderSettings};
use denizen_domain::roles::RoleName;
use serde_json::{Map, Value, json};

use crate::declarative::kind::{Identity, Info, Issued, Kind, Secrets, typed};
use crate::declarative::plan::Planned;
use crate::declarative::schema::ItemSchema;
use crate::http::providers::{ProviderBody, ReplaceProviderBody};

/// The field of the secret, and those that say where it is.
const SECRET: &str = "client_secret";
const SECRET_ENV: &str = "client_secret_env";
const SECRET_FILE: &str = "client_secret_file";
/// The longest file that is read, in bytes; the use case checks the length of the secret.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1_024;

pub(crate) struct Providers;

/// The change, and the name that it is for.
#[derive(Clone)]
pub(crate) struct Wanted {
    name: ProviderName,
    change: ProviderChange,
    /// Whether the document names a secret that could not be read.
    has_unread_secret: bool,
}

impl Kind for Providers {
    type Resource = ManagedProvider;
    type Change = Wanted;

    const INFO: Info = Info {
        section: "providers",
        argument: "providers",
        singular: "provider",
        key: "name",
        has_id: false,
        max: Some(PROVIDERS_MAX as u64),
    };

    fn schema() -> ItemSchema {
        let name = json!({"description": "The unique name; it is part of the callback URL.", "type": "string"});
        let variable = "The environment variable that contains the client secret, when `denizen apply` is run.";
        let file = "The file that contains the client secret, or for apple the private key in PEM.";
        ItemSchema::of::<ReplaceProviderBody>()
            .with("name", name)
            .with(SECRET_ENV, json!({"description": variable, "type": "string"}))
            .with(SECRET_FILE, json!({"description": file, "type": "string"}))
            .requiring("name")
    }

    async fn list(ctx: &Ctx) -> Result<Vec<ManagedProvider>> {
        let providers = manage::list(ctx).await?;
        // Those of the configuration of the server are not in the database.
        Ok(providers.into_iter().filter(|provider| provider.stored.is_some()).collect())
    }

    fn identity(provider: &ManagedProvider) -> Identity {
        Identity { id: None, key: provider.name.to_string() }
    }

    fn body(provider: &ManagedProvider) -> Value {
        json!(ProviderBody::from(provider.clone()))
    }

    /// Settings that have their default are left out.
    fn described(provider: &ManagedProvider, mut fields: Map<String, Value>) -> Map<String, Value> {
        let defaults = Self::body(&ManagedProvider { settings: ProviderSettings::default(), ..provider.clone() });
        if let Some(Value::Object(settings)) = fields.get_mut("settings") {
            settings.retain(|name, value| defaults["settings"].get(name) != Some(value));
        }
        fields
    }

    fn read(
        mut fields: Map<String, Value>,
        _: Option<&ManagedProvider>,
        secrets: Secrets,
    ) -> Result<Wanted, Vec<FieldError>> {
        let mut faults = Vec::new();
        let name = match fields.remove("name") {
            Some(Value::String(raw)) => ProviderName::parse(&raw).map_err(|rule| faults.push(rule.at("name"))).ok(),
            _ => None,
        };
        let names_secret = [SECRET_ENV, SECRET_FILE].iter().any(|field| fields.contains_key(*field));
        match secret(&mut fields, secrets) {
            Ok(None) => {}
            Ok(Some(secret)) => drop(fields.insert(SECRET.to_owned(), Value::String(secret))),
            Err(fault) => faults.push(fault),
        }
        let change = typed::<ReplaceProviderBody>(fields).and_then(ReplaceProviderBody::into_change);
        let change = change.map_err(|others| faults.extend(others)).ok();
        match name.zip(change) {
            Some((name, change)) if faults.is_empty() => {
                let has_unread_secret = names_secret && change.client_secret.is_none();
                Ok(Wanted { name, change, has_unread_secret })
            }
            _ => Err(faults),
        }
    }

    fn after(wanted: &Wanted, before: &ManagedProvider) -> ManagedProvider {
        wanted.change.applied_to(before)
    }

    fn check(ctx: &Ctx, wanted: &Wanted, before: Option<&ManagedProvider>, planned: &Planned) -> Vec<FieldError> {
        if ctx.services().providers.get(&wanted.name).is_some() {
            let message = "must not be the name of a provider of the configuration; change it there";
            return vec![FieldError::new("name", "provider_configured", message)];
        }
        let secret = wanted.change.client_secret.as_ref().and_then(Option::as_ref);
        let has_secret = secret.is_some() || wanted.has_unread_secret || before.is_some_and(|before| before.has_secret);
        let Some(settings) = &wanted.change.settings else { return Vec::new() };
        let mut faults = settings_faults(ctx, settings, secret, has_secret);
        for (value, role) in &settings.roles {
            match RoleName::reference(role) {
                Ok(role) if !planned.has("roles", role.as_str()) => faults.push(unknown_role(value, &role)),
                // A malformed name is at fault already.
                _ => {}
            }
        }
        faults
    }

    async fn changed_secrets(ctx: &Ctx, wanted: &Wanted, before: &ManagedProvider) -> Result<Vec<&'static str>> {
        match &wanted.change.client_secret {
            Some(Some(secret)) if !has_this_secret(ctx, &before.name, secret).await? => Ok(vec![SECRET]),
            _ => Ok(Vec::new()),
        }
    }

    async fn create(ctx: &Ctx, wanted: Wanted) -> Result<Option<Issued>> {
        let Wanted { name, change, .. } = wanted;
        let new = NewProvider {
            name,
            settings: change.settings.unwrap_or_default(),
            client_secret: change.client_secret.flatten(),
            is_enabled: change.is_enabled.unwrap_or(true),
        };
        manage::create(ctx, new).await.map(|_| None)
    }

    async fn update(ctx: &Ctx, before: &ManagedProvider, wanted: Wanted) -> Result<()> {
        manage::update(ctx, &before.name, wanted.change, version(before).as_ref().map(<[i64; 1]>::as_slice))
            .await
            .map(drop)
    }

    async fn delete(ctx: &Ctx, before: &ManagedProvider) -> Result<()> {
        manage::delete(ctx, &before.name, version(before).as_ref().map(<[i64; 1]>::as_slice)).await
    }
}

fn version(provider: &ManagedProvider) -> Option<[i64; 1]> {
    provider.stored.map(|stored| [stored.version])
}

/// The secret that a variable or a file contains, without white space at its end.
fn secret(fields: &mut Map<String, Value>, secrets: Secrets) -> Result<Option<String>, FieldError> {
    let mut source = |field: &'static str| match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(FieldError::new(field, "wrong_type", "must be a string")),
    };
    let (variable, file) = (source(SECRET_ENV)?, source(SECRET_FILE)?);
    let is_given = fields.get(SECRET).is_some_and(|secret| !secret.is_null());
    let (field, text) = match (variable, file, is_given) {
        (None, None, _) => return Ok(None),
        (Some(name), None, false) => (SECRET_ENV, value_of(&name).map_err(str::to_owned)),
        (None, Some(path), false) => (SECRET_FILE, text_of(&path).map_err(|error| error.to_string())),
        _ => {
            let message = format!("must be the only one of {SECRET}, {SECRET_ENV} and {SECRET_FILE}");
            return Err(FieldError::new(SECRET, "not_allowed", message));
        }
    };
    match (text, secrets) {
        (Ok(text), _) => Ok(Some(text.trim_end().to_owned())),
        (Err(_), Secrets::IfPresent) => Ok(None),
        (Err(reason), Secrets::Required) => {
            Err(FieldError::new(field, "unreadable", format!("cannot be read: {reason}")))
        }
    }
}

/// The error does not contain the value, unlike that of the standard library.
fn value_of(variable: &str) -> Result<String, &'static str> {
    env::var(variable).map_err(|error| match error {
        VarError::NotPresent => "environment variable not found",
        VarError::NotUnicode(_) => "the environment variable is not UTF-8",
    })
}

fn text_of(path: &str) -> io::Result<String> {
    // Opening a named pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(SECRET_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_FILE_BYTES_MAX { Err(io::Error::other("the file is too long")) } else { Ok(text) }
}
