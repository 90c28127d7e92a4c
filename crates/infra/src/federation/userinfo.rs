//! Descriptions of users from the userinfo endpoint (OpenID Connect Core 1.0 §5.3) and from the APIs of OAuth 2 providers.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::exchange::Tokens;
use super::failure::Failure;
use super::fetch::{get_with_token, json_object};
use super::mapping::{add_missing, lacks_claims};
use super::metadata::Endpoints;
use super::presets::EmailList;
use super::resolve::Resolved;
use crate::outside::Outside;

/// Adds claims that the ID token lacks, if the userinfo endpoint may have them.
pub(super) async fn add_userinfo(
    outside: &Outside,
    provider: &Resolved<'_>,
    endpoints: &Endpoints,
    tokens: &Tokens,
    claims: &mut Value,
) -> Result<(), Failure> {
    let is_offered = provider.preset.is_none_or(|preset| preset.fetch_userinfo);
    let Some(url) = endpoints.userinfo.as_deref().filter(|_| is_offered && lacks_claims(provider, claims)) else {
        return Ok(());
    };
    let others = described(outside, provider, url, tokens).await?;
    // Otherwise the token may have been substituted (OpenID Connect Core 1.0 §5.3.4).
    if others.get("sub").is_none() || others.get("sub") != claims.get("sub") {
        return Err(Failure::refused("userinfo_subject"));
    }
    add_missing(claims, others);
    Ok(())
}

/// The claims about the user from an OAuth 2 provider.
pub(super) async fn user_of(
    outside: &Outside,
    provider: &Resolved<'_>,
    endpoints: &Endpoints,
    tokens: &Tokens,
) -> Result<Value, Failure> {
    if let Some(pointer) = provider.preset.and_then(|preset| preset.profile_in_token_response.as_deref()) {
        let profile = tokens.others.pointer(pointer).filter(|profile| profile.is_object());
        return profile.cloned().ok_or_else(|| Failure::because("userinfo", "the token response describes no user"));
    }
    let missing = || Failure::because("settings", "the URL of the user's description is missing");
    let url = endpoints.userinfo.as_deref().ok_or_else(missing)?;
    let mut claims = described(outside, provider, url, tokens).await?;
    if let Some(list) = provider.preset.and_then(|preset| preset.emails) {
        replace_email(outside, provider, &format!("{url}/emails"), list, tokens, &mut claims).await?;
    }
    Ok(claims)
}

async fn described(outside: &Outside, provider: &Resolved<'_>, url: &str, tokens: &Tokens) -> Result<Value, Failure> {
    let access_token = tokens.access_token.expose_secret();
    let answer = get_with_token(outside, url, access_token, headers(provider), "userinfo").await?;
    json_object(&answer, "userinfo")
}

fn headers<'a>(provider: &Resolved<'a>) -> &'a BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    provider.preset.map_or(&NONE, |preset| &preset.userinfo_headers)
}

/// Replaces the address with the primary one of the user's list, and says whether that is verified.
async fn replace_email(
    outside: &Outside,
    provider: &Resolved<'_>,
    url: &str,
    list: EmailList,
    tokens: &Tokens,
    claims: &mut Value,
) -> Result<(), Failure> {
    let Some(claims) = claims.as_object_mut() else { return Ok(()) };
    // Nothing but the list says whether an address is verified.
    claims.remove("email_verified");
    let access_token = tokens.access_token.expose_secret();
    let answer = match get_with_token(outside, url, access_token, headers(provider), "emails").await {
        // The user or the application does not permit it.
        Err(Failure::Refused { check: "emails", .. }) => return Ok(()),
        answer => answer?,
    };
    let document: Value =
        serde_json::from_slice(&answer.body).map_err(|_| Failure::because("emails", "the response is not JSON"))?;
    if let Some((email, is_verified)) = primary(&document, list) {
        claims.insert("email".to_owned(), json!(email));
        claims.insert("email_verified".to_owned(), json!(is_verified));
    }
    Ok(())
}

/// The primary address, and whether it is verified.
fn primary(document: &Value, list: EmailList) -> Option<(&str, bool)> {
    let (items, primary, verified) = match list {
        EmailList::Github => (document.as_array()?, "primary", "verified"),
        EmailList::Bitbucket => (document.get("values")?.as_array()?, "is_primary", "is_confirmed"),
    };
    let is = |item: &Value, name: &str| item.get(name).and_then(Value::as_bool).unwrap_or(false);
    let item = items.iter().find(|item| is(item, primary))?;
    Some((item.get("email")?.as_str()?, is(item, verified)))
}

#[cfg(test)]
mod tests {
    use super::{EmailList, primary};
    use serde_json::json;

    #[test]
    fn the_primary_address_is_used_whether_verified_or_not() {
        let github = json!([
            {"email": "old@example.com", "primary": false, "verified": true},
            {"email": "ada@example.com", "primary": true, "verified": false},
        ]);
        assert_eq!(primary(&github, EmailList::Github), Some(("ada@example.com", false)));
        let bitbucket = json!({"values": [{"email": "ada@example.com", "is_primary": true, "is_confirmed": true}]});
        assert_eq!(primary(&bitbucket, EmailList::Bitbucket), Some(("ada@example.com", true)));
        for nothing in [json!(null), json!([]), json!({}), json!([1]), json!([{"primary": true}])] {
            assert_eq!(primary(&nothing, EmailList::Github), None);
            assert_eq!(primary(&nothing, EmailList::Bitbucket), None);
        }
    }
}
