//! Asks the product's old system about a sign-in, by a signed request.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::id::uuid_v7;
use denizen_domain::ports::{Clock, HookedUser, Random, SignInHook};
use denizen_domain::users::{DisplayName, Locale, TypedEmail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::outside::{Outside, OutsideError, SigningSecret, send};

/// Asks over HTTPS.
pub struct HttpSignInHook {
    outside: Outside,
    address: SecretString,
    secret: SigningSecret,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What the old system says of a user whose password is right. `null` is the same as an absent member.
#[derive(Debug, Default, PartialEq)]
struct HookAnswer {
    name: Option<String>,
    email_verified: Option<bool>,
    locale: Option<String>,
}

impl HookAnswer {
    fn parse(body: &[u8]) -> Result<Self, ExchangeError> {
        let mut members: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| ExchangeError::Form { expected: "a JSON object" })?;
        let mut member = |name| members.remove(name).filter(|value| !value.is_null());
        Ok(Self {
            name: member("name").map(|value| text(value, "a string or null as `name`")).transpose()?,
            email_verified: member("email_verified").as_ref().map(boolean).transpose()?,
            locale: member("locale").map(|value| text(value, "a string or null as `locale`")).transpose()?,
        })
    }
}

fn text(value: Value, expected: &'static str) -> Result<String, ExchangeError> {
    if let Value::String(text) = value { Ok(text) } else { Err(ExchangeError::Form { expected }) }
}

fn boolean(value: &Value) -> Result<bool, ExchangeError> {
    value.as_bool().ok_or(ExchangeError::Form { expected: "true, false or null as `email_verified`" })
}

impl HttpSignInHook {
    /// Asks at this address, and signs with this secret.
    #[must_use]
    pub fn new(
        outside: Outside,
        address: SecretString,
        secret: SigningSecret,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { outside, address, secret, clock, random }
    }
}

#[async_trait]
impl SignInHook for HttpSignInHook {
    async fn ask(&self, email: &TypedEmail, attempt: &PasswordAttempt) -> Option<HookedUser> {
        match self.exchange(email, attempt).await {
            Ok(said) => said,
            Err(error) => {
                let source = error.source().map(ToString::to_string);
                tracing::warn!(%error, source, "the sign-in hook failed");
                None
            }
        }
    }
}

impl HttpSignInHook {
    async fn exchange(
        &self,
        email: &TypedEmail,
        attempt: &PasswordAttempt,
    ) -> Result<Option<HookedUser>, ExchangeError> {
        let id = uuid_v7(self.clock.as_ref(), self.random.as_ref()).to_string();
        let now = self.clock.now();
        let body = json!({
            "type": "sign_in.migrate",
            "timestamp": now.to_string(),
            "data": {
                "email": email.as_typed(),
                "canonical_email": email.address().as_str(),
                "password": attempt.expose_typed(),
            },
        });
        let request = self.outside.post(self.address.expose_secret())?;
        let answer = send(self.secret.sign(request, &id, now, body.to_string().into_bytes())).await?;
        match answer.status.as_u16() {
            200 => {}
            401 | 403 | 404 => return Ok(None),
            status => return Err(ExchangeError::Status(status)),
        }
        let said = HookAnswer::parse(&answer.body)?;
        Ok(Some(HookedUser {
            // What cannot be a name or a language is as good as unsaid.
            name: said.name.and_then(|name| DisplayName::parse(&name).ok()),
            email_verified: said.email_verified.unwrap_or(false),
            locale: said.locale.and_then(|locale| Locale::parse(&locale).ok()),
        }))
    }
}

/// Why there is no answer that counts. Never quotes it: it may repeat what it was sent.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Outside(#[from] OutsideError),
    #[error("the hook returned status {0}")]
    Status(u16),
    #[error("the response of the hook is not valid; expected {expected}")]
    Form { expected: &'static str },
}

#[cfg(test)]
mod tests {
    use super::HookAnswer;

    #[test]
    fn null_is_the_same_as_an_absent_member() {
        let parse = |body: &str| HookAnswer::parse(body.as_bytes()).map_err(|error| error.to_string());
        let nothing = Ok(HookAnswer::default());
        assert_eq!(parse("{}"), nothing);
        assert_eq!(parse(r#"{"name":null,"email_verified":null,"locale":null,"more":null}"#), nothing);
        let whole = HookAnswer { name: Some("A".into()), email_verified: Some(true), locale: Some("fr".into()) };
        assert_eq!(parse(r#"{"name":"A","email_verified":true,"locale":"fr","more":[1]}"#), Ok(whole));
    }

    #[test]
    fn an_answer_of_another_form_names_what_is_expected_and_quotes_nothing() {
        for (body, expected) in [
            ("", "a JSON object"),
            ("null", "a JSON object"),
            (r#"["hunter2"]"#, "a JSON object"),
            (r#"{"name":["hunter2"]}"#, "a string or null as `name`"),
            (r#"{"email_verified":"hunter2"}"#, "true, false or null as `email_verified`"),
            (r#"{"locale":7}"#, "a string or null as `locale`"),
        ] {
            let error = HookAnswer::parse(body.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("the response of the hook is not valid; expected {expected}"), "{body}");
        }
    }
}
