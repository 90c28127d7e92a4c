//! MACs of recovery codes and API keys in exports. Each contains the id of the key that it was computed with, so that a
//! server with another key does not accept it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ports::Vault;

const PREFIX: &str = "dnm1_";
const KEY_ID_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
const PURPOSE: &str = "id of the key of exported MACs";

/// A MAC of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedMac {
    /// Computed with the key of this server.
    Valid([u8; MAC_BYTES]),
    /// Computed with another key.
    OtherKey,
}

impl CarriedMac {
    /// Encodes a MAC that this server computed.
    #[must_use]
    pub fn encode(vault: &dyn Vault, mac: &[u8; MAC_BYTES]) -> String {
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string([&key_id(vault), mac.as_slice()].concat(), &mut text);
        text
    }

    /// Parses an encoded MAC; `None` if the form is wrong.
    #[must_use]
    pub fn parse(vault: &dyn Vault, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (id, mac) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
        let mac = mac.try_into().ok()?;
        Some(if *id == key_id(vault) { Self::Valid(mac) } else { Self::OtherKey })
    }
}

fn key_id(vault: &dyn Vault) -> [u8; KEY_ID_BYTES] {
    let mac = vault.mac(PURPOSE, b"");
    *mac.first_chunk().expect("a MAC has 32 bytes")
}
