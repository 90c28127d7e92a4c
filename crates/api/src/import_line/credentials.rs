//! The credentials of a line, in the form in which `users export --with-credentials` writes them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::Services;
use denizen_domain::access::{Permission, Permissions};
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::factors::totp::read_secret;
use denizen_domain::id::ApiKeyId;
use denizen_domain::identities::IDENTITIES_MAX;
use denizen_domain::passkeys::{CredentialId, CredentialKind, PASSKEYS_MAX, RegisteredCredential};
use denizen_domain::providers::ProviderName;
use denizen_domain::users::import::RECOVERY_CODES_MAX;
use denizen_domain::users::{
    CarriedMac, DisplayName, ImportApiKey, ImportCredentials, ImportIdentity, ImportPasskey, ImportTotp, NotCarried,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{moment, not_a_uuid, past, rule};
use crate::json_form::Fields;

/// How many API keys a line may have.
const API_KEYS_MAX: usize = 200;
/// Bounds of a TOTP secret, in bytes: RFC 4226 §4 requires 16.
const TOTP_SECRET_BYTES: std::ops::RangeInclusive<usize> = 10..=128;
/// The longest text of an identity and of the id of a relying party, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// The longest credential document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024;

/// A secret for time-based one-time passwords (RFC 6238): SHA-1, 6 digits, 30 seconds.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotpBody {
    /// The secret in base32.
    #[schema(value_type = String)]
    #[serde(serialize_with = "expose")]
    pub(crate) secret: SecretString,
    /// When the user confirmed it (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) confirmed_at: Option<String>,
}

/// A passkey or a security key.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyBody {
    /// `passkey` or `security_key`. Default: `passkey`.
    #[schema(pattern = "^(passkey|security_key)$")]
    pub(crate) kind: Option<String>,
    /// The WebAuthn user handle: 16 bytes in base64url, the same in all passkeys of the user.
    pub(crate) user_handle: String,
    /// The name that the user gave it.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// The id of the credential, in base64url.
    pub(crate) credential_id: String,
    /// The public key and its properties, as an export contains them.
    pub(crate) credential: String,
    /// The model of the authenticator: a UUID.
    #[schema(format = Uuid)]
    pub(crate) aaguid: Option<String>,
    /// The transports of the authenticator.
    pub(crate) transports: Option<Vec<String>>,
    /// Whether the credential may be synchronized between devices.
    pub(crate) backup_eligible: bool,
    /// Whether it is synchronized.
    pub(crate) backed_up: bool,
    /// The signature counter.
    pub(crate) counter: u32,
    /// Creation time (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
    /// Time of the last use (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) last_used_at: Option<String>,
    /// The id of the relying party.
    pub(crate) rp_id: Option<String>,
}

/// An identity at an outside provider.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityBody {
    /// The issuer identifier.
    pub(crate) issuer: String,
    /// Identifies the user at the issuer.
    pub(crate) subject: String,
    /// The name of the provider, used if no provider of the server has the issuer.
    pub(crate) provider: Option<String>,
    /// The email address at the provider.
    pub(crate) email: Option<String>,
    /// When it was linked (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
}

/// An API key without its secret.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyBody {
    /// Unique identifier: a UUID.
    #[schema(format = Uuid)]
    pub(crate) id: String,
    /// Display name.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// The scopes.
    pub(crate) scopes: Vec<String>,
    /// The MAC of the secret. Only a server with the same root key accepts it.
    pub(crate) secret_mac: String,
    /// Expiry time (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) expires_at: Option<String>,
    /// Creation time (RFC 3339). Default: the time of the import.
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
    /// Time of the last rotation (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) rotated_at: Option<String>,
    /// Time of the last use (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) last_used_at: Option<String>,
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// The credentials of a line, unchecked.
#[derive(Default)]
pub(super) struct Given {
    pub(super) totp: Option<TotpBody>,
    pub(super) recovery_codes: Option<Vec<String>>,
    pub(super) passkeys: Option<Vec<PasskeyBody>>,
    pub(super) identities: Option<Vec<IdentityBody>>,
    pub(super) api_keys: Option<Vec<ApiKeyBody>>,
}

/// Checks the credentials of a line.
pub(super) fn parse(given: Given, services: &Services) -> Result<ImportCredentials, Vec<FieldError>> {
    let mut fields = Fields::default();
    let mut not_carried = NotCarried::default();
    let totp = given.totp.map(|totp| read_totp(&mut fields, &totp, services));
    let recovery_codes =
        given.recovery_codes.and_then(|codes| read_codes(&mut fields, &codes, services, &mut not_carried));
    let passkeys = given.passkeys.map(|passkeys| read_passkeys(&mut fields, passkeys, services));
    let identities = given.identities.map(|identities| read_identities(&mut fields, identities, services));
    let api_keys = given.api_keys.and_then(|keys| read_api_keys(&mut fields, keys, services, &mut not_carried));
    let credentials =
        ImportCredentials { totp: totp.flatten(), recovery_codes, passkeys, identities, api_keys, not_carried };
    fields.finish(Some(credentials))
}

fn read_totp(fields: &mut Fields, totp: &TotpBody, services: &Services) -> Option<ImportTotp> {
    let broken = || rule("invalid_value", "must be base32 of 10 to 128 bytes");
    let secret = read_secret(&totp.secret);
    let secret = secret.filter(|secret| TOTP_SECRET_BYTES.contains(&secret.expose_secret().len()));
    let secret = fields.check("totp.secret", secret.ok_or_else(broken));
    let confirmed_at = past(totp.confirmed_at.as_deref(), services.clock.now());
    let confirmed_at = fields.check("totp.confirmed_at", confirmed_at);
    Some(ImportTotp { secret: secret?, confirmed_at: confirmed_at? })
}

/// The codes; `None` if they are MACs under another key.
fn read_codes(
    fields: &mut Fields,
    codes: &[String],
    services: &Services,
    not_carried: &mut NotCarried,
) -> Option<Vec<[u8; 32]>> {
    check_count(fields, "recovery_codes", codes.len(), RECOVERY_CODES_MAX);
    let mut carried = Vec::with_capacity(codes.len());
    for (at, code) in codes.iter().enumerate() {
        match fields.check(&format!("recovery_codes[{at}]"), read_mac(code, services)) {
            Some(CarriedMac::Valid(mac)) => carried.push(mac),
            Some(CarriedMac::OtherKey) => not_carried.recovery_codes += 1,
            None => {}
        }
    }
    (not_carried.recovery_codes == 0).then_some(carried)
}

fn read_mac(text: &str, services: &Services) -> Result<CarriedMac, RuleBroken> {
    let broken = || rule("invalid_value", "must be in the form of an export (dnm1_…)");
    CarriedMac::parse(services.vault.as_ref(), text).ok_or_else(broken)
}

fn read_passkeys(fields: &mut Fields, passkeys: Vec<PasskeyBody>, services: &Services) -> Vec<ImportPasskey> {
    check_count(fields, "passkeys", passkeys.len(), PASSKEYS_MAX);
    let read = |(at, passkey)| read_passkey(fields, &format!("passkeys[{at}]"), passkey, services);
    let read: Vec<_> = passkeys.into_iter().enumerate().filter_map(read).collect();
    if read.iter().any(|passkey| passkey.user_handle != read[0].user_handle) {
        fields.refuse(FieldError::new("passkeys", "invalid_value", "must all have the same user_handle"));
    }
    read
}

fn read_passkey(fields: &mut Fields, at: &str, raw: PasskeyBody, services: &Services) -> Option<ImportPasskey> {
    let now = services.clock.now();
    let name_of = |field: &str| format!("{at}.{field}");
    let kind = raw.kind.as_deref().map_or(Some(CredentialKind::Passkey), CredentialKind::parse);
    let kind = kind.ok_or_else(|| rule("invalid_value", "must be passkey or security_key"));
    let kind = fields.check(&name_of("kind"), kind);
    let handle = URL_SAFE_NO_PAD.decode(&raw.user_handle).ok().and_then(|bytes| bytes.try_into().ok());
    let handle = handle.ok_or_else(|| rule("invalid_value", "must be 16 bytes in base64url"));
    let user_handle = fields.check(&name_of("user_handle"), handle);
    let name = fields.check(&name_of("name"), DisplayName::parse(&raw.name));
    let id = URL_SAFE_NO_PAD.decode(&raw.credential_id).ok().and_then(CredentialId::parse);
    let id = id.ok_or_else(|| rule("invalid_value", "must be 1 to 1023 bytes in base64url"));
    let id = fields.check(&name_of("credential_id"), id);
    let aaguid = raw.aaguid.as_deref().map_or(Ok(Uuid::nil()), Uuid::try_parse).map_err(|_| not_a_uuid());
    let aaguid = fields.check(&name_of("aaguid"), aaguid);
    let transports = raw.transports.unwrap_or_default();
    let is_transport =
        |name: &String| !name.is_empty() && name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let are_transports = transports.len() <= 16 && transports.iter().all(is_transport);
    let broken = || rule("invalid_value", "must be at most 16 names of at most 32 characters");
    let transports = fields.check(&name_of("transports"), are_transports.then_some(transports).ok_or_else(broken));
    let created_at = fields.check(&name_of("created_at"), past(raw.created_at.as_deref(), now));
    let last_used_at = fields.check(&name_of("last_used_at"), past(raw.last_used_at.as_deref(), now));
    let rp_id = fields.check(&name_of("rp_id"), raw.rp_id.map(text).transpose());
    let credential = RegisteredCredential {
        id: id?,
        document: raw.credential,
        aaguid: aaguid?,
        transports: transports?,
        backup_eligible: raw.backup_eligible,
        backed_up: raw.backed_up,
        counter: raw.counter,
    };
    let is_valid = credential.document.len() <= DOCUMENT_BYTES_MAX && services.webauthn.is_credential(&credential);
    let broken = || rule("invalid_value", "must be the credential of an export");
    let credential = fields.check(&name_of("credential"), is_valid.then_some(credential).ok_or_else(broken));
    Some(ImportPasskey {
        kind: kind?,
        user_handle: user_handle?,
        name: name?,
        credential: credential?,
        created_at: created_at?,
        last_used_at: last_used_at?,
        rp_id: rp_id?,
    })
}

fn read_identities(fields: &mut Fields, identities: Vec<IdentityBody>, services: &Services) -> Vec<ImportIdentity> {
    check_count(fields, "identities", identities.len(), IDENTITIES_MAX);
    let mut read = Vec::with_capacity(identities.len());
    for (at, raw) in identities.into_iter().enumerate() {
        let name_of = |field: &str| format!("identities[{at}].{field}");
        let issuer = fields.check(&name_of("issuer"), text(raw.issuer));
        let subject = fields.check(&name_of("subject"), text(raw.subject));
        let provider = raw.provider.as_deref().map(ProviderName::parse).transpose();
        let provider = fields.check(&name_of("provider"), provider);
        let email = fields.check(&name_of("email"), raw.email.map(text).transpose());
        let created_at = past(raw.created_at.as_deref(), services.clock.now());
        let created_at = fields.check(&name_of("created_at"), created_at);
        let identity = (|| {
            Some(ImportIdentity {
                issuer: issuer?,
                subject: subject?,
                provider: provider?,
                email: email?,
                created_at: created_at?,
            })
        })();
        read.extend(identity);
    }
    let is_repeated = |(at, one): (usize, &ImportIdentity)| {
        read[..at].iter().any(|other| other.issuer == one.issuer && other.subject == one.subject)
    };
    if read.iter().enumerate().any(is_repeated) {
        fields.refuse(FieldError::new("identities", "duplicate", "must not repeat an issuer and subject"));
    }
    read
}

/// The keys; `None` if their MACs are under another key.
fn read_api_keys(
    fields: &mut Fields,
    keys: Vec<ApiKeyBody>,
    services: &Services,
    not_carried: &mut NotCarried,
) -> Option<Vec<ImportApiKey>> {
    check_count(fields, "api_keys", keys.len(), API_KEYS_MAX);
    let mut read = Vec::with_capacity(keys.len());
    for (at, raw) in keys.into_iter().enumerate() {
        let mac = fields.check(&format!("api_keys[{at}].secret_mac"), read_mac(&raw.secret_mac, services));
        let key = read_api_key(fields, at, &raw, services);
        match mac {
            Some(CarriedMac::Valid(mac)) => read.extend(key.map(|key| ImportApiKey { secret_hash: mac, ..key })),
            Some(CarriedMac::OtherKey) => not_carried.api_keys += 1,
            None => {}
        }
    }
    (not_carried.api_keys == 0).then_some(read)
}

/// A key, whose MAC is not set yet.
fn read_api_key(fields: &mut Fields, at: usize, raw: &ApiKeyBody, services: &Services) -> Option<ImportApiKey> {
    let now = services.clock.now();
    let name_of = |field: &str| format!("api_keys[{at}].{field}");
    let id = fields.check(&name_of("id"), ApiKeyId::parse(&raw.id).ok_or_else(not_a_uuid));
    let name = fields.check(&name_of("name"), DisplayName::parse(&raw.name));
    let scopes = raw.scopes.iter().map(|scope| Permission::parse(scope)).collect::<Option<Vec<_>>>();
    let scopes = scopes.ok_or_else(|| rule("invalid_value", "must be names of permissions"));
    let scopes = fields.check(&name_of("scopes"), scopes);
    let expires_at = fields.check(&name_of("expires_at"), moment(raw.expires_at.as_deref()));
    let created_at = fields.check(&name_of("created_at"), past(raw.created_at.as_deref(), now));
    let rotated_at = fields.check(&name_of("rotated_at"), past(raw.rotated_at.as_deref(), now));
    let last_used_at = fields.check(&name_of("last_used_at"), past(raw.last_used_at.as_deref(), now));
    Some(ImportApiKey {
        id: id?,
        name: name?,
        scopes: Permissions::of(&scopes?),
        secret_hash: [0; 32],
        expires_at: expires_at?,
        created_at: created_at?,
        rotated_at: rotated_at?,
        last_used_at: last_used_at?,
    })
}

fn text(raw: String) -> Result<String, RuleBroken> {
    let is_text = !raw.is_empty() && raw.len() <= TEXT_BYTES_MAX && !raw.contains('\0');
    is_text.then_some(raw).ok_or_else(|| rule("invalid_value", "must be a text of 1 to 1024 bytes"))
}

fn check_count(fields: &mut Fields, field: &str, count: usize, max: usize) {
    if count > max {
        fields.refuse(FieldError::new(field, "too_many", format!("must have at most {max} entries")));
    }
}
