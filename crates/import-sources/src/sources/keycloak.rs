//! Keycloak: the file or the files of `kc.sh export --realm REALM --users realm_file` (or `different_files`).
//!
//! Format: `RealmRepresentation`, `UserRepresentation` and `CredentialRepresentation` of Keycloak's Admin REST API,
//! <https://www.keycloak.org/docs-api/latest/rest-api/>. The secret of TOTP is text whose bytes are the key, unless
//! `secretEncoding` is `BASE32` (`OTPCredentialModel`, `OTPSecretData`).

use std::collections::HashMap;

use serde_json::Value;

use super::without_address;
use crate::base32;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft, UNSUPPORTED_TOTP};
use crate::fields::{self, Object};
use crate::input::Paths;

#[derive(Default)]
pub(super) struct Keycloak {
    /// Type and issuer of identity providers by alias.
    providers: HashMap<String, (String, Option<String>)>,
    /// Roles of groups by path.
    groups: HashMap<String, Vec<String>>,
}

/// Roles that every user of a realm has.
const DEFAULT_ROLES: [&str; 2] = ["offline_access", "uma_authorization"];

impl Convert for Keycloak {
    fn paths(&self) -> Paths {
        &[
            &["users", "*"],
            &["identityProviders", "*"],
            &["groups", "*"],
            &["*", "users", "*"],
            &["*", "identityProviders", "*"],
            &["*", "groups", "*"],
        ]
    }

    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn read_joined(&mut self, kind: &str, record: &Object) {
        match kind {
            "identityProviders" => {
                if let Some(alias) = fields::text(record, "alias") {
                    let provider = fields::text(record, "providerId").unwrap_or_else(|| alias.clone());
                    self.providers.insert(alias, (provider, fields::text(record, "/config/issuer")));
                }
            }
            "groups" => self.read_group("", record, 0),
            _ => {}
        }
    }

    fn convert(&mut self, kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        if kind != "users" {
            return Kind::Joined;
        }
        if record.contains_key("serviceAccountClientId") {
            draft.omit("service accounts: left out");
            return Kind::LeftOut;
        }
        let Some(email) = fields::text(record, "email") else { return without_address(draft) };
        draft.email(Some(email));
        draft.id(fields::text(record, "id"));
        draft.record.email_verified = Some(fields::flag(record, "emailVerified").unwrap_or(false));
        draft.disable_if(fields::flag(record, "enabled") == Some(false));
        draft.name_parts(fields::text(record, "firstName"), fields::text(record, "lastName"));
        draft.username(fields::text(record, "username"));
        draft.created_at(fields::value(record, "createdTimestamp"));
        attributes(record, draft);
        self.roles(record, draft);
        for identity in fields::objects(record, "federatedIdentities") {
            self.identity(&identity, draft);
        }
        let actions = fields::list(record, "requiredActions");
        draft.omit_many("required actions: not supported", actions.len());
        credentials(record, draft);
        Kind::User
    }
}

impl Keycloak {
    fn read_group(&mut self, parent: &str, group: &Object, depth: usize) {
        const DEPTH_MAX: usize = 16;
        let Some(name) = fields::text(group, "name") else { return };
        let path = fields::text(group, "path").unwrap_or_else(|| format!("{parent}/{name}"));
        let roles = fields::list(group, "realmRoles").iter().filter_map(fields::as_text).collect();
        if depth < DEPTH_MAX {
            for child in fields::objects(group, "subGroups") {
                self.read_group(&path, &child, depth + 1);
            }
        }
        self.groups.insert(path, roles);
    }

    fn roles(&self, record: &Object, draft: &mut Draft<'_>) {
        let is_chosen = |role: &str| !role.starts_with("default-roles-") && !DEFAULT_ROLES.contains(&role);
        let realm = fields::list(record, "realmRoles");
        realm.iter().filter_map(fields::as_text).filter(|role| is_chosen(role)).for_each(|role| draft.role(role));
        for (client, roles) in fields::object(record, "clientRoles") {
            let roles = roles.as_array().into_iter().flatten().filter_map(fields::as_text);
            roles.for_each(|role| draft.role(format!("{client}/{role}")));
        }
        for path in fields::list(record, "groups").iter().filter_map(fields::as_text) {
            let inherited = self.groups.get(&path).into_iter().flatten().cloned();
            inherited.for_each(|role| draft.role(role));
            draft.role(path);
        }
    }

    fn identity(&self, identity: &Object, draft: &mut Draft<'_>) {
        let Some(alias) = fields::text(identity, "identityProvider") else { return };
        let (provider, issuer) = self.providers.get(&alias).cloned().unwrap_or((alias.clone(), None));
        // The map contains aliases; the table of known issuers contains types.
        let name = if draft.options.map.issuers.contains_key(&alias) { &alias } else { &provider };
        let details = Details { issuer: issuer.as_deref(), ..Details::default() };
        draft.identity(name, fields::text(identity, "userId"), details);
    }
}

/// Attributes are lists. Some set fields of the user.
fn attributes(record: &Object, draft: &mut Draft<'_>) {
    for (name, value) in fields::object(record, "attributes") {
        let value = match value {
            Value::Array(mut values) if values.len() == 1 => values.remove(0),
            value => value,
        };
        match name.as_str() {
            "locale" => draft.locale(fields::as_text(&value)),
            "phoneNumber" | "phone_number" | "phone" => draft.attribute("phone", Some(value)),
            "phoneNumberVerified" | "phone_number_verified" => {
                draft.attribute("phone_verified", fields::as_flag(&value).map(Value::from));
            }
            "LDAP_ID" | "LDAP_ENTRY_DN" | "createTimestamp" | "modifyTimestamp" => {}
            _ => draft.attribute(&name, Some(value)),
        }
    }
}

fn credentials(record: &Object, draft: &mut Draft<'_>) {
    for credential in fields::objects(record, "credentials") {
        match fields::text(&credential, "type").as_deref() {
            Some("password") if draft.record.password_hash.is_none() => {
                // Since Keycloak 4.8; earlier releases wrote separate fields.
                let parts = ["credentialData", "secretData"].map(|name| credential.get(name).cloned());
                match parts {
                    [Some(data), Some(secret)] => {
                        let hash = serde_json::json!({"secretData": secret, "credentialData": data}).to_string();
                        draft.password_hash(Some(hash));
                    }
                    _ => old_password(&credential, draft),
                }
            }
            Some("password") => draft.omit("further passwords of a user: only the first one is imported"),
            Some("otp" | "totp") => otp(&credential, draft),
            Some("hotp") => draft.omit("HOTP secrets: not supported"),
            Some("webauthn" | "webauthn-passwordless") => {
                draft.omit("WebAuthn credentials: not supported; users register a passkey again");
            }
            Some("recovery-authn-codes") => draft.omit("recovery codes: hashed by Keycloak; users get new ones"),
            _ => draft.omit("credentials of other types: not supported"),
        }
    }
}

fn old_password(credential: &Object, draft: &mut Draft<'_>) {
    let texts = ["hashedSaltedValue", "salt", "algorithm"].map(|name| fields::text(credential, name));
    let iterations = credential.get("hashIterations").and_then(Value::as_u64);
    match (texts, iterations) {
        ([Some(value), Some(salt), Some(algorithm)], Some(iterations)) => {
            let hash = serde_json::json!({
                "secretData": {"value": value, "salt": salt},
                "credentialData": {"hashIterations": iterations, "algorithm": algorithm},
            });
            draft.password_hash(Some(hash.to_string()));
        }
        _ => draft.fault("password_hash", "a password credential without credentialData and secretData"),
    }
}

fn otp(credential: &Object, draft: &mut Draft<'_>) {
    let data = fields::object(credential, "credentialData");
    let secret = fields::text(&fields::object(credential, "secretData"), "value");
    let number = |name, default| data.get(name).and_then(Value::as_u64).unwrap_or(default);
    let is_text = |name, expected: &[&str]| fields::text(&data, name).is_none_or(|text| expected.contains(&&*text));
    if !is_text("subType", &["totp"]) {
        draft.omit("HOTP secrets: not supported");
    } else if number("digits", 6) != 6 || number("period", 30) != 30 || !is_text("algorithm", &["HmacSHA1", "SHA1"]) {
        draft.omit(UNSUPPORTED_TOTP);
    } else if let Some(secret) = secret {
        let confirmed_at = draft.moment("totp", credential.get("createdDate"));
        let is_base32 = fields::text(&data, "secretEncoding").is_some_and(|encoding| encoding == "BASE32");
        let secret = if is_base32 { secret } else { base32::encode(secret.as_bytes()) };
        draft.totp(&secret, confirmed_at);
    }
}
