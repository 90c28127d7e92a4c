//! Tokens that are derived, not kept: a message and a code over it under the master key. Whoever reads the database
//! finds nothing that opens anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::ports::Vault;

/// 192 bits of the MAC.
const CODE_BYTES: usize = 24;

/// What a token begins with, so that scanners find leaked ones, and what its code is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) prefix: &'static str,
    pub(crate) purpose: &'static str,
}

impl Kind {
    /// The token that carries a message.
    pub(crate) fn token(self, vault: &dyn Vault, message: &[u8]) -> SecretString {
        let code = vault.mac(self.purpose, message);
        let bytes = [message, &code[..CODE_BYTES]].concat();
        let mut token = self.prefix.to_owned();
        URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
        token.into()
    }

    /// The message of a token; `None` when it was not made here, or is of another kind.
    pub(crate) fn open<const N: usize>(self, vault: &dyn Vault, token: &SecretString) -> Option<[u8; N]> {
        let encoded = token.expose_secret().strip_prefix(self.prefix)?;
        if Some(encoded.len()) != base64::encoded_len(N + CODE_BYTES, false) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (message, code) = bytes.split_first_chunk::<N>()?;
        let expected = vault.mac(self.purpose, message);
        bool::from(code.ct_eq(&expected[..CODE_BYTES])).then_some(*message)
    }
}
