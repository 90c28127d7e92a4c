//! The prefixes of Spring Security's `DelegatingPasswordEncoder`.
//!
//! `{bcrypt}`, `{argon2}`, `{pbkdf2}`, `{scrypt}` and `{sha256}` with its defaults before and after 5.8, and the digests
//! of its `MessageDigestPasswordEncoder`. A secret of an encoder is not supported.

use super::digest::Digest;
use super::encoding::{hex, padded_base64};
use super::pbkdf2::Pbkdf2;
use super::salted::{Piece, Salted};
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason, bcrypt, ldap, parse_argon2};

const KEY_BYTES: usize = 32;
/// `StandardPasswordEncoder`.
const STANDARD_SALT_BYTES: usize = 8;
const STANDARD_ROUNDS: u32 = 1024;

/// The hash, if the scheme is one of Spring's. Some LDAP schemes have the same name, but values of another form.
pub(super) fn parse(scheme: &str, value: &str) -> Option<Result<Foreign, Reason>> {
    let scheme = scheme.strip_suffix("@SpringSecurity_v5_8").map_or((scheme, false), |scheme| (scheme, true));
    let hash = match scheme {
        ("bcrypt", _) => bcrypt::parse(value).map(Foreign::Bcrypt),
        ("argon2", _) => parse_argon2(value),
        ("noop", _) => Err("a password in plain text"),
        ("pbkdf2", false) if !value.contains('$') => parse_pbkdf2(Digest::Sha1, 185_000, 8, value),
        ("pbkdf2", true) => parse_pbkdf2(Digest::Sha256, 310_000, 16, value),
        ("scrypt", _) => parse_scrypt(value).map(Foreign::Scrypt),
        ("sha256", false) if is_hex(value) => parse_standard(value).map(Foreign::Salted),
        ("MD5", false) if value.starts_with('{') => message_digest(Digest::Md5, value).map(Foreign::Salted),
        ("SHA-1", false) => message_digest(Digest::Sha1, value).map(Foreign::Salted),
        ("SHA-256", false) => message_digest(Digest::Sha256, value).map(Foreign::Salted),
        ("ldap", false) => ldap::parse(value),
        _ => return None,
    };
    Some(hash)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The salt and the key in hexadecimal digits.
fn parse_pbkdf2(digest: Digest, iterations: u32, salt_bytes: usize, value: &str) -> Result<Foreign, Reason> {
    let mut salt = hex(value)?;
    if salt.len() != salt_bytes + KEY_BYTES {
        return Err("a PBKDF2 hash without the salt and key lengths of Spring Security's defaults");
    }
    let key = salt.split_off(salt_bytes);
    Pbkdf2::new(digest, iterations, salt, key).map(Foreign::Pbkdf2)
}

/// `$e0801$salt$key`: the logarithm of N, r and p in hexadecimal digits, the last two of two digits each.
fn parse_scrypt(value: &str) -> Result<Scrypt, Reason> {
    let parts: Vec<&str> = value.split('$').collect();
    let &["", params, salt, key] = parts.as_slice() else {
        return Err("not {scrypt}$parameters$salt$key");
    };
    let is_short = (5..=6).contains(&params.len()) && is_hex(params);
    let params = is_short.then(|| u32::from_str_radix(params, 16).ok()).flatten();
    let params = params.ok_or("scrypt parameters that are not five or six hexadecimal digits")?;
    let key = padded_base64(key)?;
    if key.len() != KEY_BYTES {
        return Err("an scrypt key that is not 32 bytes long");
    }
    let params = scrypt::cost(params >> 16, params >> 8 & 0xff, params & 0xff)?;
    Scrypt::new(params, padded_base64(salt)?, key)
}

/// The salt and a digest that is repeated, in hexadecimal digits.
fn parse_standard(value: &str) -> Result<Salted, Reason> {
    let mut salt = hex(value)?;
    if salt.len() != STANDARD_SALT_BYTES + KEY_BYTES {
        return Err("not {sha256} with 8 bytes of salt and 32 of the digest");
    }
    let hash = salt.split_off(STANDARD_SALT_BYTES);
    Salted::repeated(Digest::Sha256, STANDARD_ROUNDS, vec![Piece::Salt(salt), Piece::Password], hash)
}

/// `{salt}hex`, of the password and of the salt with its braces; or `hex`.
fn message_digest(digest: Digest, value: &str) -> Result<Salted, Reason> {
    let end = if value.starts_with('{') { value.find('}').map_or(0, |end| end + 1) } else { 0 };
    let (salt, hash) = value.split_at(end);
    if salt.len() > super::SECRET_BYTES_MAX {
        return Err("a salt or key of more than 512 bytes");
    }
    let pieces = vec![Piece::Password, Piece::Salt(salt.as_bytes().to_vec())];
    Salted::new(digest, pieces, hex(hash)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // spring-security, DelegatingPasswordEncoder.java.
    #[test]
    fn documented() {
        for hash in [
            "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG",
            "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc",
            "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==$\
             OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=",
            "{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0",
        ] {
            verifies("password", hash);
        }
    }

    // Python's hashlib, with the parameters of Pbkdf2PasswordEncoder and SCryptPasswordEncoder.
    #[test]
    fn since_5_8() {
        let key = "91c1c06c884f97838445618a630d9675376c6411e288abfe87e74c282a787ef9";
        verifies(LETMEIN, &format!("{{pbkdf2@SpringSecurity_v5_8}}000102030405060708090a0b0c0d0e0f{key}"));
        let key = "jaZc8/UeqB/l4RSBo26tlSk4LpFQMzQKPvIBwNovs94=";
        verifies(LETMEIN, &format!("{{scrypt@SpringSecurity_v5_8}}$100801$AAECAwQFBgcICQoLDA0ODw==${key}"));
        // supabase/auth, internal/crypto/password_test.go.
        let argon2 = "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk";
        verifies("test", &format!("{{argon2@SpringSecurity_v5_8}}{argon2}"));
        verifies("test", &format!("{{argon2}}{argon2}"));
    }

    // Python's hashlib, as MessageDigestPasswordEncoder does it; ory/kratos, hash/hasher_test.go.
    #[test]
    fn digests() {
        verifies(LETMEIN, "{MD5}{c2FsdHk=}9bc367cb064e3295ed31ebf1554d7f4d");
        let hash = "2593a7076759a7d0628a1c139d3526304e9c0138547dcc6a5ebf6754445cc3e9";
        verifies(LETMEIN, &format!("{{SHA-256}}{{c2FsdHk=}}{hash}"));
        verifies("test123", "{ldap}{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a");
    }

    #[test]
    fn others_are_refused() {
        for hash in [
            "{noop}password",
            "{bcrypt}",
            "{bcrypt}password",
            "{pbkdf2}5d923b44a6d129f3",
            "{pbkdf2@SpringSecurity_v5_8}5d92",
            "{scrypt}$e0801$AAECAwQFBgcICQoLDA0ODw==",
            "{scrypt}$140801$AAECAwQFBgcICQoLDA0ODw==$jaZc8/UeqB/l4RSBo26tlSk4LpFQMzQKPvIBwNovs94=",
            "{scrypt}$e0800$AAECAwQFBgcICQoLDA0ODw==$jaZc8/UeqB/l4RSBo26tlSk4LpFQMzQKPvIBwNovs94=",
            "{scrypt}$+e0801$AAECAwQFBgcICQoLDA0ODw==$jaZc8/UeqB/l4RSBo26tlSk4LpFQMzQKPvIBwNovs94=",
            "{sha256}97cd",
            "{SHA-256}{salt",
            "{SHA-1}{salt}00",
            "{MD4}{salt}00",
            "{ldap}password",
            "{unknown}password",
        ] {
            is_refused(hash);
        }
        // Prefixes do not nest.
        is_refused(&"{ldap}".repeat(600));
    }
}
