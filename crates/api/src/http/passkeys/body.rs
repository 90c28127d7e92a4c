//! What requests about passkeys carry, and what they return.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::error::RuleBroken;
use denizen_domain::passkeys::register::RegistrationOptions;
use denizen_domain::passkeys::{AssertionOptions, CredentialKind, Passkey, PasskeyAnswer, PasskeyList};
use denizen_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::schema::{AssertionCredential, CreationOptions, RegistrationCredential, RequestOptions};
use crate::http::problem::Problem;

/// What to create.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "passkey"}))]
pub(super) struct NewPasskeyOptionsBody {
    /// `passkey`: verifies its user, and satisfies both factors of a sign-in. `security_key`: may be unable to verify its
    /// user, and is a second factor only. If omitted, `passkey`.
    #[schema(pattern = "^(passkey|security_key)$")]
    pub(super) kind: Option<String>,
}

impl NewPasskeyOptionsBody {
    /// The kind of credential.
    pub(super) fn kind(&self) -> Result<CredentialKind, RuleBroken> {
        let broken = || RuleBroken { code: "invalid_value", message: "must be passkey or security_key".to_owned() };
        self.kind.as_deref().map_or(Ok(CredentialKind::default()), |raw| CredentialKind::parse(raw).ok_or_else(broken))
    }
}

/// Options to create a passkey.
#[derive(Serialize, ToSchema)]
pub(super) struct RegistrationOptionsBody {
    /// `PublicKeyCredentialCreationOptionsJSON`, for `PublicKeyCredential.parseCreationOptionsFromJSON`.
    #[serde(rename = "publicKey")]
    #[schema(value_type = CreationOptions)]
    public_key: Box<RawValue>,
    /// Send it back with the credential. It can be used once, in this session.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// Seconds until the state expires.
    #[schema(example = 300)]
    expires_in: u32,
}

impl TryFrom<RegistrationOptions> for RegistrationOptionsBody {
    type Error = Problem;

    fn try_from(options: RegistrationOptions) -> Result<Self, Problem> {
        let public_key = RawValue::from_string(options.options).map_err(|_| Problem::internal())?;
        Ok(Self { public_key, state: options.state, expires_in: options.expires_in_s })
    }
}

/// Options to use a passkey.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssertionOptionsBody {
    /// `PublicKeyCredentialRequestOptionsJSON`, for `PublicKeyCredential.parseRequestOptionsFromJSON`.
    #[serde(rename = "publicKey")]
    #[schema(value_type = RequestOptions)]
    public_key: Box<RawValue>,
    /// Send it back with the credential. It can be used once.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// Seconds until the state expires.
    #[schema(example = 300)]
    expires_in: u32,
}

impl TryFrom<AssertionOptions> for AssertionOptionsBody {
    type Error = Problem;

    fn try_from(options: AssertionOptions) -> Result<Self, Problem> {
        let public_key = RawValue::from_string(options.options).map_err(|_| Problem::internal())?;
        Ok(Self { public_key, state: options.state, expires_in: options.expires_in_s })
    }
}

/// A new passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN", "name": "Ada's phone",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"},
        "clientExtensionResults": {}}
}))]
pub(super) struct RegisterPasskeyBody {
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    pub(super) state: String,
    /// The result of `navigator.credentials.create`, in the form of its `toJSON()` method.
    #[schema(value_type = RegistrationCredential)]
    pub(super) credential: Value,
    /// The name of the passkey. If omitted, `Passkey` or `Security key`.
    #[schema(max_length = 200, example = "Ada's phone")]
    pub(super) name: Option<String>,
}

/// A passkey that is used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "state": "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN",
    "credential": {"id": "ZRgJz8wbNmPdTmT0Gdsxkg", "rawId": "ZRgJz8wbNmPdTmT0Gdsxkg", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgWw",
            "signature": "MEUCIQDs", "userHandle": "h2NfYzGmS9Gf0nYwV0x1Pw"},
        "clientExtensionResults": {}}
}))]
pub(crate) struct PasskeyAnswerBody {
    /// The `state` of the options.
    #[schema(example = "Q2gyNVZ3c3hXZ0h1b0pLb2x1Z0h5QnZ4d1V0d2hN")]
    state: String,
    /// The result of `navigator.credentials.get`, in the form of its `toJSON()` method.
    #[schema(value_type = AssertionCredential)]
    credential: Value,
}

impl From<PasskeyAnswerBody> for PasskeyAnswer {
    fn from(body: PasskeyAnswerBody) -> Self {
        Self { state: body.state, credential: body.credential.to_string() }
    }
}

/// The new name of a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ada's phone"}))]
pub(super) struct RenamePasskeyBody {
    /// The name.
    #[schema(max_length = 200)]
    pub(super) name: String,
}

/// A passkey.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyBody {
    /// The id.
    #[schema(format = Uuid, example = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50")]
    id: String,
    /// `passkey`, or `security_key`, which is a second factor only.
    #[schema(pattern = "^(passkey|security_key)$")]
    kind: &'static str,
    /// The name.
    #[schema(example = "Ada's phone")]
    name: String,
    /// The id of the credential, in base64url.
    #[schema(example = "ZRgJz8wbNmPdTmT0Gdsxkg")]
    credential_id: String,
    /// The model of the authenticator (AAGUID), as stated by the authenticator; all zeros if unknown.
    #[schema(format = Uuid, example = "fbfc3007-154e-4ecc-8c0b-6e020557d7bd")]
    aaguid: String,
    /// The transports of the authenticator.
    #[schema(example = json!(["internal", "hybrid"]))]
    transports: Vec<String>,
    /// Whether the passkey can be synchronized between devices. If not, it is bound to one device.
    #[schema(example = true)]
    backup_eligible: bool,
    /// Whether the passkey was synchronized when it was last used.
    #[schema(example = true)]
    backed_up: bool,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last use.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_used_at: Option<Timestamp>,
    /// The relying party id that the passkey was created for. If it is not the `rp_id` of the list, the passkey does not
    /// work any more; `null` if unknown.
    #[schema(example = "example.com", required = true)]
    rp_id: Option<String>,
}

impl From<Passkey> for PasskeyBody {
    fn from(passkey: Passkey) -> Self {
        let credential = passkey.credential;
        Self {
            id: passkey.id.to_string(),
            kind: passkey.kind.as_str(),
            name: passkey.name.into_string(),
            credential_id: URL_SAFE_NO_PAD.encode(credential.id.as_bytes()),
            aaguid: credential.aaguid.to_string(),
            transports: credential.transports,
            backup_eligible: credential.backup_eligible,
            backed_up: credential.backed_up,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
            rp_id: passkey.rp_id,
        }
    }
}

/// The passkeys of a user, and what the signal API of browsers needs to bring authenticators up to date.
#[derive(Serialize, ToSchema)]
pub(super) struct PasskeyListBody {
    /// The passkeys, the oldest first; at most 20.
    data: Vec<PasskeyBody>,
    /// The relying party id (`rpId`).
    #[schema(example = "example.com")]
    rp_id: String,
    /// The handle of the user (`userId`), in base64url.
    #[schema(example = "h2NfYzGmS9Gf0nYwV0x1Pw")]
    user_handle: String,
    /// The account name (`name`).
    #[schema(example = "ada@example.com")]
    user_name: String,
    /// The display name (`displayName`).
    #[schema(example = "Ada Lovelace")]
    user_display_name: String,
}

impl From<PasskeyList> for PasskeyListBody {
    fn from(list: PasskeyList) -> Self {
        Self {
            data: list.passkeys.into_iter().map(PasskeyBody::from).collect(),
            rp_id: list.rp_id,
            user_handle: URL_SAFE_NO_PAD.encode(list.user_handle),
            user_name: list.user.email.to_string(),
            user_display_name: list.user.name.into_string(),
        }
    }
}
