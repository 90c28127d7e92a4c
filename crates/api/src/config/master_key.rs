//! The master key as configuration carries it, and whether it deserves the name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// What a master key must be.
pub(super) const EXPECTED: &str = "32 random bytes in base64 or hexadecimal, as `openssl rand -base64 32` makes them";

/// The length of the key, in bytes.
const KEY_BYTES: usize = 32;
/// The fewest different bytes in a random key. 32 random bytes have fewer than once in 10¹² keys.
const DIFFERENT_BYTES_MIN: usize = 18;

/// The 32 bytes of a key in base64 or hexadecimal.
pub(super) fn decode(raw: &SecretString) -> Option<SecretBox<[u8; KEY_BYTES]>> {
    let text = raw.expose_secret().trim();
    let mut length = None;
    let key = SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| {
        length = if text.len() == KEY_BYTES * 2 { decode_hex(text, key) } else { STANDARD.decode_slice(text, key).ok() };
    });
    (length == Some(KEY_BYTES)).then_some(key)
}

/// Whether the bytes were thought up rather than drawn: repeated, counted up, or text.
pub(super) fn is_weak(key: &SecretBox<[u8; KEY_BYTES]>) -> bool {
    let key = key.expose_secret();
    let mut seen = [false; 256];
    for &byte in key {
        seen[usize::from(byte)] = true;
    }
    let different = seen.iter().filter(|&&is_seen| is_seen).count();
    let step = key[1].wrapping_sub(key[0]);
    let is_counted = key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    let is_text = key.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    different < DIFFERENT_BYTES_MIN || is_counted || is_text
}

fn decode_hex(text: &str, key: &mut [u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (slot, &[high, low]) in key.iter_mut().zip(pairs) {
        *slot = digit(high)? << 4 | digit(low)?;
    }
    Some(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::{decode, is_weak};
    use secrecy::ExposeSecret;

    const KEY_HEX: &str = "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d";
    const KEY_BASE64: &str = "++++Pwqc0X5mJLhdj/BMEZJ6o8heAWvU9zkg7oG2RX0=";

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let key = *decode(&KEY_HEX.into()).unwrap().expose_secret();
        for raw in [KEY_BASE64, &KEY_HEX.to_uppercase(), &format!(" {KEY_HEX}\n")] {
            assert_eq!(decode(&raw.into()).map(|key| *key.expose_secret()), Some(key), "{raw}");
        }
    }

    #[test]
    fn what_is_not_32_bytes_is_no_key() {
        for raw in ["", "changeme", &KEY_HEX[2..], &format!("{KEY_HEX}00"), &"g".repeat(64), &"A".repeat(44), &"A".repeat(42), &"é".repeat(32)] {
            assert!(decode(&raw.into()).is_none(), "{raw}");
        }
    }

    #[test]
    fn keys_that_were_thought_up_are_weak() {
        let counted: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let text: String = "correct horse battery staple, 42".bytes().map(|byte| format!("{byte:02x}")).collect();
        for raw in [&"00".repeat(32), &"a1b2".repeat(16), &counted, &text] {
            assert!(is_weak(&decode(&raw.as_str().into()).unwrap()), "{raw}");
        }
        assert!(!is_weak(&decode(&KEY_HEX.into()).unwrap()));
    }
}
