//! One converter for each system.

mod auth0;
mod clerk;
mod cognito;
mod csv;
mod devise;
mod django;
mod firebase;
mod fusionauth;
mod keycloak;
mod kratos;
mod okta;
mod scim;
mod supabase;
mod wordpress;
mod zitadel;

use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::source::Source;

/// The converter of a system.
pub(crate) fn converter(source: Source) -> Box<dyn Convert> {
    match source {
        Source::Auth0 => Box::new(auth0::Auth0::default()),
        Source::Clerk => Box::new(clerk::Clerk::default()),
        Source::Cognito => Box::new(cognito::Cognito::default()),
        Source::Csv => Box::new(csv::Csv::default()),
        Source::Devise => Box::new(devise::Devise::default()),
        Source::Django => Box::new(django::Django::default()),
        Source::Firebase => Box::new(firebase::Firebase),
        Source::Fusionauth => Box::new(fusionauth::Fusionauth::default()),
        Source::Keycloak => Box::new(keycloak::Keycloak::default()),
        Source::Kratos => Box::new(kratos::Kratos),
        Source::Okta => Box::new(okta::Okta::default()),
        Source::Scim => Box::new(scim::Scim),
        Source::Supabase => Box::new(supabase::Supabase::default()),
        Source::Wordpress => Box::new(wordpress::Wordpress::default()),
        Source::Zitadel => Box::new(zitadel::Zitadel::default()),
    }
}

/// Leaves out a user who has no address.
fn without_address(draft: &mut Draft<'_>) -> Kind {
    // A map may name a field with the address.
    if draft.options.map.fields.contains_key("email") {
        return Kind::User;
    }
    draft.omit("users without an email address: left out");
    Kind::LeftOut
}

/// The key and digest of a plain hexadecimal hash as Auth0's `custom_password_hash`, which is one of the formats that
/// are imported.
fn hex_digest(algorithm: &str, hex: &str) -> String {
    serde_json::json!({"algorithm": algorithm, "hash": {"value": hex, "encoding": "hex"}}).to_string()
}
