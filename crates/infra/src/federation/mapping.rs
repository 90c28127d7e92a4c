//! Maps the claims of a provider to the fields of a user.

use std::collections::BTreeSet;

use denizen_domain::providers::{EmailTrust, OutsideIdentity};
use denizen_domain::roles::RoleName;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, EmailDomain, Locale};
use denizen_domain::value::{self, Object};
use serde_json::Value;

use super::failure::Failure;
use super::id_token::SUBJECT_BYTES_MAX;
use super::presets::EmailRule;
use super::resolve::Resolved;

/// The most mapped attributes.
pub(super) const ATTRIBUTES_MAX: usize = 32;
/// The largest value of a mapped attribute, in bytes of JSON.
const ATTRIBUTE_BYTES_MAX: usize = 1_024;
/// What the names of attributes start with in the settings.
pub(super) const ATTRIBUTE_PREFIX: &str = "attributes.";
/// The domains of which Google hosts every mailbox.
const GMAIL_DOMAINS: [&str; 2] = ["gmail.com", "googlemail.com"];

/// The value of a claim: by its name, or by a JSON Pointer (RFC 6901). JSON's null counts as absent.
pub(super) fn claim<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    let value = if path.starts_with('/') { claims.pointer(path) } else { claims.get(path) };
    value.filter(|value| !value.is_null())
}

/// Maps the claims of an authenticated user.
pub(super) fn identity(provider: &Resolved<'_>, issuer: String, claims: &Value) -> Result<OutsideIdentity, Failure> {
    let subject = subject(provider, claims)?;
    let text = |field| claim(claims, provider.claim(field)).and_then(Value::as_str);
    let email = text("email").and_then(|email| EmailAddress::parse(email).ok());
    let email_verified = email.as_ref().is_some_and(|email| is_verified(provider, claims, email));
    check_domain(&provider.settings.allowed_domains, email.as_ref().filter(|_| email_verified))?;
    Ok(OutsideIdentity {
        issuer,
        subject,
        email,
        email_verified,
        name: text("name").and_then(display_name).or_else(|| composed_name(claims)),
        locale: text("locale").and_then(|locale| Locale::parse(locale).ok()),
        attributes: attributes(provider, claims),
        role: role(provider, claims),
        has_proven_second_factor: provider.settings.trust_mfa && has_several_factors(claims),
    })
}

/// Whether claims are missing that the settings make use of, and that the userinfo endpoint may have.
pub(super) fn lacks_claims(provider: &Resolved<'_>, claims: &Value) -> bool {
    let is_missing = |path: &str| claim(claims, path).is_none();
    let settings = provider.settings;
    let needs_verified = provider.email_trust() == EmailTrust::Claim;
    is_missing(provider.claim("email"))
        || (needs_verified && is_missing(provider.claim("email_verified")))
        || (is_missing(provider.claim("name")) && composed_name(claims).is_none())
        || settings.role_claim.as_deref().is_some_and(is_missing)
        || settings.claims.iter().any(|(field, path)| field.starts_with(ATTRIBUTE_PREFIX) && is_missing(path))
}

fn subject(provider: &Resolved<'_>, claims: &Value) -> Result<String, Failure> {
    let part = |path: &str| match claim(claims, path) {
        Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    };
    let parts = provider.subject_parts();
    let subject = if parts.is_empty() {
        part(provider.claim("subject"))
    } else {
        parts.iter().map(|path| part(path)).collect::<Option<Vec<_>>>().map(|parts| parts.join(":"))
    };
    subject.filter(|subject| subject.len() <= SUBJECT_BYTES_MAX).ok_or_else(|| Failure::refused("subject"))
}

fn is_verified(provider: &Resolved<'_>, claims: &Value, email: &EmailAddress) -> bool {
    let is_claimed = || claim(claims, provider.claim("email_verified")).is_some_and(is_true);
    match provider.email_trust() {
        EmailTrust::Never => false,
        EmailTrust::Always => true,
        EmailTrust::Claim => is_claimed() && meets_rule(provider, claims, email),
    }
}

/// The rule of the preset, which narrows what the claim says.
fn meets_rule(provider: &Resolved<'_>, claims: &Value, email: &EmailAddress) -> bool {
    match provider.preset.and_then(|preset| preset.email_rule) {
        None => true,
        Some(EmailRule::Google) => {
            let has_domain = claim(claims, "hd").and_then(Value::as_str).is_some_and(|domain| !domain.is_empty());
            has_domain || GMAIL_DOMAINS.contains(&email.domain())
        }
    }
}

/// Providers write `true` in several ways: Apple as text, Microsoft and Zoom as a number.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_u64() == Some(1),
        Value::String(text) => matches!(text.as_str(), "true" | "1"),
        _ => false,
    }
}

fn check_domain(allowed: &[String], verified: Option<&EmailAddress>) -> Result<(), Failure> {
    let is_allowed = |email: &EmailAddress| {
        allowed.iter().filter_map(|domain| EmailDomain::parse(domain)).any(|domain| domain.contains(email))
    };
    if allowed.is_empty() || verified.is_some_and(is_allowed) {
        return Ok(());
    }
    Err(Failure::refused("allowed_domains"))
}

/// A name that is too long is cut; one that has forbidden characters is dropped.
fn display_name(raw: &str) -> Option<DisplayName> {
    let cut: String = raw.trim().chars().take(DisplayName::CHARS_MAX).collect();
    DisplayName::parse(&cut).ok()
}

/// Given name and family name, for providers without a full one.
fn composed_name(claims: &Value) -> Option<DisplayName> {
    let text = |name| claim(claims, name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    display_name(&format!("{} {}", text("given_name"), text("family_name")))
}

/// The mapped attributes that fit. What does not fit is ignored: a provider must not be able to prevent a sign-in by it.
fn attributes(provider: &Resolved<'_>, claims: &Value) -> Object {
    let mut object = Object::new();
    let mapped = provider.settings.claims.iter();
    let mapped = mapped.filter_map(|(field, path)| Some((field.strip_prefix(ATTRIBUTE_PREFIX)?, path)));
    for (name, path) in mapped.take(ATTRIBUTES_MAX) {
        let Some(value) = claim(claims, path) else { continue };
        if serde_json::to_vec(value).map_or(usize::MAX, |json| json.len()) > ATTRIBUTE_BYTES_MAX {
            continue;
        }
        let Ok(value) = serde_json::from_value::<value::Value>(value.clone()) else { continue };
        let before = object.insert(name.to_owned(), value);
        debug_assert!(before.is_none(), "the names are those of a map");
        if Attributes::parse(object.clone()).is_err() {
            object.remove(name);
        }
    }
    object
}

fn role(provider: &Resolved<'_>, claims: &Value) -> Option<RoleName> {
    let value = claim(claims, provider.settings.role_claim.as_deref()?)?;
    let has = |wanted: &str| match value {
        Value::String(text) => text == wanted,
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(wanted)),
        _ => false,
    };
    let (_, role) = provider.settings.roles.iter().find(|(wanted, _)| has(wanted))?;
    RoleName::parse(role).ok()
}

/// Whether `amr` reports multi-factor authentication, or methods of two kinds of factors (RFC 8176 §2).
fn has_several_factors(claims: &Value) -> bool {
    let Some(Value::Array(methods)) = claims.get("amr") else { return false };
    let methods = || methods.iter().filter_map(Value::as_str);
    let kinds: BTreeSet<&str> = methods().filter_map(factor_kind).collect();
    methods().any(|method| method == "mfa") || kinds.len() > 1
}

fn factor_kind(method: &str) -> Option<&'static str> {
    Some(match method {
        "pwd" | "pin" | "kba" => "knowledge",
        "otp" | "sms" | "tel" | "hwk" | "swk" | "sc" | "pop" => "possession",
        "face" | "fpt" | "iris" | "retina" | "vbm" => "inherence",
        _ => return None,
    })
}

/// Adds the name from the profile that Apple sends once (`{"name": {"firstName", "lastName"}}`). The address in it passed
/// through the browser, so it is ignored.
pub(super) fn add_apple_name(claims: &mut Value, user: &str) {
    let profile: Value = serde_json::from_str(user).unwrap_or_default();
    let Some(claims) = claims.as_object_mut() else { return };
    for (claim, pointer) in [("given_name", "/name/firstName"), ("family_name", "/name/lastName")] {
        if let Some(text) = profile.pointer(pointer).and_then(Value::as_str) {
            claims.entry(claim).or_insert_with(|| text.into());
        }
    }
}

/// Adds the claims that are missing.
pub(super) fn add_missing(claims: &mut Value, others: Value) {
    let (Some(claims), Value::Object(others)) = (claims.as_object_mut(), others) else { return };
    for (name, value) in others {
        let slot = claims.entry(name).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
}
