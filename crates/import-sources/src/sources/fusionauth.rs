//! `FusionAuth`: a file in the format of its user import (`POST /api/user/import`), the response of the user search
//! (`GET /api/user/search`), and with either the response of `GET /api/identity-provider/link`.
//!
//! Formats: <https://fusionauth.io/docs/apis/users> ("Import Users"), and "Password hashes" of its reference for the
//! schemes. Salts and hashes are base64, except those of bcrypt.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::without_address;
use crate::base32;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft, UNSUPPORTED_TOTP};
use crate::fields::{self, Object};
use crate::input::Paths;

#[derive(Default)]
pub(super) struct Fusionauth {
    /// By user.
    links: HashMap<String, Vec<Object>>,
    /// Ids of all applications that users are registered for.
    applications: HashSet<String>,
}

const GENERIC_TYPES: [&str; 4] = ["ExternalJWT", "OpenIDConnect", "SAMLv2", "SAMLv2IdPInitiated"];

impl Convert for Fusionauth {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["users", "*"], &["identityProviderLinks", "*"]]
    }

    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        if let Some(user) = fields::text(record, "userId").filter(|_| record.contains_key("identityProviderUserId")) {
            self.links.entry(user).or_default().push(record.clone());
        }
        let registrations = fields::objects(record, "registrations");
        self.applications.extend(registrations.iter().filter_map(|at| fields::text(at, "applicationId")));
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        if record.contains_key("identityProviderUserId") {
            return Kind::Joined;
        }
        if !["active", "username", "email", "insertInstant"].iter().any(|name| record.contains_key(*name)) {
            return Kind::Unknown;
        }
        let Some(email) = fields::text(record, "email") else { return without_address(draft) };
        draft.email(Some(email));
        let id = fields::text(record, "id");
        let links = id.as_ref().and_then(|id| self.links.remove(id)).unwrap_or_default();
        draft.id(id);
        draft.record.email_verified = Some(fields::flag(record, "verified").unwrap_or(false));
        draft.disable_if(fields::flag(record, "active") == Some(false));
        // Expired users cannot sign in; a future expiry is not supported.
        if fields::value(record, "expiry").is_some() {
            draft.disable_if(true);
            draft.omit("expiries of users: imported as disabled");
        }
        draft.name(fields::text(record, "fullName"));
        draft.name_parts(fields::text(record, "firstName"), fields::text(record, "lastName"));
        draft.username(fields::text(record, "username"));
        draft.phone(fields::first_text(record, &["phoneNumber", "mobilePhone"]), None);
        draft.attribute("picture", fields::value(record, "imageUrl").cloned());
        draft.attribute("birthdate", fields::value(record, "birthDate").cloned());
        draft.attribute("zoneinfo", fields::value(record, "timezone").cloned());
        draft.locale(fields::list(record, "preferredLanguages").first().and_then(fields::as_text));
        for (name, value) in fields::object(record, "data") {
            draft.app_attribute(&name, Some(value));
        }
        draft.created_at(fields::value(record, "insertInstant"));
        draft.updated_at(fields::value(record, "lastUpdateInstant"));
        draft.last_sign_in_at(fields::value(record, "lastLoginInstant"));
        for registration in fields::objects(record, "registrations") {
            self.roles(&registration, draft);
        }
        for link in links {
            // Generic types have a name that the operator chose.
            let kind =
                fields::text(&link, "identityProviderType").filter(|kind| !GENERIC_TYPES.contains(&kind.as_str()));
            let name = kind.or_else(|| fields::text(&link, "identityProviderName")).unwrap_or_default();
            let created_at = fields::value(&link, "insertInstant");
            let subject = fields::text(&link, "identityProviderUserId");
            draft.identity(&name, subject, Details { created_at, ..Details::default() });
        }
        password(record, draft);
        factors(&fields::object(record, "twoFactor"), draft);
        Kind::User
    }
}

impl Fusionauth {
    /// With several applications, the same role name can have a different meaning in each.
    fn roles(&self, registration: &Object, draft: &mut Draft<'_>) {
        let application = fields::text(registration, "applicationId").filter(|_| self.applications.len() > 1);
        for role in fields::list(registration, "roles").iter().filter_map(fields::as_text) {
            draft.role(application.as_ref().map_or_else(|| role.clone(), |id| format!("{id}/{role}")));
        }
    }
}

fn password(record: &Object, draft: &mut Draft<'_>) {
    let Some(password) = fields::text(record, "password") else { return };
    let scheme = fields::text(record, "encryptionScheme");
    let Some(scheme) = scheme else {
        draft.omit("passwords in plain text: not imported");
        return;
    };
    let salt = fields::text(record, "salt").unwrap_or_default();
    let factor = record.get("factor").and_then(Value::as_u64).unwrap_or(1);
    match hash(&scheme, &password, &salt, factor) {
        Some(hash) => draft.password_hash(Some(hash)),
        None => draft.omit(&format!("passwords of the scheme {scheme}: not supported with these parameters")),
    }
}

/// A hash in one of the formats that are imported.
fn hash(scheme: &str, password: &str, salt: &str, factor: u64) -> Option<String> {
    // The scheme names the digest; the length is that of the key.
    let pbkdf2 = |digest: &str| {
        let (key, salt) = (STANDARD.decode(password).ok()?, STANDARD.decode(salt).ok()?);
        let [salt, encoded] = [&salt, &key].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        Some(format!("$pbkdf2-{digest}$i={factor},l={}${salt}${encoded}", key.len()))
    };
    // The factor is the number of rounds; only one round is supported.
    let digest = |algorithm: &str| {
        let json = json!({
            "algorithm": algorithm,
            "hash": {"value": password, "encoding": "base64"},
            "salt": {"value": salt, "encoding": "base64", "position": "suffix"},
        });
        (factor == 1).then(|| json.to_string())
    };
    match scheme {
        "bcrypt" => Some(format!("$2a${factor:02}${salt}{password}")),
        "salted-pbkdf2-hmac-sha256" | "salted-pbkdf2-hmac-sha256-512" => pbkdf2("sha256"),
        "salted-pbkdf2-hmac-sha512" | "salted-pbkdf2-hmac-sha512-512" => pbkdf2("sha512"),
        "salted-md5" => digest("md5"),
        "salted-sha256" => digest("sha256"),
        "salted-sha512" => digest("sha512"),
        _ => None,
    }
}

fn factors(two_factor: &Object, draft: &mut Draft<'_>) {
    for method in fields::objects(two_factor, "methods") {
        if fields::text(&method, "method").is_some_and(|kind| kind != "authenticator") {
            draft.omit("second factors by phone or email: not supported");
            continue;
        }
        let options = fields::object(&method, "authenticator");
        let number = |name, default| options.get(name).and_then(Value::as_u64).unwrap_or(default);
        let algorithm = fields::text(&options, "algorithm").unwrap_or_else(|| "HmacSHA1".to_owned());
        let is_standard = algorithm == "HmacSHA1" && number("codeLength", 6) == 6 && number("timeStep", 30) == 30;
        let secret = fields::text(&method, "secret").and_then(|secret| STANDARD.decode(secret).ok());
        match secret {
            _ if !is_standard => draft.omit(UNSUPPORTED_TOTP),
            Some(secret) => draft.totp(&base32::encode(&secret), None),
            None => draft.omit("TOTP secrets: not in the file"),
        }
    }
    draft.omit_many("recovery codes: users get new ones", fields::list(two_factor, "recoveryCodes").len());
}
