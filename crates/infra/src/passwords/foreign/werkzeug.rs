//! Werkzeug's `method$salt$hash`, which Flask applications store. The salt is used as text, not decoded.

use super::digest::Digest;
use super::encoding::{hex, number, raw};
use super::pbkdf2::Pbkdf2;
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason};

const FORM: Reason = "not pbkdf2:digest:iterations$salt$key or scrypt:N:r:p$salt$key";
const SCRYPT_KEY_BYTES: usize = 64;

/// Whether a text begins like one of these hashes.
pub(super) fn is_werkzeug(text: &str) -> bool {
    text.starts_with("pbkdf2:") || text.starts_with("scrypt:")
}

/// `pbkdf2:sha256:600000$salt$hex` or `scrypt:32768:8:1$salt$hex`.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let mut parts = text.splitn(3, '$');
    let (Some(method), Some(salt), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(FORM);
    };
    let (salt, key) = (raw(salt)?, hex(key)?);
    let method: Vec<&str> = method.split(':').collect();
    match *method.as_slice() {
        ["pbkdf2", digest, iterations] => {
            let digest = Digest::named(digest).ok_or("an unknown PBKDF2 digest")?;
            if key.len() != digest.bytes() {
                return Err("a PBKDF2 key whose length does not match its digest");
            }
            Pbkdf2::new(digest, number(iterations)?, salt, key).map(Foreign::Pbkdf2)
        }
        ["scrypt", n, r, p] => {
            if key.len() != SCRYPT_KEY_BYTES {
                return Err("an scrypt key that is not 64 bytes long");
            }
            Scrypt::new(scrypt::cost_of_n(number(n)?, number(r)?, number(p)?)?, salt, key).map(Foreign::Scrypt)
        }
        // Without a number, the iterations depend on the release that hashed, and are unknown.
        _ => Err(FORM),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // Werkzeug 3.1.
    #[test]
    fn pbkdf2() {
        let key = "4408b4fd623fdf6281c82902304cdb97fa00c9fd656ec5e657501f8240a86053";
        verifies(LETMEIN, &format!("pbkdf2:sha256:1000$9QN7Vco71sduoqAw${key}"));
        verifies(LETMEIN, "pbkdf2:sha1:1000$qAFhdhQO8M90c1Wq$cbcc73a5a562cfce719309c331448c6f6e9deb49");
        let key = concat!(
            "b528f594494acaa3caad010387f55e0024a40bc01da681955c6a9206c1ce174d",
            "ff24654496e11779baf599c0f126f9ad0ffb7ba7622a6ad3234eae9458b7cade",
        );
        verifies(LETMEIN, &format!("pbkdf2:sha512:1000$jpNjtzwrTYIS9St0${key}"));
    }

    // Werkzeug 3.1, the second with its defaults.
    #[test]
    fn scrypt() {
        let key = concat!(
            "f737dbc9026c87e4b1029580f55207033a523c760467ef58f81fa3f9b29faaf5",
            "cd46a466d92c3536bf4e679ab00e1285ce891a34799b8752394f546e1075c409",
        );
        verifies(LETMEIN, &format!("scrypt:1024:8:1$tW1XwCgta2ulXcq3${key}"));
        let key = concat!(
            "6566102f84ec38e963a751687d9cdd48a092ce16251c777ea375d842e0a020f8",
            "d90c7416c6bd625ce5b272e978f6e55a7d10d4f849a47f6e2732415456f5bb74",
        );
        verifies(LETMEIN, &format!("scrypt:32768:8:1$ApZveW5XMjmHnk6S${key}"));
    }

    #[test]
    fn other_methods_and_costs_are_refused() {
        let key = "4408b4fd623fdf6281c82902304cdb97fa00c9fd656ec5e657501f8240a86053";
        for method in ["pbkdf2:sha256", "pbkdf2:sha256:2000001", "pbkdf2:md5:1000", "pbkdf2:sha1:1", "plain", "sha256"]
        {
            is_refused(&format!("{method}$salt${key}"));
        }
        for cost in ["1000:8:1", "1048576:8:1", "32768:8", "32768:8:1:1", "0:8:1"] {
            is_refused(&format!("scrypt:{cost}$salt${key}{key}"));
        }
        is_refused("pbkdf2:sha256:1000$salt");
        is_refused("scrypt:32768:8:1$salt$");
    }
}
