//! One line of an export with credentials, in the format that an import reads.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use denizen_domain::api_keys::{ApiKey, SecretHash};
use denizen_domain::factors::totp::write_secret;
use denizen_domain::identities::Identity;
use denizen_domain::keys::SealedRoot;
use denizen_domain::passkeys::Passkey;
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{CarriedMac, ExportedUser};
use serde::{Deserialize, Serialize};

use crate::http::body::UserBody;
use crate::import_line::credentials::{ApiKeyBody, IdentityBody, PasskeyBody, TotpBody};

/// How the first line of an export with credentials begins.
const HEADER_START: &[u8] = b"{\"denizen_export\":";

/// The first line of an export with credentials.
#[derive(Deserialize, Serialize)]
pub(crate) struct HeaderLine {
    denizen_export: Header,
}

#[derive(Deserialize, Serialize)]
struct Header {
    /// The version of the format.
    version: u32,
    /// The root key of the server, sealed under each of its master keys.
    root_keys: Vec<SealedRootBody>,
}

#[derive(Deserialize, Serialize)]
struct SealedRootBody {
    master_id: String,
    sealed: String,
    created_at: String,
}

impl HeaderLine {
    /// The header of an export of this server.
    pub(crate) fn new(roots: &[SealedRoot]) -> Self {
        let body = |root: &SealedRoot| SealedRootBody {
            master_id: root.master_id.clone(),
            sealed: STANDARD.encode(&root.sealed),
            created_at: root.created_at.to_string(),
        };
        Self { denizen_export: Header { version: 1, root_keys: roots.iter().map(body).collect() } }
    }

    /// Whether a line is a header.
    pub(crate) fn is_header(line: &[u8]) -> bool {
        line.starts_with(HEADER_START)
    }

    /// The sealed root keys of a header; none if it cannot be read.
    pub(crate) fn read_roots(line: &[u8]) -> Vec<SealedRoot> {
        let header: Option<Self> = serde_json::from_slice(line).ok();
        let bodies = header.map(|header| header.denizen_export.root_keys).unwrap_or_default();
        let read = |body: SealedRootBody| {
            Some(SealedRoot {
                master_id: body.master_id,
                sealed: STANDARD.decode(body.sealed).ok()?,
                created_at: Timestamp::parse(&body.created_at)?,
            })
        };
        bodies.into_iter().filter_map(read).collect()
    }
}

/// A user with their credentials. An empty list states that the user has none.
#[derive(Serialize)]
pub(crate) struct ExportLine {
    #[serde(flatten)]
    user: UserBody,
    password_hash: Option<String>,
    totp: Option<TotpBody>,
    recovery_codes: Vec<String>,
    passkeys: Vec<PasskeyBody>,
    identities: Vec<IdentityBody>,
    api_keys: Vec<ApiKeyBody>,
}

impl ExportLine {
    /// The line of a user.
    pub(crate) fn new(exported: ExportedUser, vault: &dyn Vault) -> Self {
        let totp = exported.totp.map(|(secret, confirmed_at)| TotpBody {
            secret: write_secret(&secret),
            confirmed_at: Some(confirmed_at.to_string()),
        });
        Self {
            user: exported.user.into(),
            password_hash: exported.password_hash.map(|hash| hash.expose().to_owned()),
            totp,
            recovery_codes: exported.recovery_codes.iter().map(|mac| CarriedMac::encode(vault, mac)).collect(),
            passkeys: exported.passkeys.into_iter().map(passkey).collect(),
            identities: exported.identities.into_iter().map(identity).collect(),
            api_keys: exported.api_keys.into_iter().map(|(key, mac)| api_key(key, &mac, vault)).collect(),
        }
    }
}

fn passkey(passkey: Passkey) -> PasskeyBody {
    let credential = passkey.credential;
    PasskeyBody {
        kind: Some(passkey.kind.as_str().to_owned()),
        user_handle: URL_SAFE_NO_PAD.encode(passkey.user_handle),
        name: passkey.name.into_string(),
        credential_id: URL_SAFE_NO_PAD.encode(credential.id.as_bytes()),
        credential: credential.document,
        aaguid: Some(credential.aaguid.to_string()),
        transports: Some(credential.transports),
        backup_eligible: credential.backup_eligible,
        backed_up: credential.backed_up,
        counter: credential.counter,
        created_at: Some(passkey.created_at.to_string()),
        last_used_at: text(passkey.last_used_at),
        rp_id: passkey.rp_id,
    }
}

fn identity(identity: Identity) -> IdentityBody {
    IdentityBody {
        provider: Some(identity.provider.to_string()),
        issuer: identity.issuer,
        subject: identity.subject,
        email: identity.email,
        created_at: Some(identity.created_at.to_string()),
    }
}

fn api_key(key: ApiKey, mac: &SecretHash, vault: &dyn Vault) -> ApiKeyBody {
    ApiKeyBody {
        id: key.id.to_string(),
        name: key.name.into_string(),
        scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        secret_mac: CarriedMac::encode(vault, mac),
        expires_at: text(key.expires_at),
        created_at: Some(key.created_at.to_string()),
        rotated_at: text(key.rotated_at),
        last_used_at: text(key.last_used_at),
    }
}

fn text(moment: Option<Timestamp>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}
