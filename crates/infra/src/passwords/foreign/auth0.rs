//! Auth0's `custom_password_hash` (the schema of its bulk import).

use serde::Deserialize;

use super::digest::Digest;
use super::encoding::{base64, hex, raw};
use super::salted::{Piece, Salted};
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason, bcrypt, ldap, parse_argon2, pbkdf2};

/// What Auth0 takes for N, r and p when nothing is said.
const N: u32 = 16_384;
const R: u32 = 8;
const P: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Custom {
    algorithm: String,
    hash: Hash,
    salt: Option<Salt>,
    password: Option<Password>,
    keylen: Option<u32>,
    cost: Option<u32>,
    block_size: Option<u32>,
    parallelization: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hash {
    value: String,
    encoding: Option<Encoding>,
    digest: Option<String>,
    key: Option<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    value: String,
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Salt {
    value: String,
    #[serde(default)]
    encoding: Encoding,
    position: Option<Position>,
}

/// The bytes that the password was hashed as.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    encoding: Option<String>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
    Hex,
    #[default]
    Utf8,
}

impl Encoding {
    fn read(self, text: &str) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Base64 => base64(text),
            Self::Hex => hex(text),
            Self::Utf8 => raw(text),
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Position {
    Prefix,
    Suffix,
}

/// The JSON object.
pub(super) fn parse(json: &str) -> Result<Foreign, Reason> {
    let custom: Custom = serde_json::from_str(json).map_err(|_| "fields other than those of custom_password_hash")?;
    let password_encoding = custom.password.as_ref().and_then(|password| password.encoding.as_deref());
    if password_encoding.is_some_and(|encoding| encoding != "utf8") {
        return Err("a password in an encoding other than utf8");
    }
    let value = custom.hash.value.as_str();
    match custom.algorithm.as_str() {
        "bcrypt" => bcrypt::parse(value).map(Foreign::Bcrypt),
        "argon2" => parse_argon2(value),
        "pbkdf2" => pbkdf2::parse(value).map(Foreign::Pbkdf2),
        "ldap" => ldap::parse(value),
        "scrypt" => hard(&custom).map(Foreign::Scrypt),
        "hmac" => keyed(&custom).map(Foreign::Salted),
        "md5" | "sha1" | "sha256" | "sha512" => salted(&custom).map(Foreign::Salted),
        _ => Err("an algorithm other than argon2, bcrypt, hmac, ldap, md5, sha1, sha256, sha512, pbkdf2 and scrypt"),
    }
}

fn hash_of(custom: &Custom) -> Result<Vec<u8>, Reason> {
    match custom.hash.encoding {
        Some(Encoding::Utf8) | None => Err("a hash whose encoding is not base64 or hex"),
        Some(encoding) => encoding.read(&custom.hash.value),
    }
}

fn hard(custom: &Custom) -> Result<Scrypt, Reason> {
    let key = hash_of(custom)?;
    let key_bytes = custom.keylen.and_then(|bytes| usize::try_from(bytes).ok());
    if key_bytes != Some(key.len()) {
        return Err("an scrypt key whose length is not keylen");
    }
    let salt = custom.salt.as_ref().ok_or("scrypt without a salt")?;
    let (n, r, p) = (custom.cost.unwrap_or(N), custom.block_size.unwrap_or(R), custom.parallelization.unwrap_or(P));
    Scrypt::new(scrypt::cost_of_n(n, r, p)?, salt.encoding.read(&salt.value)?, key)
}

fn keyed(custom: &Custom) -> Result<Salted, Reason> {
    let key = custom.hash.key.as_ref().ok_or("hmac without a key")?;
    let digest = custom.hash.digest.as_deref().and_then(Digest::named).ok_or("hmac with an unknown digest")?;
    Salted::keyed(digest, key.encoding.read(&key.value)?, pieces(custom)?, hash_of(custom)?)
}

fn salted(custom: &Custom) -> Result<Salted, Reason> {
    let digest = Digest::named(&custom.algorithm).ok_or("an unknown digest")?;
    Salted::new(digest, pieces(custom)?, hash_of(custom)?)
}

fn pieces(custom: &Custom) -> Result<Vec<Piece>, Reason> {
    let Some(salt) = &custom.salt else {
        return Ok(vec![Piece::Password]);
    };
    let piece = Piece::Salt(salt.encoding.read(&salt.value)?);
    match salt.position {
        Some(Position::Prefix) => Ok(vec![piece, Piece::Password]),
        Some(Position::Suffix) => Ok(vec![Piece::Password, piece]),
        None => Err("a salt without a position"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // The schema's own example: MD5('salt' + 'password'). The others by Python's hashlib and hmac.
    #[test]
    fn digests() {
        verifies(
            "password",
            concat!(
                r#"{"algorithm":"md5","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"},"#,
                r#""salt":{"value":"salt","position":"prefix"}}"#,
            ),
        );
        verifies(
            LETMEIN,
            concat!(
                r#" {"algorithm":"sha512","#,
                r#""hash":{"value":"uI7NaBUlGr46mT/ouAF9+QJFG6puksXwGFCsTYiXXPH1Iv09E+9wYSKAGnTjqITQyhhrsG6Y+2xr0d+"#,
                r#"Iq2QGAQ==","encoding":"base64"},"salt":{"value":"706570706572","encoding":"hex","#,
                r#""position":"suffix"},"password":{"encoding":"utf8"}}"#,
            ),
        );
        verifies(
            LETMEIN,
            concat!(
                r#"{"algorithm":"hmac","hash":{"value":"b099ac18e83c429a8fe9edbf027f02271bd9231f510c6ee811c23585afe"#,
                r#"7f241","encoding":"hex","digest":"sha256","key":{"value":"a2V5","encoding":"base64"}}}"#,
            ),
        );
    }

    // Python's hashlib; then the vectors of ory/kratos, passlib and the schema's PHC form.
    #[test]
    fn stretched() {
        let scrypt = concat!(
            r#"{"algorithm":"scrypt","#,
            r#""hash":{"value":"12fb39d4d08bf76c46f1e83883b55a1c6576177ee5a807f76b6dee1248dcde6a32e20b6b17a89c7"#,
            r#"d411eeb838f8011896811b6744b8b12a48f94f797befdd998","encoding":"hex"},"salt":{"value":"salty"},"#,
            r#""keylen":64,"cost":1024}"#,
        );
        verifies(LETMEIN, scrypt);
        is_refused(&scrypt.replace("1024", "524288"));
        is_refused(&scrypt.replace("1024", "1000"));
        is_refused(&scrypt.replace(r#""keylen":64"#, r#""keylen":32"#));
        verifies(
            LETMEIN,
            r#"{"algorithm":"bcrypt","hash":{"value":"$2b$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO"}}"#,
        );
        verifies(
            "test",
            concat!(
                r#"{"algorithm":"argon2","hash":{"value":"$argon2id$v=19$m=32,t=2,"#,
                r#"p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw","encoding":"utf8"}}"#,
            ),
        );
        verifies(
            "test",
            concat!(
                r#"{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=100000,"#,
                r#"l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc"}}"#,
            ),
        );
        verifies("test123", r#"{"algorithm":"ldap","hash":{"value":"{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a"}}"#);
    }

    #[test]
    fn what_would_be_guessed_is_refused() {
        for json in [
            r#"{"algorithm":"md4","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"}}"#,
            r#"{"algorithm":"md5","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA"}}"#,
            concat!(
                r#"{"algorithm":"md5","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"},"#,
                r#""salt":{"value":"salt"}}"#,
            ),
            r#"{"algorithm":"sha1","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"}}"#,
            concat!(
                r#"{"algorithm":"md5","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"},"#,
                r#""password":{"encoding":"utf16le"}}"#,
            ),
            r#"{"algorithm":"md5","hash":{"value":"67A1E09BB1F83F5007DC119C14D663AA","encoding":"hex"},"rounds":2}"#,
            r#"{"algorithm":"md5"}"#,
            r#"{"algorithm":"md5","#,
            "{}",
        ] {
            is_refused(json);
        }
    }
}
