//! Who a request says to be (RFC 6749 §2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::Ctx;
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::tokens::{Client, ClientCredentials, FIRST_PARTY_CLIENT_ID, authenticate_client};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

use super::error::invalid_request;
use super::form::Form;
use crate::http::problem::Problem;

/// What a request presents to say who asks: at most one thing.
pub(super) enum Presented {
    /// Nothing.
    Nothing,
    /// A client's id and secret.
    Client(ClientCredentials),
    /// An access token or an API key.
    Bearer(SecretString),
}

impl Presented {
    /// Reads the header and takes the client's parameters out of the form.
    pub(super) fn of(headers: &HeaderMap, form: &mut Form) -> Result<Self, Problem> {
        let in_header = in_header(headers)?;
        let (id, secret) = (form.take("client_id"), form.take("client_secret"));
        match (in_header, id, secret) {
            (presented, None, None) => Ok(presented),
            // Naming oneself again is no second way to authenticate (RFC 6749 §3.2.1).
            (Self::Client(client), Some(id), None) if client.id == id.expose_secret() => Ok(Self::Client(client)),
            (Self::Nothing, Some(id), Some(secret)) => {
                Ok(Self::Client(ClientCredentials { id: id.expose_secret().to_owned(), secret }))
            }
            (Self::Nothing, None, Some(_)) => Err(invalid_request("A client_secret requires its client_id.")),
            // A public client names itself and proves nothing (RFC 6749 §3.2.1).
            (Self::Nothing, Some(id), None) if id.expose_secret() == FIRST_PARTY_CLIENT_ID => Ok(Self::Nothing),
            (Self::Nothing, Some(_), None) => Err(refused()),
            (Self::Client(_) | Self::Bearer(_), _, _) => Err(in_several_ways()),
        }
    }

    /// The client that proved who it is; `None` when the request does not say to be one. An access token that is sent
    /// along is no client and is not looked at.
    pub(super) async fn client(&self, ctx: &Ctx) -> Result<Option<Client>, Problem> {
        match self {
            Self::Client(credentials) => Ok(Some(authenticate_client(ctx, credentials).await?)),
            Self::Nothing | Self::Bearer(_) => Ok(None),
        }
    }
}

/// The answer to a client that did not prove who it is.
pub(super) fn refused() -> Problem {
    Error::Unauthenticated(Unauthenticated::InvalidClient).into()
}

fn in_several_ways() -> Problem {
    invalid_request("Use exactly one client authentication method.")
}

fn in_header(headers: &HeaderMap) -> Result<Presented, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Presented::Nothing) };
    if values.next().is_some() {
        return Err(in_several_ways());
    }
    let (scheme, text) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    let text = text.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        basic(text).map(Presented::Client).ok_or_else(refused)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Presented::Bearer(text.into()))
    } else {
        Err(refused())
    }
}

/// Id and secret, each encoded as in a form before they were joined.
fn basic(encoded: &str) -> Option<ClientCredentials> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(ClientCredentials { id: form_decoded(id)?, secret: form_decoded(secret)?.into() })
}

fn form_decoded(text: &str) -> Option<String> {
    // As the value of a parameter, where `&` and `=` would stand for themselves.
    if text.contains('&') {
        return None;
    }
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(joined: &str, expected: Option<(&str, &str)>) {
        let read = basic(&STANDARD.encode(joined));
        let read = read.as_ref().map(|client| (client.id.as_str(), client.secret.expose_secret()));
        assert_eq!(read, expected, "{joined}");
    }

    #[test]
    fn id_and_secret_are_decoded_after_they_are_parted() {
        check("id:secret", Some(("id", "secret")));
        check("a%3Ab:c%2Bd", Some(("a:b", "c+d")));
        check("a+b:c:d", Some(("a b", "c:d")));
        check("id:", Some(("id", "")));
        check("id:a=b", Some(("id", "a=b")));
        check("id", None);
        check("id:a&b", None);
        assert!(basic("***").is_none());
    }
}
