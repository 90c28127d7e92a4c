//! The credentials of an imported user.

use std::ops::AddAssign;

use secrecy::SecretSlice;

use crate::access::Permissions;
use crate::api_keys::SecretHash;
use crate::factors::RecoveryCodeHash;
use crate::id::ApiKeyId;
use crate::passkeys::{CredentialKind, RegisteredCredential, UserHandle};
use crate::providers::ProviderName;
use crate::time::Timestamp;
use crate::users::DisplayName;

/// How many recovery codes a line may have.
pub const RECOVERY_CODES_MAX: usize = 100;

/// The credentials of a line, besides the password. With `None`, those of an existing user are unchanged.
#[derive(Debug, Default)]
pub struct ImportCredentials {
    /// A secret for time-based one-time passwords.
    pub totp: Option<ImportTotp>,
    /// The unused recovery codes.
    pub recovery_codes: Option<Vec<RecoveryCodeHash>>,
    /// Passkeys and security keys.
    pub passkeys: Option<Vec<ImportPasskey>>,
    /// Identities at outside providers.
    pub identities: Option<Vec<ImportIdentity>>,
    /// API keys.
    pub api_keys: Option<Vec<ImportApiKey>>,
    /// Credentials of the line that cannot be imported, because their MACs are under another key.
    pub not_carried: NotCarried,
}

/// A secret for time-based one-time passwords: SHA-1, 6 digits, 30 seconds.
#[derive(Debug)]
pub struct ImportTotp {
    /// The secret.
    pub secret: SecretSlice<u8>,
    /// Time of confirmation; that of the import if absent.
    pub confirmed_at: Option<Timestamp>,
}

/// A passkey or a security key.
#[derive(Debug)]
pub struct ImportPasskey {
    /// Whether it is a passkey or a security key.
    pub kind: CredentialKind,
    /// The WebAuthn user handle.
    pub user_handle: UserHandle,
    /// The name that its owner gave it.
    pub name: DisplayName,
    /// The credential.
    pub credential: RegisteredCredential,
    /// Creation time; that of the import if absent.
    pub created_at: Option<Timestamp>,
    /// Time of the last use.
    pub last_used_at: Option<Timestamp>,
    /// The id of its relying party.
    pub rp_id: Option<String>,
}

/// An identity at an outside provider.
#[derive(Debug, Clone)]
pub struct ImportIdentity {
    /// The issuer identifier.
    pub issuer: String,
    /// Identifies the user at the issuer.
    pub subject: String,
    /// The name of the provider, if no provider of this server has the issuer.
    pub provider: Option<ProviderName>,
    /// The address at the provider.
    pub email: Option<String>,
    /// Time of linking; that of the import if absent.
    pub created_at: Option<Timestamp>,
}

/// An API key of this server, or of one with the same root key.
#[derive(Debug)]
pub struct ImportApiKey {
    /// Its id, which is part of the key.
    pub id: ApiKeyId,
    /// Display name.
    pub name: DisplayName,
    /// The scopes.
    pub scopes: Permissions,
    /// The MAC of its secret.
    pub secret_hash: SecretHash,
    /// Expiry time.
    pub expires_at: Option<Timestamp>,
    /// Creation time; that of the import if absent.
    pub created_at: Option<Timestamp>,
    /// Time of the last rotation.
    pub rotated_at: Option<Timestamp>,
    /// Time of the last use.
    pub last_used_at: Option<Timestamp>,
}

/// The number of credentials that were not carried over, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotCarried {
    /// Recovery codes: their MACs are under another key, or the user has another id.
    pub recovery_codes: u64,
    /// Passkeys that are already registered.
    pub passkeys: u64,
    /// Identities of an issuer that no provider of this server has, without the name of a provider.
    pub identities: u64,
    /// API keys: their MACs are under another key, or the key already exists.
    pub api_keys: u64,
}

impl NotCarried {
    /// Each kind with its number.
    #[must_use]
    pub const fn kinds(&self) -> [(&'static str, u64); 4] {
        [
            ("recovery_codes", self.recovery_codes),
            ("passkeys", self.passkeys),
            ("identities", self.identities),
            ("api_keys", self.api_keys),
        ]
    }
}

impl AddAssign for NotCarried {
    fn add_assign(&mut self, other: Self) {
        self.recovery_codes += other.recovery_codes;
        self.passkeys += other.passkeys;
        self.identities += other.identities;
        self.api_keys += other.api_keys;
    }
}
