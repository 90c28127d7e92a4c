//! A user in the format of `denizen users import`.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A user. Absent fields are omitted in JSON.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Record {
    /// The id in the other system, if it is a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The email address.
    pub email: String,
    /// The display name.
    pub name: String,
    /// The password hash, in one of the formats of `docs/imports.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// Whether the other system had verified the address, if the files contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// The role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `active` or `disabled`, if the files contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Preferred language (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Attributes that the user may change.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Attributes that only administrators and programs change.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub app_attributes: Map<String, Value>,
    /// When the account was created (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When the account was last changed (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// When the user last signed in (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<String>,
    /// The second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// Identities at outside providers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
}

/// TOTP (RFC 6238) with SHA-1, 6 digits and 30 seconds.
#[derive(Clone, PartialEq, Serialize)]
pub struct Totp {
    /// The secret in base32, without padding.
    pub secret: String,
    /// When it was set up (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
}

/// An identity at an outside provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identity {
    /// The issuer.
    pub issuer: String,
    /// The subject at the issuer.
    pub subject: String,
    /// The preset of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The address at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When it was linked (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// Prints neither hash nor secret.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("email", &self.email).finish_non_exhaustive()
    }
}

/// Prints no secret.
impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp").finish_non_exhaustive()
    }
}
