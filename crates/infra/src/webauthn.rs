//! The ceremonies of passkeys, by the crate `webauthn-rs`.
//!
//! The crate's own defaults differ in three points: it discourages discoverable credentials, it always asks for
//! conditional mediation, and it accepts assertions from cross-origin frames. All three are overridden here. The
//! signature counter and the backup state of a credential are those that the store keeps, not those of its document.
//!
//! Security keys are registered and used with the policy `discouraged` for user verification, so that keys without a PIN
//! work. Of an assertion that may also be by a passkey, the crate requires the verification for the passkey itself, because
//! that was its policy at the registration.

use std::net::IpAddr;

use denizen_domain::passkeys::port::VerifiedUse;
use denizen_domain::passkeys::{CredentialId, CredentialKind, Passkey, RegisteredCredential};
use denizen_domain::ports::{Assertion, Ceremony, CeremonyError, RegisteringUser, WebAuthn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AttestationMetadata, Credential, DiscoverableAuthentication, ParsedAttestation, ParsedAttestationData,
    Passkey as StoredPasskey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    SecurityKeyRegistration, Url, Webauthn, WebauthnBuilder, WebauthnError,
};
use webauthn_rs_proto::{
    AllowCredentials, AuthenticatorAttachment, AuthenticatorSelectionCriteria, AuthenticatorTransport,
    CollectedClientData, CreationChallengeResponse, PublicKeyCredentialDescriptor, ResidentKeyRequirement,
    UserVerificationPolicy,
};

/// The type of every credential (WebAuthn Level 3 §5.8.2).
const PUBLIC_KEY: &str = "public-key";
/// The AAGUID in authenticator data: after the hash of the relying party, the flags and the counter (§6.1, §6.5.1).
const AAGUID_AT: usize = 37;
const AAGUID_BYTES: usize = 16;

/// Why a relying party cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RelyingPartyError {
    /// An origin is not an absolute URL, or not secure.
    #[error("{0} must be an https: origin; http: is allowed for localhost only")]
    Origin(String),
    /// No origin belongs to the relying party.
    #[error("no origin has the host {0} or a subdomain of it")]
    NoOrigin(String),
}

/// A relying party.
#[derive(Debug)]
pub struct RelyingParty {
    id: String,
    origins: Vec<String>,
    /// `None` if there are no origins, or the id is an IP address: browsers create passkeys for domains only.
    ceremonies: Option<Webauthn>,
}

impl RelyingParty {
    /// Sets up a relying party for pages of these origins. At least one of them must have the id, or a subdomain of it,
    /// as its host; browsers accept the others as related origins. Without origins, and for an IP address, no ceremony is
    /// available.
    pub fn new(id: String, origins: Vec<String>, name: &str) -> Result<Self, RelyingPartyError> {
        if origins.is_empty() || is_address(&id) {
            // No page can use passkeys, so none offers them.
            return Ok(Self { id, origins: Vec::new(), ceremonies: None });
        }
        let urls = origins.iter().map(|origin| parse_origin(origin)).collect::<Result<Vec<_>, _>>()?;
        let own = urls.iter().find_map(|url| WebauthnBuilder::new(&id, url).ok());
        let builder = own.ok_or_else(|| RelyingPartyError::NoOrigin(id.clone()))?.rp_name(name);
        let builder = urls.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        let builder = builder.danger_set_user_presence_only_security_keys(true);
        let ceremonies = builder.build().map_err(|_| RelyingPartyError::NoOrigin(id.clone()))?;
        Ok(Self { id, origins, ceremonies: Some(ceremonies) })
    }

    fn ceremonies(&self) -> Result<&Webauthn, CeremonyError> {
        self.ceremonies.as_ref().ok_or(CeremonyError::Unavailable)
    }
}

impl WebAuthn for RelyingParty {
    fn rp_id(&self) -> &str {
        &self.id
    }

    fn origins(&self) -> &[String] {
        &self.origins
    }

    fn begin_registration(
        &self,
        kind: CredentialKind,
        user: RegisteringUser<'_>,
        excluded: &[Passkey],
    ) -> Result<Ceremony, CeremonyError> {
        let RegisteringUser { handle, name, display_name } = user;
        let (handle, ceremonies) = (Uuid::from_bytes(handle), self.ceremonies()?);
        match kind {
            CredentialKind::Passkey => {
                let started = ceremonies.start_passkey_registration(handle, name, display_name, None);
                let (challenge, state) = started.map_err(failed)?;
                creation(challenge, &state, passkey_criteria(), excluded)
            }
            CredentialKind::SecurityKey => {
                let started = ceremonies.start_securitykey_registration(handle, name, display_name, None, None, None);
                let (challenge, state) = started.map_err(failed)?;
                creation(challenge, &state, security_key_criteria(), excluded)
            }
        }
    }

    fn finish_registration(
        &self,
        kind: CredentialKind,
        state: &[u8],
        response: &str,
    ) -> Result<RegisteredCredential, CeremonyError> {
        let response: RegisterPublicKeyCredential = read(response)?;
        if response.type_ != PUBLIC_KEY {
            return Err(rejected("the credential is not a public key"));
        }
        check_top_level(&response.response.client_data_json)?;
        let ceremonies = self.ceremonies()?;
        let mut credential = match kind {
            CredentialKind::Passkey => {
                let is_discoverable =
                    response.extensions.cred_props.as_ref().is_none_or(|props| props.rk != Some(false));
                if !is_discoverable {
                    return Err(rejected("the credential is not discoverable"));
                }
                let state: PasskeyRegistration = serde_json::from_slice(state).map_err(failed)?;
                Credential::from(ceremonies.finish_passkey_registration(&response, &state).map_err(verdict)?)
            }
            CredentialKind::SecurityKey => {
                let state: SecurityKeyRegistration = serde_json::from_slice(state).map_err(failed)?;
                Credential::from(ceremonies.finish_securitykey_registration(&response, &state).map_err(verdict)?)
            }
        };
        let id = CredentialId::parse(credential.cred_id.clone()).ok_or_else(|| rejected("the id is too long"))?;
        // Nobody evaluates the attestation, and it can be as large as the request.
        credential.attestation =
            ParsedAttestation { data: ParsedAttestationData::None, metadata: AttestationMetadata::None };
        let transports = response.response.transports.unwrap_or_default();
        Ok(RegisteredCredential {
            id,
            aaguid: aaguid(&response.response.attestation_object),
            transports: transports.iter().filter(|name| is_known(name)).map(ToString::to_string).collect(),
            backup_eligible: credential.backup_eligible,
            backed_up: credential.backup_state,
            counter: credential.counter,
            document: serde_json::to_string(&StoredPasskey::from(credential)).map_err(failed)?,
        })
    }

    fn is_credential(&self, credential: &RegisteredCredential) -> bool {
        let stored: Option<StoredPasskey> = serde_json::from_str(&credential.document).ok();
        stored.is_some_and(|stored| Credential::from(stored).cred_id.as_slice() == credential.id.as_bytes())
    }

    fn begin_assertion(&self, allowed: &[Passkey]) -> Result<Ceremony, CeremonyError> {
        let ceremonies = self.ceremonies()?;
        let is_key = |passkey: &&Passkey| passkey.kind == CredentialKind::SecurityKey;
        let keys = allowed.iter().filter(is_key).count();
        if keys == 0 {
            let (mut challenge, state) = ceremonies.start_discoverable_authentication().map_err(failed)?;
            challenge.public_key.allow_credentials = allowed.iter().map(allowance).collect();
            return ceremony(&challenge.public_key, &state);
        }
        // The state allows no credential: the one that is used is passed in at the end, as for passkeys.
        let (mut challenge, state) = ceremonies.start_securitykey_authentication(&[]).map_err(failed)?;
        let options = &mut challenge.public_key;
        options.allow_credentials = allowed.iter().map(allowance).collect();
        if keys < allowed.len() {
            // Passkeys must verify their user, keys without a PIN cannot.
            options.user_verification = UserVerificationPolicy::Preferred;
            options.hints = None;
        }
        ceremony(options, &state)
    }

    fn read_assertion(&self, response: &str) -> Result<Assertion, CeremonyError> {
        let response: PublicKeyCredential = read(response)?;
        let credential_id = CredentialId::parse(response.raw_id).ok_or(CeremonyError::Malformed)?;
        Ok(Assertion { credential_id, user_handle: response.response.user_handle })
    }

    fn finish_assertion(&self, state: &[u8], response: &str, passkey: &Passkey) -> Result<VerifiedUse, CeremonyError> {
        let response: PublicKeyCredential = read(response)?;
        // The states of both ceremonies have the same form: the challenge and the policy for user verification.
        let state: DiscoverableAuthentication = serde_json::from_slice(state).map_err(failed)?;
        if response.type_ != PUBLIC_KEY {
            return Err(rejected("the credential is not a public key"));
        }
        check_top_level(&response.response.client_data_json)?;
        let stored: StoredPasskey = serde_json::from_str(&passkey.credential.document).map_err(failed)?;
        let mut credential = Credential::from(stored);
        credential.counter = passkey.credential.counter;
        credential.backup_state = passkey.credential.backed_up;
        let ceremonies = self.ceremonies()?;
        let used = ceremonies.finish_discoverable_authentication_v2(&response, state, &credential).map_err(verdict)?;
        if passkey.kind == CredentialKind::Passkey && !used.user_verified() {
            return Err(rejected("the user was not verified"));
        }
        Ok(VerifiedUse { counter: used.counter(), backed_up: used.backup_state() })
    }
}

/// Options to create a credential that meets these criteria.
fn creation(
    challenge: CreationChallengeResponse,
    state: &impl Serialize,
    criteria: AuthenticatorSelectionCriteria,
    excluded: &[Passkey],
) -> Result<Ceremony, CeremonyError> {
    let mut options = challenge.public_key;
    options.authenticator_selection = Some(criteria);
    // Added here, not in the state: the state stays short, and the store refuses duplicates.
    options.exclude_credentials = Some(excluded.iter().map(descriptor).collect());
    ceremony(&options, state)
}

fn passkey_criteria() -> AuthenticatorSelectionCriteria {
    AuthenticatorSelectionCriteria {
        authenticator_attachment: None,
        resident_key: Some(ResidentKeyRequirement::Required),
        require_resident_key: true,
        user_verification: UserVerificationPolicy::Required,
    }
}

/// Without user verification, authenticators of the device itself would prove less than a passkey does.
fn security_key_criteria() -> AuthenticatorSelectionCriteria {
    AuthenticatorSelectionCriteria {
        authenticator_attachment: Some(AuthenticatorAttachment::CrossPlatform),
        resident_key: Some(ResidentKeyRequirement::Discouraged),
        require_resident_key: false,
        user_verification: UserVerificationPolicy::Discouraged_DO_NOT_USE,
    }
}

fn ceremony(options: &impl Serialize, state: &impl Serialize) -> Result<Ceremony, CeremonyError> {
    Ok(Ceremony {
        options: serde_json::to_string(options).map_err(failed)?,
        state: serde_json::to_vec(state).map_err(failed)?,
    })
}

fn read<T: DeserializeOwned>(response: &str) -> Result<T, CeremonyError> {
    serde_json::from_str(response).map_err(|_| CeremonyError::Malformed)
}

/// Refuses responses that were made in a frame of another origin (§7.1, §7.2: `crossOrigin`, `topOrigin`).
fn check_top_level(client_data: &[u8]) -> Result<(), CeremonyError> {
    let data: CollectedClientData =
        serde_json::from_slice(client_data).map_err(|_| rejected("the client data is malformed"))?;
    let is_framed = data.cross_origin == Some(true) || data.unknown_keys.contains_key("topOrigin");
    if is_framed { Err(rejected("the page is in a frame of another origin")) } else { Ok(()) }
}

/// The AAGUID that an attestation object states; zeros if it cannot be read. It is not authenticated.
fn aaguid(attestation_object: &[u8]) -> Uuid {
    // The key `authData` as a CBOR text, then a byte string whose length has one or two bytes.
    const KEY: &[u8] = b"\x68authData";
    let at = attestation_object.windows(KEY.len()).position(|window| window == KEY);
    let value = at.and_then(|at| attestation_object.get(at + KEY.len()..));
    let data = value.and_then(|value| match value.first()? {
        0x58 => value.get(2..),
        0x59 => value.get(3..),
        _ => None,
    });
    let bytes = data.and_then(|data| data.get(AAGUID_AT..AAGUID_AT + AAGUID_BYTES));
    bytes.and_then(|bytes| Uuid::from_slice(bytes).ok()).unwrap_or_default()
}

fn descriptor(passkey: &Passkey) -> PublicKeyCredentialDescriptor {
    let id = passkey.credential.id.as_bytes().to_vec();
    PublicKeyCredentialDescriptor { type_: PUBLIC_KEY.to_owned(), id, transports: transports(passkey) }
}

fn allowance(passkey: &Passkey) -> AllowCredentials {
    let id = passkey.credential.id.as_bytes().to_vec();
    AllowCredentials { type_: PUBLIC_KEY.to_owned(), id, transports: transports(passkey) }
}

fn transports(passkey: &Passkey) -> Option<Vec<AuthenticatorTransport>> {
    let names = &passkey.credential.transports;
    (!names.is_empty()).then(|| names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn is_known(transport: &AuthenticatorTransport) -> bool {
    !matches!(transport, AuthenticatorTransport::Test | AuthenticatorTransport::Unknown)
}

fn parse_origin(origin: &str) -> Result<Url, RelyingPartyError> {
    let invalid = || RelyingPartyError::Origin(origin.to_owned());
    let url = Url::parse(origin).map_err(|_| invalid())?;
    let host = url.host_str().unwrap_or_default();
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let is_secure = url.scheme() == "https" || url.scheme() == "http" && is_local;
    if is_secure { Ok(url) } else { Err(invalid()) }
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CeremonyError {
    CeremonyError::Failed(Box::new(error))
}

fn rejected(check: &'static str) -> CeremonyError {
    tracing::info!(check, "passkey rejected");
    CeremonyError::Rejected
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn verdict(error: WebauthnError) -> CeremonyError {
    tracing::info!(check = %error, "passkey rejected");
    CeremonyError::Rejected
}
