//! The port of the ceremonies: what use cases need of an implementation of WebAuthn.

use uuid::Uuid;

use super::Passkey;

/// The longest credential id, in bytes (WebAuthn Level 3 §4).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// The handle of a user for their authenticators.
pub type UserHandle = [u8; 16];

/// What a credential proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CredentialKind {
    /// A discoverable credential that verifies its user at every use: it satisfies both factors of a sign-in.
    #[default]
    Passkey,
    /// A credential of an authenticator that may not be able to verify its user: a second factor only.
    SecurityKey,
}

impl CredentialKind {
    /// Its name on the wire and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::SecurityKey => "security_key",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Passkey, Self::SecurityKey].into_iter().find(|kind| kind.as_str() == raw)
    }
}

/// The identifier of a credential, chosen by its authenticator: 1 to 1023 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// Accepts an identifier within the bounds.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        (1..=CREDENTIAL_ID_BYTES_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Takes over an identifier that a store kept.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The user for whom a credential is created.
#[derive(Debug, Clone, Copy)]
pub struct RegisteringUser<'a> {
    /// The handle.
    pub handle: UserHandle,
    /// The account name, which tells accounts apart: the email address.
    pub name: &'a str,
    /// The display name.
    pub display_name: &'a str,
}

/// A ceremony that has begun.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// The options for the browser, in JSON: `PublicKeyCredentialCreationOptionsJSON` or
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: String,
    /// What the end of the ceremony needs, challenge included.
    pub state: Vec<u8>,
}

/// A credential as an authenticator created it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredCredential {
    /// The identifier.
    pub id: CredentialId,
    /// The public key and its properties, in a JSON form that only the adapter reads.
    pub document: String,
    /// The model of the authenticator (AAGUID), as it stated it. All zeros if it did not.
    pub aaguid: Uuid,
    /// The transports by which the authenticator can be reached.
    pub transports: Vec<String>,
    /// Whether the credential may be synchronized between devices.
    pub backup_eligible: bool,
    /// Whether it is synchronized.
    pub backed_up: bool,
    /// The signature counter; 0 if the authenticator has none.
    pub counter: u32,
}

/// The parts of an assertion that are needed to find its credential. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The credential.
    pub credential_id: CredentialId,
    /// The user, if the authenticator stated one.
    pub user_handle: Option<Vec<u8>>,
}

/// A verified use of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedUse {
    /// The signature counter.
    pub counter: u32,
    /// Whether the credential is synchronized now.
    pub backed_up: bool,
}

/// Why a ceremony did not begin or finish. Which check failed is in the log.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The relying party has no origin, or is an IP address, for which browsers do not create passkeys.
    #[error("passkeys are not available for this relying party")]
    Unavailable,
    /// The response is not a `PublicKeyCredential` in JSON.
    #[error("the credential is malformed")]
    Malformed,
    /// A check failed.
    #[error("the credential was rejected")]
    Rejected,
    /// A defect.
    #[error("a passkey ceremony failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs the ceremonies of WebAuthn Level 3 for one relying party. Attestation is not requested. Passkeys are discoverable
/// and verify their user; of security keys only the presence of the user is required.
pub trait WebAuthn: Send + Sync {
    /// The id of the relying party: a domain.
    fn rp_id(&self) -> &str;

    /// The origins whose pages may use passkeys of the relying party.
    fn origins(&self) -> &[String];

    /// Begins the registration of a credential by an authenticator that has none of the `excluded`.
    fn begin_registration(
        &self,
        kind: CredentialKind,
        user: RegisteringUser<'_>,
        excluded: &[Passkey],
    ) -> Result<Ceremony, CeremonyError>;

    /// Verifies a registration response (§7.1). The state is that of a registration of the same kind.
    fn finish_registration(
        &self,
        kind: CredentialKind,
        state: &[u8],
        response: &str,
    ) -> Result<RegisteredCredential, CeremonyError>;

    /// Whether a credential of an import is in the form of [`RegisteredCredential`].
    fn is_credential(&self, credential: &RegisteredCredential) -> bool;

    /// Begins an assertion by one of these credentials, or by any passkey if there are none.
    fn begin_assertion(&self, allowed: &[Passkey]) -> Result<Ceremony, CeremonyError>;

    /// Reads which credential an authentication response is of.
    fn read_assertion(&self, response: &str) -> Result<Assertion, CeremonyError>;

    /// Verifies an authentication response (§7.2), by a passkey with the verification of its user.
    fn finish_assertion(&self, state: &[u8], response: &str, passkey: &Passkey) -> Result<VerifiedUse, CeremonyError>;
}
