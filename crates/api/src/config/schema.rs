//! Values about users: JSON Schemas, claims, domains of addresses.

use std::path::PathBuf;

use denizen_domain::tokens::AttributeClaim;
use denizen_domain::users::EmailDomain;

use super::rule::Rule;

/// Where a JSON Schema is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// In the value.
    Inline(String),
    /// In a file.
    File(PathBuf),
}

/// Domains of email addresses.
pub(super) fn email_domains() -> Rule<Vec<EmailDomain>> {
    Rule::of_list("a list of domains such as example.com, without wildcards", EmailDomain::parse)
}

/// Claims that are taken from attributes.
pub(super) fn attribute_claims() -> Rule<Vec<AttributeClaim>> {
    let expected = "a list of claims such as plan=app_attributes.plan, none with the name of a standard claim";
    Rule::of_list(expected, AttributeClaim::parse)
}

/// A JSON Schema.
pub(super) fn schema() -> Rule<SchemaSource> {
    Rule::of_text("a file path, or a JSON Schema that begins with {", |text| {
        let text = text.trim();
        if text.starts_with('{') {
            return Some(SchemaSource::Inline(text.to_owned()));
        }
        (!text.is_empty() && !text.contains(char::is_control) && !text.ends_with('/'))
            .then(|| SchemaSource::File(text.into()))
    })
}
