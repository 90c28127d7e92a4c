//! What requests are signed with: `whsec_` and random bytes (Standard Webhooks), kept under the master key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::store::SealedSecrets;
use crate::id::WebhookId;
use crate::ports::{Random, Vault};
use crate::time::Timestamp;

const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A new secret.
pub(super) fn generate(random: &dyn Random) -> SecretString {
    let mut bytes = [0; SECRET_BYTES];
    random.fill(&mut bytes);
    let mut text = PREFIX.to_owned();
    STANDARD.encode_string(bytes, &mut text);
    text.into()
}

/// The form in which it is kept, good for this webhook alone.
pub(super) fn seal(vault: &dyn Vault, id: WebhookId, secret: &SecretString) -> Vec<u8> {
    vault.seal(&context(id), secret.expose_secret().as_bytes())
}

/// The secrets that are good now, the newest first; none at all when one cannot be opened.
pub(super) fn open(vault: &dyn Vault, id: WebhookId, sealed: &SealedSecrets, now: Timestamp) -> Vec<SecretString> {
    let previous = sealed.previous.iter().filter(|(_, until)| *until > now).map(|(sealed, _)| sealed);
    let open = |sealed: &Vec<u8>| {
        let text = vault.open(&context(id), sealed).and_then(|bytes| String::from_utf8(bytes).ok());
        text.map(SecretString::from)
    };
    let secrets: Option<_> = std::iter::once(&sealed.current).chain(previous).map(open).collect();
    secrets.unwrap_or_default()
}

fn context(id: WebhookId) -> Vec<u8> {
    [b"webhook secret ".as_slice(), id.as_uuid().as_bytes()].concat()
}
