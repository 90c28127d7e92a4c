//! Asks the product's old system about a sign-in, by a signed request.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::id::uuid_v7;
use denizen_domain::ports::{Clock, HookedUser, Random, SignInHook};
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::outside::{Outside, OutsideError, SigningSecret, send};

/// Asks over HTTPS.
pub struct HttpSignInHook {
    outside: Outside,
    address: SecretString,
    secret: SigningSecret,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What the old system says of a user whose password is right.
#[derive(Deserialize)]
struct HookAnswer {
    name: Option<String>,
    #[serde(default)]
    email_verified: bool,
    locale: Option<String>,
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
    async fn ask(&self, email: &EmailAddress, attempt: &PasswordAttempt) -> Option<HookedUser> {
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
        email: &EmailAddress,
        attempt: &PasswordAttempt,
    ) -> Result<Option<HookedUser>, ExchangeError> {
        let id = uuid_v7(self.clock.as_ref(), self.random.as_ref()).to_string();
        let now = self.clock.now();
        let body = json!({
            "type": "sign_in.migrate",
            "timestamp": now.to_string(),
            "data": {"email": email.as_str(), "password": attempt.expose()},
        });
        let request = self.outside.post(self.address.expose_secret())?;
        let answer = send(self.secret.sign(request, &id, now, body.to_string().into_bytes())).await?;
        match answer.status.as_u16() {
            200 => {}
            401 | 403 | 404 => return Ok(None),
            status => return Err(ExchangeError::Status(status)),
        }
        let said: HookAnswer = serde_json::from_slice(&answer.body).map_err(|_| ExchangeError::Form)?;
        Ok(Some(HookedUser {
            // What cannot be a name or a language is as good as unsaid.
            name: said.name.and_then(|name| DisplayName::parse(&name).ok()),
            email_verified: said.email_verified,
            locale: said.locale.and_then(|locale| Locale::parse(&locale).ok()),
        }))
    }
}

/// Why there is no answer that counts. Never quotes it: it may repeat what it was sent.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Outside(#[from] OutsideError),
    #[error("the status is {0}")]
    Status(u16),
    #[error("the answer has the wrong form")]
    Form,
}
