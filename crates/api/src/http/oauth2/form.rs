//! The parameters of a request in a form (RFC 6749 §3.2).

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;
use secrecy::{ExposeSecret, SecretString};

use super::error::invalid_request;
use crate::http::extract::read_problem;
use crate::http::problem::Problem;

/// More parameters than all grants together know.
const PARAMETERS_MAX: usize = 64;

/// The parameters of all operations. Only these may not be repeated: RFC 6749 §3.2 has unrecognized ones ignored, and
/// RFC 8707 §2 repeats `resource`.
const RECOGNIZED: [&str; 7] =
    ["grant_type", "scope", "refresh_token", "client_id", "client_secret", "token", "token_type_hint"];

/// The recognized parameters by name. One without a value counts as absent, except for `client_id`: no client has an
/// empty id. One that is given twice is refused.
pub(super) struct Form(BTreeMap<String, SecretString>);

impl Form {
    /// Takes out a parameter; `None` when it was not given.
    pub(super) fn take(&mut self, name: &str) -> Option<SecretString> {
        self.0.remove(name)
    }

    fn read(body: &[u8]) -> Result<Self, Problem> {
        let malformed = |_| invalid_request("The body is not a valid form.");
        let pairs: Vec<(String, SecretString)> = serde_urlencoded::from_bytes(body).map_err(malformed)?;
        if pairs.len() > PARAMETERS_MAX {
            return Err(invalid_request("There are too many parameters."));
        }
        let mut form = BTreeMap::new();
        for (name, value) in pairs {
            if !RECOGNIZED.contains(&name.as_str()) {
                continue;
            }
            if value.expose_secret().is_empty() {
                if name == "client_id" {
                    return Err(invalid_request("The client_id is empty. Send the id of a client, or omit it."));
                }
                continue;
            }
            if form.insert(name, value).is_some() {
                return Err(invalid_request("Parameters must not be repeated."));
            }
        }
        Ok(Self(form))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let bytes = request.into_body().collect().await.map_err(|error| read_problem(&error))?.to_bytes();
        Self::read(&bytes)
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(invalid_request("Send the body without a content encoding."));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if is_form { Ok(()) } else { Err(invalid_request("Send the body as application/x-www-form-urlencoded.")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, name: &str, expected: Option<&str>) {
        let mut form = Form::read(body.as_bytes()).unwrap_or_else(|_| panic!("{body} is refused"));
        assert_eq!(form.take(name).as_ref().map(ExposeSecret::expose_secret), expected, "{body}");
    }

    #[test]
    fn parameters_are_decoded_and_empty_ones_absent() {
        check("grant_type=refresh_token", "grant_type", Some("refresh_token"));
        check("scope=users%3Aread+users%3Awrite", "scope", Some("users:read users:write"));
        check("scope=&scope=users%3Aread", "scope", Some("users:read"));
        check("scope", "scope", None);
        check("scope=", "scope", None);
        check("", "scope", None);
        check("token=b=c", "token", Some("b=c"));
        check("token=%ff", "token", Some("\u{fffd}"));
        check("resource=a&resource=b&token=x&unknown=1&unknown=2", "token", Some("x"));
        check("resource=a", "resource", None);
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        for body in ["scope=1&scope=1", "token=x&token=y", "token=x&%74oken=y", "client_id=a&token=x&client_id=a"] {
            assert!(Form::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_empty_client_id_is_refused() {
        for body in ["client_id=", "client_id", "client_id=&client_id=x", "grant_type=refresh_token&client_id="] {
            assert!(Form::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn there_is_a_bound_on_parameters() {
        let body: Vec<_> = (0..=PARAMETERS_MAX).map(|at| format!("p{at}=1")).collect();
        assert!(Form::read(body.join("&").as_bytes()).is_err());
        assert!(Form::read(body[1..].join("&").as_bytes()).is_ok());
    }
}
