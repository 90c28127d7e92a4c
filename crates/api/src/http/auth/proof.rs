//! How an application proves that its user signed in at a provider: the bodies.

use denizen_domain::error::FieldError;
use denizen_domain::identities::Proof;
use denizen_domain::providers::ProviderName;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::extract::Fields;
use crate::http::problem::Problem;

/// The proof that the user signed in at the provider: `code` and `code_verifier`, or `id_token` and `nonce`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "dnx_AZNlqHsffD6NDAocLT5PUAAAAAAA", "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}))]
pub(crate) struct LinkBody {
    /// The `code` with which the browser came back to `redirect_to`; it begins with `dnx_`.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// The verifier of the `code_challenge` (RFC 7636).
    #[schema(value_type = Option<String>, min_length = 43, max_length = 128)]
    code_verifier: Option<SecretString>,
    /// The ID token that the provider issued to the native application.
    #[schema(value_type = Option<String>)]
    id_token: Option<SecretString>,
    /// The nonce of `POST /api/v1/auth/{provider}/nonces`.
    #[schema(value_type = Option<String>)]
    nonce: Option<SecretString>,
}

impl LinkBody {
    /// The proof; every missing field is reported.
    pub(crate) fn proof(self, provider: ProviderName) -> Result<Proof, Problem> {
        if self.id_token.is_some() || self.nonce.is_some() {
            return id_token_proof(provider, self.id_token, self.nonce);
        }
        code_proof(self.code, self.code_verifier, Some(provider))
    }
}

/// The proof of the browser flow, at this provider or at any.
pub(super) fn code_proof(
    code: Option<SecretString>,
    verifier: Option<SecretString>,
    provider: Option<ProviderName>,
) -> Result<Proof, Problem> {
    let mut fields = Fields::default();
    let code = required(&mut fields, "code", code);
    let verifier = required(&mut fields, "code_verifier", verifier);
    let (code, verifier) = fields.finish(code.zip(verifier))?;
    Ok(Proof::Code { code, verifier, provider })
}

/// The proof of a native application.
pub(super) fn id_token_proof(
    provider: ProviderName,
    id_token: Option<SecretString>,
    nonce: Option<SecretString>,
) -> Result<Proof, Problem> {
    let mut fields = Fields::default();
    let id_token = required(&mut fields, "id_token", id_token);
    let nonce = required(&mut fields, "nonce", nonce);
    let (id_token, nonce) = fields.finish(id_token.zip(nonce))?;
    Ok(Proof::IdToken { provider, id_token, nonce })
}

fn required(fields: &mut Fields, name: &'static str, value: Option<SecretString>) -> Option<SecretString> {
    let value = value.filter(|value| !value.expose_secret().is_empty());
    if value.is_none() {
        fields.refuse(FieldError::new(name, "required", "is required"));
    }
    value
}
