//! Options of an import.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Error;

/// Options of an import. The default needs no files.
#[derive(Clone, Default)]
pub struct Options {
    /// The role of each role or group of the other system. The first match applies; without one, the role is `user`.
    pub roles: Vec<RoleMap>,
    /// The fields and attributes of columns and claims.
    pub map: FieldMap,
    /// The parameters of the Firebase project, needed to verify its password hashes.
    pub firebase: Option<FirebaseHashConfig>,
    /// The pepper of Devise, appended to each password.
    pub devise_pepper: Option<Vec<u8>>,
    /// Imports users as active if the files do not contain their status.
    pub assume_active: bool,
}

/// `SOURCE=ROLE`: the role that users with a role or group of the other system get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMap {
    /// The role or group in the other system.
    pub source: String,
    /// The role in Denizen.
    pub role: String,
}

impl FromStr for RoleMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names of groups may contain "=", names of roles may not.
        match text.rsplit_once('=') {
            Some((source, role)) if !source.is_empty() && !role.is_empty() => {
                Ok(Self { source: source.to_owned(), role: role.to_owned() })
            }
            _ => Err("must be SOURCE=ROLE".to_owned()),
        }
    }
}

/// A file that maps columns and claims to fields and attributes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMap {
    /// Fields of a user: `email`, `name`, `password_hash`, `created_at` and so on.
    #[serde(default)]
    pub fields: BTreeMap<String, Selector>,
    /// Attributes that users may change.
    #[serde(default)]
    pub attributes: BTreeMap<String, Selector>,
    /// Attributes that only administrators and programs change.
    #[serde(default)]
    pub app_attributes: BTreeMap<String, Selector>,
    /// Values of the field `status` that mean a disabled user.
    #[serde(default)]
    pub disabled: Vec<String>,
    /// Issuers of providers by the name that the other system gives them.
    #[serde(default)]
    pub issuers: BTreeMap<String, String>,
    /// The format of CSV files. Detected if absent.
    #[serde(default)]
    pub csv: CsvFormat,
}

/// A column, a claim or a JSON Pointer; of several, the values are joined by spaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Selector {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Selector {
    /// The names.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// The format of CSV files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvFormat {
    /// The separator of columns.
    pub delimiter: Option<char>,
    /// The character before a quotation mark within quotation marks, if it is not doubled.
    pub escape: Option<char>,
}

/// The fields that a map may set.
pub(crate) const MAPPED_FIELDS: [&str; 17] = [
    "id",
    "email",
    "name",
    "password_hash",
    "email_verified",
    "role",
    "status",
    "disabled",
    "enabled",
    "locale",
    "created_at",
    "updated_at",
    "last_sign_in_at",
    "phone",
    "phone_verified",
    "username",
    "totp_secret",
];

impl FieldMap {
    /// Reads a map from a TOML file.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(Error::io(file))?;
        Self::parse(&text).map_err(|reason| Error::Options { file: file.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let map: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if let Some(name) = map.fields.keys().find(|name| !MAPPED_FIELDS.contains(&name.as_str())) {
            return Err(format!("fields.{name} is not a field of a user; the fields are {}", MAPPED_FIELDS.join(", ")));
        }
        let is_byte = |character: Option<char>| character.is_none_or(|character| character.is_ascii());
        if !is_byte(map.csv.delimiter) || !is_byte(map.csv.escape) {
            return Err("csv.delimiter and csv.escape must be ASCII characters".to_owned());
        }
        Ok(map)
    }
}

/// The parameters under *Authentication → Users → Password hash parameters* of the Firebase console.
#[derive(Clone)]
pub struct FirebaseHashConfig(pub(crate) Map<String, Value>);

impl FirebaseHashConfig {
    /// Reads the text shown by the console, or a JSON object with the same names.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(Error::io(file))?;
        Self::parse(&text).map_err(|reason| Error::Options { file: file.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut found = Map::new();
        for part in text.split([',', '\n', '{', '}']) {
            let Some((name, value)) = part.split_once(':') else { continue };
            let trim = |text: &str| text.trim_matches([' ', '\t', '\r', '"', '\'', ';']).to_owned();
            let (name, value) = (trim(name), trim(value));
            match name.as_str() {
                "base64_signer_key" | "base64_salt_separator" => {
                    found.insert(name, value.into());
                }
                "rounds" | "mem_cost" => {
                    let number: u32 = value.parse().map_err(|_| format!("{name} must be a number"))?;
                    found.insert(name, number.into());
                }
                "algorithm" if value != "SCRYPT" => {
                    return Err(format!("the algorithm must be SCRYPT, not {value}"));
                }
                _ => {}
            }
        }
        for name in ["base64_signer_key", "base64_salt_separator", "rounds", "mem_cost"] {
            if !found.contains_key(name) {
                return Err(format!("{name} is missing; copy the password hash parameters of the Firebase console"));
            }
        }
        Ok(Self(found))
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldMap, FirebaseHashConfig, RoleMap};

    #[test]
    fn firebase_parameters_as_text_and_as_json() {
        let text = "hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: ab/+c==,\n  base64_salt_separator: \
                    Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}\n";
        let json = r#"{"base64_signer_key":"ab/+c==","base64_salt_separator":"Bw==","rounds":8,"mem_cost":14}"#;
        let (text, json) =
            (FirebaseHashConfig::parse(text).ok().unwrap(), FirebaseHashConfig::parse(json).ok().unwrap());
        assert_eq!(text.0, json.0);
        assert_eq!(json.0["base64_signer_key"], "ab/+c==");
        assert_eq!(json.0["mem_cost"], 14);
        assert!(FirebaseHashConfig::parse("rounds: 8").is_err());
        assert!(FirebaseHashConfig::parse("algorithm: BCRYPT").is_err());
    }

    #[test]
    fn role_maps_are_split_at_the_last_equals_sign() {
        let map: RoleMap = "cn=admins,dc=example=admin".parse().unwrap();
        assert_eq!((map.source.as_str(), map.role.as_str()), ("cn=admins,dc=example", "admin"));
        assert!("admin".parse::<RoleMap>().is_err() && "=admin".parse::<RoleMap>().is_err());
    }

    #[test]
    fn unknown_fields_of_a_map_are_refused() {
        assert!(FieldMap::parse("[fields]\nemail = \"E-mail\"\nname = [\"First\", \"Last\"]").is_ok());
        assert!(FieldMap::parse("[fields]\npassword = \"x\"").unwrap_err().contains("fields.password"));
        assert!(FieldMap::parse("[csv]\ndelimiter = \"é\"").is_err());
        assert!(FieldMap::parse("[other]").is_err());
    }
}
