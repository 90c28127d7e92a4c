//! Ory Kratos: the response of `GET /admin/identities?include_credential=password&include_credential=oidc&…`, or of
//! `ory list identities`. Traits are those of your identity schema: `email`, `name` (a text, or `first` and `last`),
//! `username` and `phone` are known, `--map` names others.
//!
//! Format: the object `identity` of <https://www.ory.sh/docs/reference/api#tag/identity>, and `identity/credentials_*.go`
//! of ory/kratos.

use super::without_address;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft, UNSUPPORTED_TOTP};
use crate::fields::{self, Object};
use crate::input::Paths;

pub(super) struct Kratos;

const KNOWN: [&str; 10] =
    ["email", "name", "username", "phone", "first_name", "last_name", "given_name", "family_name", "picture", "locale"];

impl Convert for Kratos {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["identities", "*"]]
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let traits = fields::object(record, "traits");
        if traits.is_empty() {
            return Kind::Unknown;
        }
        let addresses = fields::objects(record, "verifiable_addresses");
        let by_mail = || addresses.iter().find(|at| fields::text(at, "via").is_some_and(|via| via == "email"));
        let email = fields::text(&traits, "email").or_else(|| fields::text(by_mail()?, "value"));
        let Some(email) = email else { return without_address(draft) };
        let of_email = addresses
            .iter()
            .find(|at| fields::text(at, "value").is_some_and(|value| value.eq_ignore_ascii_case(&email)));
        draft.record.email_verified = Some(of_email.and_then(|at| fields::flag(at, "verified")) == Some(true));
        draft.email(Some(email));
        draft.id(fields::text(record, "id"));
        draft.disable_if(fields::text(record, "state").is_some_and(|state| state != "active"));
        draft.name(fields::first_text(&traits, &["name", "display_name", "full_name"]));
        draft.name_parts(
            fields::first_text(&traits, &["/name/first", "first_name", "given_name"]),
            fields::first_text(&traits, &["/name/last", "last_name", "family_name"]),
        );
        draft.username(fields::text(&traits, "username"));
        let phone = fields::text(&traits, "phone");
        let of_phone = addresses.iter().find(|at| fields::text(at, "value") == phone);
        let is_verified = of_phone.and_then(|at| fields::flag(at, "verified"));
        draft.phone(phone, is_verified);
        draft.attributes_from(&traits, &["picture"]);
        draft.locale(fields::text(&traits, "locale"));
        for (name, value) in traits.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
            draft.attribute(name, Some(value.clone()));
        }
        // Only the admin API writes both.
        for kind in ["metadata_admin", "metadata_public"] {
            for (name, value) in fields::object(record, kind) {
                if matches!(name.as_str(), "role" | "roles" | "groups") {
                    draft.roles_in(Some(&value));
                }
                draft.app_attribute(&name, Some(value));
            }
        }
        draft.created_at(fields::value(record, "created_at"));
        draft.updated_at(fields::value(record, "updated_at"));
        credentials(&fields::object(record, "credentials"), draft);
        Kind::User
    }
}

fn credentials(credentials: &Object, draft: &mut Draft<'_>) {
    for name in credentials.keys() {
        let credential = fields::object(credentials, name);
        let config = fields::object(&credential, "config");
        match name.as_str() {
            "password" => match fields::text(&config, "hashed_password") {
                Some(hash) => draft.password_hash(Some(hash)),
                None => draft.omit("passwords: not in the file; add include_credential=password"),
            },
            "oidc" => oidc(&credential, &config, draft),
            "totp" => match fields::text(&config, "totp_url") {
                Some(url) => totp(&url, &credential, draft),
                None => draft.omit("TOTP secrets: not in the file; add include_credential=totp"),
            },
            "lookup_secret" => draft.omit("recovery codes: users get new ones"),
            "webauthn" | "passkey" => draft.omit("passkeys: not supported; users register them again"),
            // Codes by mail need no credential.
            "code" | "link_recovery" | "code_recovery" => {}
            name => draft.omit(&format!("credentials of the type {name}: not supported")),
        }
    }
}

fn oidc(credential: &Object, config: &Object, draft: &mut Draft<'_>) {
    let providers = fields::objects(config, "providers");
    let created_at = fields::value(credential, "created_at");
    for provider in &providers {
        let name = fields::text(provider, "provider").unwrap_or_default();
        draft.identity(&name, fields::text(provider, "subject"), Details { created_at, ..Details::default() });
    }
    if providers.is_empty() {
        // Without the configuration, the identifiers are provider:subject.
        for identifier in fields::list(credential, "identifiers").iter().filter_map(fields::as_text) {
            if let Some((name, subject)) = identifier.split_once(':') {
                draft.identity(name, Some(subject.to_owned()), Details { created_at, ..Details::default() });
            }
        }
    }
}

/// `otpauth://totp/…?secret=…&algorithm=SHA1&digits=6&period=30`.
fn totp(url: &str, credential: &Object, draft: &mut Draft<'_>) {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let parameter = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(found, _)| *found == name))
            .map(|(_, value)| value)
    };
    let is_value = |name, expected: &str| parameter(name).is_none_or(|value| value.eq_ignore_ascii_case(expected));
    if !is_value("algorithm", "SHA1") || !is_value("digits", "6") || !is_value("period", "30") {
        return draft.omit(UNSUPPORTED_TOTP);
    }
    let confirmed_at = draft.moment("totp", fields::value(credential, "created_at"));
    match parameter("secret") {
        Some(secret) => draft.totp(secret, confirmed_at),
        None => draft.omit("TOTP secrets: not base32"),
    }
}
