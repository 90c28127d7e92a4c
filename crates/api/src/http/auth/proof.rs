//! How an application proves that its user signed in at a provider: the bodies.

use denizen_domain::error::FieldError;
use denizen_domain::identities::{NativeCode, Proof};
use denizen_domain::providers::ProviderName;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::extract::Fields;
use crate::http::problem::Problem;

/// The proof that the user signed in at the provider: `code` and `code_verifier`, `id_token` and `nonce`, or
/// `authorization_code` and `nonce`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "dnx_AZNlqHsffD6NDAocLT5PUAAAAAAA", "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}))]
pub(crate) struct LinkBody {
    /// The `code` with which the browser came back to `redirect_to`; it begins with `dnx_`.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// The verifier of the `code_challenge` of the request that `code` or `authorization_code` is the result of (RFC 7636).
    #[schema(value_type = Option<String>, min_length = 43, max_length = 128)]
    code_verifier: Option<SecretString>,
    /// The ID token that the provider issued to the native application.
    #[schema(value_type = Option<String>)]
    id_token: Option<SecretString>,
    /// The nonce of `POST /api/v1/auth/{provider}/nonces`.
    #[schema(value_type = Option<String>)]
    nonce: Option<SecretString>,
    /// The authorization code that the provider issued to the native application.
    #[schema(value_type = Option<String>, max_length = 4096)]
    authorization_code: Option<SecretString>,
    /// With `authorization_code`: the redirect URI of the application's request, one of `native_redirect_urls`.
    redirect_uri: Option<String>,
    /// With `authorization_code`: the client id of the application's request, one of `native_client_ids`.
    client_id: Option<String>,
}

/// An authorization code of a native application, as it is in a body.
pub(super) struct AuthorizationCode {
    pub(super) code: Option<SecretString>,
    pub(super) code_verifier: Option<SecretString>,
    pub(super) redirect_uri: Option<String>,
    pub(super) client_id: Option<String>,
}

impl LinkBody {
    /// The proof; every missing field is reported.
    pub(crate) fn proof(self, provider: ProviderName) -> Result<Proof, Problem> {
        if self.code.is_some() {
            let others = [
                ("id_token", self.id_token.is_some()),
                ("authorization_code", self.authorization_code.is_some()),
                ("nonce", self.nonce.is_some()),
                ("redirect_uri", self.redirect_uri.is_some()),
                ("client_id", self.client_id.is_some()),
            ];
            refuse_beside("code", &others)?;
            return code_proof(self.code, self.code_verifier, Some(provider));
        }
        if self.id_token.is_none() && self.nonce.is_none() && self.authorization_code.is_none() {
            return code_proof(None, self.code_verifier, Some(provider));
        }
        let code = AuthorizationCode {
            code: self.authorization_code,
            code_verifier: self.code_verifier,
            redirect_uri: self.redirect_uri,
            client_id: self.client_id,
        };
        native_proof(provider, self.id_token, code, self.nonce)
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
pub(super) fn native_proof(
    provider: ProviderName,
    id_token: Option<SecretString>,
    native: AuthorizationCode,
    nonce: Option<SecretString>,
) -> Result<Proof, Problem> {
    let AuthorizationCode { code, code_verifier, redirect_uri, client_id } = native;
    let Some(code) = code else {
        let others = [
            ("code_verifier", code_verifier.is_some()),
            ("redirect_uri", redirect_uri.is_some()),
            ("client_id", client_id.is_some()),
        ];
        refuse_beside("id_token", &others)?;
        return id_token_proof(provider, id_token, nonce);
    };
    refuse_beside("authorization_code", &[("id_token", id_token.is_some())])?;
    let mut fields = Fields::default();
    let code = required(&mut fields, "authorization_code", Some(code));
    let nonce = required(&mut fields, "nonce", nonce);
    let (code, nonce) = fields.finish(code.zip(nonce))?;
    Ok(Proof::AuthorizationCode { provider, code: NativeCode { code, code_verifier, redirect_uri, client_id }, nonce })
}

/// Refuses fields that belong to another kind of proof.
fn refuse_beside(kind: &str, others: &[(&'static str, bool)]) -> Result<(), Problem> {
    let fault = |(field, _): &(&'static str, bool)| {
        FieldError::new(*field, "not_allowed", format!("must not be combined with {kind}"))
    };
    let faults: Vec<FieldError> = others.iter().filter(|(_, is_present)| *is_present).map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

fn id_token_proof(
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
