//! The texts that bytes and numbers are kept in.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Reason, SECRET_BYTES_MAX};

const UNPADDED: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ANY: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, UNPADDED);
const PADDED: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new());
// OpenLDAP cuts some keys short, and makers of bcrypt fill the last bits as they like.
const LAX: GeneralPurposeConfig = UNPADDED.with_decode_allow_trailing_bits(true);
const ADAPTED: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LAX);
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LAX);

/// The digits of crypt(3), the first one for zero.
const CRYPT_DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Base64 with or without padding, of either alphabet.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, Reason> {
    decode(&ANY, &text.replace('-', "+").replace('_', "/"))
}

/// Base64 as its maker padded it. What is cut off shows.
pub(super) fn padded_base64(text: &str) -> Result<Vec<u8>, Reason> {
    decode(&PADDED, text)
}

/// The base64 of passlib and OpenLDAP: a dot for the plus, no padding.
pub(super) fn adapted_base64(text: &str) -> Result<Vec<u8>, Reason> {
    decode(&ADAPTED, &text.replace('.', "+"))
}

/// The base64 of bcrypt.
pub(super) fn bcrypt_base64(text: &str) -> Result<Vec<u8>, Reason> {
    decode(&BCRYPT, text)
}

fn decode(engine: &GeneralPurpose, text: &str) -> Result<Vec<u8>, Reason> {
    bounded(engine.decode(text).map_err(|_| "invalid base64")?)
}

/// Hexadecimal digits of either case.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, Reason> {
    const WRONG: Reason = "invalid hexadecimal digits";
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref().ok_or(WRONG)?.as_chunks() else {
        return Err(WRONG);
    };
    bounded(pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).unwrap_or_default()).collect())
}

/// The bytes of a text that stands for itself.
pub(super) fn raw(text: &str) -> Result<Vec<u8>, Reason> {
    bounded(text.as_bytes().to_vec())
}

fn bounded(bytes: Vec<u8>) -> Result<Vec<u8>, Reason> {
    if bytes.len() > SECRET_BYTES_MAX {
        return Err("a salt or key of more than 512 bytes");
    }
    Ok(bytes)
}

/// A decimal number without a sign.
pub(super) fn number(text: &str) -> Result<u32, Reason> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten().ok_or("a cost that is not a number")
}

/// The values of `a=1,b=2`, which must have these names in this order.
pub(super) fn settings<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Result<[&'a str; N], Reason> {
    const WRONG: Reason = "parameters that are missing or in the wrong order";
    let mut values = [""; N];
    let mut given = text.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        *value = given.next().and_then(|setting| setting.strip_prefix(name)?.strip_prefix('=')).ok_or(WRONG)?;
    }
    given.next().is_none().then_some(values).ok_or(WRONG)
}

/// Bytes in the digits of crypt(3), the lowest six bits first.
pub(super) fn crypt_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 1);
    for group in bytes.chunks(3) {
        let value = group.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte));
        text.extend((0..=group.len()).map(|place| char::from(CRYPT_DIGITS[value >> (6 * place) & 63])));
    }
    text
}

/// The value of one digit of crypt(3).
pub(super) fn crypt_digit(digit: u8) -> Option<u32> {
    let at = CRYPT_DIGITS.iter().position(|known| *known == digit)?;
    u32::try_from(at).ok()
}

/// Whether all are digits of crypt(3).
pub(super) fn is_crypt_text(text: &str) -> bool {
    text.bytes().all(|byte| crypt_digit(byte).is_some())
}
