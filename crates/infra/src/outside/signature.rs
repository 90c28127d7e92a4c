//! Signatures by the convention of Standard Webhooks: who receives a request can tell that it is ours, and when it was
//! made.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::time::Timestamp;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// What a secret may hold, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ followed by 24 to 64 random bytes in base64")]
pub struct SecretError;

/// A secret that requests are signed with.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Reads a secret.
    ///
    /// # Errors
    /// When it has another form or length.
    pub fn parse(text: &SecretString) -> Result<Self, SecretError> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError)?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Lays the body and its signature on a request.
    pub fn sign(&self, request: RequestBuilder, id: &str, at: Timestamp, body: Vec<u8>) -> RequestBuilder {
        sign_with(std::slice::from_ref(self), request, id, at, body)
    }

    fn signature(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, &signed)))
    }
}

/// Lays the body and its signatures on a request, one by each secret: while a secret is replaced, two are good.
pub(crate) fn sign_with(
    secrets: &[SigningSecret],
    request: RequestBuilder,
    id: &str,
    at: Timestamp,
    body: Vec<u8>,
) -> RequestBuilder {
    let seconds = at.as_seconds();
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.signature(id, seconds, &body)).collect();
    request
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signatures.join(" "))
        .header(CONTENT_TYPE, "application/json")
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::SigningSecret;

    // The example of the specification (standard-webhooks, spec/standard-webhooks.md).
    #[test]
    fn the_example_of_the_convention_is_signed_so() {
        let secret = SigningSecret::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature = secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn short_and_bare_secrets_are_refused() {
        for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64"] {
            assert!(SigningSecret::parse(&text.into()).is_err(), "{text}");
        }
    }
}
