//! Django's encodings: the algorithm, then what it takes, between dollar signs.

use super::digest::Digest;
use super::encoding::{hex, number, padded_base64, raw};
use super::pbkdf2::Pbkdf2;
use super::prepared::{Prepared, Step};
use super::salted::{Piece, Salted};
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason, bcrypt, parse_argon2};

const SCRYPT_KEY_BYTES: usize = 64;

/// `algorithm$…`.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let (algorithm, rest) = text.split_once('$').ok_or("an unknown kind of hash")?;
    match algorithm {
        "pbkdf2_sha256" => stretched(Digest::Sha256, rest).map(Foreign::Pbkdf2),
        "pbkdf2_sha1" => stretched(Digest::Sha1, rest).map(Foreign::Pbkdf2),
        "bcrypt" => bcrypt::parse(rest).map(Foreign::Bcrypt),
        "bcrypt_sha256" => Ok(Prepared::over(vec![Step::Hex(Digest::Sha256)], Foreign::Bcrypt(bcrypt::parse(rest)?))),
        "argon2" => parse_argon2(&format!("${rest}")),
        "scrypt" => hard(rest).map(Foreign::Scrypt),
        "sha1" => salted(Digest::Sha1, rest).map(Foreign::Salted),
        "md5" => salted(Digest::Md5, rest).map(Foreign::Salted),
        _ => Err("an unknown kind of hash"),
    }
}

/// `iterations$salt$key`. The salt stands for itself.
fn stretched(digest: Digest, rest: &str) -> Result<Pbkdf2, Reason> {
    let parts: Vec<&str> = rest.split('$').collect();
    let &[iterations, salt, key] = parts.as_slice() else {
        return Err("not pbkdf2_digest$iterations$salt$key");
    };
    let key = padded_base64(key)?;
    if key.len() != digest.bytes() {
        return Err("a PBKDF2 key whose length does not match its digest");
    }
    Pbkdf2::new(digest, number(iterations)?, raw(salt)?, key)
}

/// `N$salt$r$p$key`.
fn hard(rest: &str) -> Result<Scrypt, Reason> {
    let parts: Vec<&str> = rest.split('$').collect();
    let &[n, salt, r, p, key] = parts.as_slice() else {
        return Err("not scrypt$N$salt$r$p$key");
    };
    let key = padded_base64(key)?;
    if key.len() != SCRYPT_KEY_BYTES {
        return Err("an scrypt key that is not 64 bytes long");
    }
    Scrypt::new(scrypt::cost_of_n(number(n)?, number(r)?, number(p)?)?, raw(salt)?, key)
}

/// `salt$digest`.
fn salted(digest: Digest, rest: &str) -> Result<Salted, Reason> {
    let (salt, hash) = rest.split_once('$').ok_or("not digest$salt$hash")?;
    Salted::new(digest, vec![Piece::Salt(raw(salt)?), Piece::Password], hex(hash)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // django, tests/auth_tests/test_hashers.py; kanidm, libs/crypto/src/lib.rs; Django 5.2.
    #[test]
    fn pbkdf2() {
        verifies("lètmein", "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=");
        verifies("lètmein", "pbkdf2_sha1$390000$seasalt2$aDapRanzW8aHTz97v2TcfHzWD+I=");
        verifies(
            "eicieY7ahchaoCh0eeTa",
            "pbkdf2_sha256$36000$xIEozuZVAoYm$uW1b35DUKyhvQAf1mBqMvoBDcqSD06juzyO/nmyV0+w=",
        );
        verifies(LETMEIN, "pbkdf2_sha256$1000$seasalt2$lcDfeauKFa8MaaftP+G+ovG2dYkEUAtDu9P3ou9cJJc=");
    }

    // Django 5.2 with pyca/bcrypt 4.0.
    #[test]
    fn bcrypt() {
        verifies(LETMEIN, "bcrypt_sha256$$2b$05$Be5tQaJmECI6/HG/A52UteAo3WsRziljLZR4X91X/rimkBV7PevAO");
        verifies(LETMEIN, "bcrypt$$2b$05$2iLSY0AFdZcpa8HBAznNCOgNG07YQkHJZviT9Wehm7UUajQ9a6R7m");
    }

    // django, tests/auth_tests/test_hashers.py; the last by Django 5.2.
    #[test]
    fn argon2() {
        verifies(
            "secret",
            "argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$\
             gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0nOEXXMocVrsJAtNSsKyfg",
        );
        verifies("secret", "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q");
        verifies(
            LETMEIN,
            "argon2$argon2id$v=19$m=64,t=1,p=2$c2Vhc2FsdHNhbHQ$+quKANJk5eiV85yKk9ooVmiJUn4rpKthUhD0UWcMIlU",
        );
    }

    // Django 5.2.
    #[test]
    fn scrypt() {
        verifies(
            LETMEIN,
            "scrypt$1024$seasalt$8$5$\
             p0OmeAz3HTltIQtVgmMRV+vqF73bl0n1ATJ/6yHx+dDQKCEUVUNBvgVrVDC2hyjVRV1Gdfjf5M2hMpwaP1yI+w==",
        );
    }

    // django, tests/auth_tests/test_hashers.py.
    #[test]
    fn digests() {
        verifies("lètmein", "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8");
        verifies("lètmein", "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3");
    }

    #[test]
    fn costs_and_keys_are_bounded() {
        for hash in [
            "pbkdf2_sha256$2000001$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
            "pbkdf2_sha256$1000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c",
            "pbkdf2_sha256$1000$seasalt$aDapRanzW8aHTz97v2TcfHzWD+I=",
            "pbkdf2_sha256$1000$sea$salt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
            "scrypt$1000$seasalt$8$5$\
             p0OmeAz3HTltIQtVgmMRV+vqF73bl0n1ATJ/6yHx+dDQKCEUVUNBvgVrVDC2hyjVRV1Gdfjf5M2hMpwaP1yI+w==",
            "scrypt$524288$seasalt$8$5$\
             p0OmeAz3HTltIQtVgmMRV+vqF73bl0n1ATJ/6yHx+dDQKCEUVUNBvgVrVDC2hyjVRV1Gdfjf5M2hMpwaP1yI+w==",
            "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2d",
            "bcrypt_sha256$2b$05$Be5tQaJmECI6/HG/A52UteAo3WsRziljLZR4X91X/rimkBV7PevAO",
            "argon2$argon2id$v=19$m=1048577,t=1,p=2$c2Vhc2FsdHNhbHQ$+quKANJk5eiV85yKk9ooVmiJUn4rpKthUhD0UWcMIlU",
            "crypt$$ab1Hv2Lg7ltQo",
            "!unusable",
        ] {
            is_refused(hash);
        }
    }
}
