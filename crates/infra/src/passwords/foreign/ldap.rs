//! The schemes of LDAP servers (RFC 2307 §5.3 and its successors), of either case.

use super::digest::Digest;
use super::encoding::padded_base64;
use super::pbkdf2::Pbkdf2;
use super::salted::{Piece, Salted};
use super::{Foreign, Reason, bcrypt, crypt3, parse_argon2, pbkdf2, spring};

/// `{SCHEME}value`.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let (scheme, value) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).ok_or("not {SCHEME}value")?;
    if let Some(hash) = spring::parse(scheme, value) {
        return hash;
    }
    match scheme.to_ascii_uppercase().as_str() {
        "MD5" => plain(Digest::Md5, value),
        "SHA" => plain(Digest::Sha1, value),
        "SHA256" => plain(Digest::Sha256, value),
        "SHA384" => plain(Digest::Sha384, value),
        "SHA512" => plain(Digest::Sha512, value),
        "SMD5" => salted(Digest::Md5, value),
        "SSHA" => salted(Digest::Sha1, value),
        "SSHA256" => salted(Digest::Sha256, value),
        "SSHA384" => salted(Digest::Sha384, value),
        "SSHA512" => salted(Digest::Sha512, value),
        "PBKDF2" | "PBKDF2-SHA1" => stretched(Digest::Sha1, value),
        "PBKDF2-SHA256" => stretched(Digest::Sha256, value),
        "PBKDF2-SHA512" => stretched(Digest::Sha512, value),
        "PKCS5S2" => atlassian(value),
        "ARGON2" => parse_argon2(value),
        "CRYPT" if value.starts_with("$2") => bcrypt::parse(value).map(Foreign::Bcrypt),
        "CRYPT" if value.starts_with('$') => crypt3::parse(value).map(Foreign::Crypt3),
        "CRYPT" => Err("crypt(3) on DES"),
        _ => Err("an unknown LDAP scheme"),
    }
}

fn plain(digest: Digest, value: &str) -> Result<Foreign, Reason> {
    Salted::new(digest, vec![Piece::Password], padded_base64(value)?).map(Foreign::Salted)
}

fn salted(digest: Digest, value: &str) -> Result<Foreign, Reason> {
    let mut hash = padded_base64(value)?;
    if hash.len() <= digest.bytes() {
        return Err("no salt after the digest");
    }
    let salt = hash.split_off(digest.bytes());
    Salted::new(digest, vec![Piece::Password, Piece::Salt(salt)], hash).map(Foreign::Salted)
}

fn stretched(digest: Digest, value: &str) -> Result<Foreign, Reason> {
    let parts: Vec<&str> = value.split('$').collect();
    let parts = parts.try_into().map_err(|_| "not {PBKDF2-digest}iterations$salt$key")?;
    // OpenLDAP's module loses the last byte of SHA-1 keys in some versions.
    let key_bytes_min = if digest == Digest::Sha1 { digest.bytes() - 1 } else { digest.bytes() };
    pbkdf2::parse_adapted(digest, parts, key_bytes_min).map(Foreign::Pbkdf2)
}

/// Atlassian's: the salt and the key.
fn atlassian(value: &str) -> Result<Foreign, Reason> {
    const ITERATIONS: u32 = 10_000;
    const SALT_BYTES: usize = 16;
    const KEY_BYTES: usize = 32;
    let mut salt = padded_base64(value)?;
    if salt.len() != SALT_BYTES + KEY_BYTES {
        return Err("not {PKCS5S2} with 16 bytes of salt and 32 of the key");
    }
    let key = salt.split_off(SALT_BYTES);
    Pbkdf2::new(Digest::Sha1, ITERATIONS, salt, key).map(Foreign::Pbkdf2)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, takes, verifies};

    // passlib 1.7.4 (ldap_digests).
    #[test]
    fn digests() {
        verifies(LETMEIN, "{MD5}2uhQbVPs+2Qs8LusMdOfQw==");
        verifies(LETMEIN, "{SMD5}eW7/vy47Ekd6l1ep0aWhOaB0LsU=");
        verifies(LETMEIN, "{SHA}1+uM7y0lwNqhGzggXUD0fBY66/c=");
        verifies(LETMEIN, "{ssha}DrrKCe5hRauPFbqAdPqIrBHXGQmJsfYe");
        verifies(LETMEIN, "{SSHA256}ctEGdWm9gphxILFoo1KV5CWR+iBzcxAuE4sE9Jer3HkYIySE0FqLkQ==");
        verifies(
            LETMEIN,
            "{SSHA512}XMon3uicuF8ZpROyx1ILm0PUm3f996c4qSYRCOiym8i6k6a2qYI+m8vIBsvsoq8mE8iPg9SzrauI+u/Z/eq2tc1ZKwXg3JvT",
        );
    }

    // ory/kratos, hash/hasher_test.go; kanidm, libs/crypto/src/lib.rs (389 Directory Server).
    #[test]
    fn digests_of_servers() {
        verifies("test123", "{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a");
        verifies("test123", "{SSHA256}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK");
        verifies(
            "test123",
            "{SSHA512}xPUl/px+1cG55rUH4rzcwxdOIPSB2TingLpiJJumN2xyDWN4Ix1WQG3ihnvHaWUE8MYNkvMi5rf0C9NYixHsE6Yh59M=",
        );
        verifies(
            "password",
            "{SSHA512}JwrSUHkI7FTAfHRVR6KoFlSN0E3dmaQWARjZ+/UsShYlENOqDtFVU77HJLLrY2MuSp0jve52+pwtdVl2QUAHukQ0XUf5LDtM",
        );
    }

    // kanidm, libs/crypto/src/lib.rs (OpenLDAP's pw-pbkdf2 and pw-argon2).
    #[test]
    fn openldap() {
        takes("password", "{PBKDF2}10000$IlfapjA351LuDSwYC0IQ8Q$saHqQTuYnjJN/tmAndT.8mJt.6w");
        takes("password", "{PBKDF2-SHA1}10000$ZBEH6B07rgQpJSikyvMU2w$TAA03a5IYkz1QlPsbJKvUsTqNV");
        verifies("password", "{PBKDF2-SHA256}10000$henZGfPWw79Cs8ORDeVNrQ$1dTJy73v6n3bnTmTZFghxHXHLsAzKaAy8SksDfZBPIw");
        verifies(
            "password",
            "{PBKDF2-SHA512}10000$Je1Uw19Bfv5lArzZ6V3EPw$\
             g4T/1sqBUYWl9o93MVnyQ/8zKGSkPbKaXXsT8WmysXQJhWy8MRP2JFudSL.N9RklQYgDPxPjnfum/F2f/TrppA",
        );
        verifies(
            "password",
            "{ARGON2}$argon2id$v=19$m=65536,t=2,p=1$IyTQMsvzB2JHDiWx8fq7Ew$VhYOA7AL0kbRXI5g2kOyyp8St1epkNj7WZyUY4pAIQQ",
        );
    }

    // passlib 1.7.4 (ldap_md5_crypt, ldap_sha512_crypt, ldap_bcrypt).
    #[test]
    fn crypt() {
        verifies(LETMEIN, "{crypt}$1$8HIICl6X$NiYTqGoZyw9amo.6iSnf40");
        verifies(
            LETMEIN,
            "{CRYPT}$6$rounds=1500$MIDGQcgxgqvxYNbS$\
             CZxfWFdwdgrzQYEVnFR08ZRHVleIxwaQ1TTgSiyrLWL0wCTu1qUNkemST3GA47kl5hYb8KIatHEIgvbo/AnEC.",
        );
        verifies(LETMEIN, "{CRYPT}$2b$05$/jISY9wVnH8Z4o4ebrDvOuJLw6n40vJjl0EEtiz.jJL1Zw3nudKvG");
    }

    // passlib 1.7.4 and its tests/test_handlers_pbkdf2.py.
    #[test]
    fn atlassian() {
        verifies("admin", "{PKCS5S2}c4xaeTQM0lUieMS3V5voiexyX9XhqC2dBd5ecVy60IPksHChwoTAVYFrhsgoq8/p");
        verifies(LETMEIN, "{PKCS5S2}7r33nlMq5Zxz7v1faw0BwCd65zfcQfZ5xywNsSYO4hSWi3iyp4YDmaenRuOyniEW");
        is_refused("{PKCS5S2}c4xaeTQM0lUieMS3V5voiexyX9XhqC2dBd5ecVy60IPksHChwoTAVYFrhsgoq8/");
        is_refused("{PKCS5S2}c4xaeTQM0lUieMS3V5voiexyX9XhqC2dBd5ecVy60IPksHChwoTAVYFrhsgo");
    }

    // The first and the last of ory/kratos, hash/hasher_test.go.
    #[test]
    fn other_schemes_and_short_values_are_refused() {
        for hash in [
            "{SSHA}tooshort",
            "{SSHA}",
            "{SSHA",
            "{SHA}1+uM7y0lwNqhGzggXUD0fBY66w==",
            "{SSHA}1+uM7y0lwNqhGzggXUD0fBY66/c=",
            "{CRYPT}ab1Hv2Lg7ltQo",
            "{CRYPT}",
            "{CLEARTEXT}secret",
            "{PBKDF2-SHA256}2000001$henZGfPWw79Cs8ORDeVNrQ$1dTJy73v6n3bnTmTZFghxHXHLsAzKaAy8SksDfZBPIw",
            "{PBKDF2-SHA256}10000$henZGfPWw79Cs8ORDeVNrQ",
            "{SSHAnotExistent}xPUl/px+1cG55rUH4rzcwxdOIPSB2TingLpiJJumN2xyDWN4Ix1WQG3ihnvHaWUE8MYNkvMi5rf0C9N\
             YixHsE6Yh59M=",
        ] {
            is_refused(hash);
        }
    }
}
