//! The JSON types of WebAuthn Level 3 (§5.1.8 to §5.1.10), for the OpenAPI document. Nothing is read or written through
//! them: options come from the adapter as JSON, and credentials go to it as JSON.
#![expect(dead_code, reason = "the fields are schemas")]

use serde_json::Value;
use utoipa::ToSchema;

/// `PublicKeyCredentialCreationOptionsJSON`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "rp": {"id": "example.com", "name": "Example"},
    "user": {"id": "h2NfYzGmS9Gf0nYwV0x1Pw", "name": "ada@example.com", "displayName": "Ada Lovelace"},
    "challenge": "Ch25VwsxWgHuoJKolugHyBvxwUtwhMZa0RtBq7GgjNo",
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}], "timeout": 300_000, "excludeCredentials": [],
    "authenticatorSelection": {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
    "attestation": "none", "extensions": {"credProps": true}
}))]
pub(super) struct CreationOptions {
    /// The relying party.
    #[schema(value_type = Object)]
    rp: Value,
    /// The user.
    #[schema(value_type = Object)]
    user: Value,
    /// The challenge, in base64url.
    challenge: String,
    /// The accepted signature algorithms.
    #[schema(value_type = Vec<Object>)]
    pub_key_cred_params: Vec<Value>,
    /// The time limit of the ceremony, in milliseconds.
    timeout: u32,
    /// The passkeys that the user has.
    #[schema(value_type = Vec<Object>)]
    exclude_credentials: Vec<Value>,
    /// The requirements for the authenticator.
    #[schema(value_type = Object)]
    authenticator_selection: Value,
    /// The preference for attestation: `none`.
    attestation: String,
    /// Extensions.
    #[schema(value_type = Object)]
    extensions: Value,
}

/// `PublicKeyCredentialRequestOptionsJSON`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "challenge": "Ch25VwsxWgHuoJKolugHyBvxwUtwhMZa0RtBq7GgjNo", "timeout": 300_000, "rpId": "example.com",
    "allowCredentials": [], "userVerification": "required"
}))]
pub(super) struct RequestOptions {
    /// The challenge, in base64url.
    challenge: String,
    /// The time limit of the ceremony, in milliseconds.
    timeout: u32,
    /// The relying party id.
    rp_id: String,
    /// The passkeys that can be used; empty for any discoverable one.
    #[schema(value_type = Vec<Object>)]
    allow_credentials: Vec<Value>,
    /// The requirement for user verification: `required`.
    user_verification: String,
    /// Extensions.
    #[schema(value_type = Option<Object>)]
    extensions: Option<Value>,
}

/// `RegistrationResponseJSON`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ",
        "transports": ["internal"]},
    "clientExtensionResults": {}
}))]
pub(super) struct RegistrationCredential {
    /// The id of the credential, in base64url.
    id: String,
    /// The same.
    raw_id: String,
    /// The response of the authenticator.
    #[schema(value_type = Object)]
    response: Value,
    /// The type: `public-key`.
    r#type: String,
    /// The results of extensions.
    #[schema(value_type = Option<Object>)]
    client_extension_results: Option<Value>,
}

/// `AuthenticationResponseJSON`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4",
        "signature": "MEUCIQD", "userHandle": "h2NfYzGmS9Gf0nYwV0x1Pw"},
    "clientExtensionResults": {}
}))]
pub(super) struct AssertionCredential {
    /// The id of the credential, in base64url.
    id: String,
    /// The same.
    raw_id: String,
    /// The response of the authenticator.
    #[schema(value_type = Object)]
    response: Value,
    /// The type: `public-key`.
    r#type: String,
    /// The results of extensions.
    #[schema(value_type = Option<Object>)]
    client_extension_results: Option<Value>,
}
