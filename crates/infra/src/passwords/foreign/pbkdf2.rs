//! PBKDF2 (RFC 8018 §5.2), as passlib and as Ory write it.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::Reason;
use super::digest::Digest;
use super::encoding::{adapted_base64, base64, number, settings};
use crate::passwords::cost::{Estimate, reasons};

/// The most rounds, counted for each block of the key. The dearest default met is Django's: 1,500,000.
const ROUNDS_MAX: u64 = 2_000_000;
const ROUNDS_PER_MS: u64 = 2_000;
/// Of SHA-384 and SHA-512.
const ROUNDS_PER_MS_OF_SHA512: u64 = 1_500;
/// The keys that somebody makes.
const KEY_BYTES_MIN: usize = 16;
const KEY_BYTES_MAX: usize = 256;

pub(in crate::passwords) struct Pbkdf2 {
    algorithm: pbkdf2::Algorithm,
    iterations: NonZeroU32,
    /// The iterations for all blocks of the key.
    rounds: u64,
    rounds_per_ms: u64,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn new(digest: Digest, iterations: u32, salt: Vec<u8>, key: Vec<u8>) -> Result<Self, Reason> {
        let algorithm = digest.pbkdf2().ok_or("a PBKDF2 digest other than SHA-1, SHA-256, SHA-384 and SHA-512")?;
        let iterations = NonZeroU32::new(iterations).ok_or("no PBKDF2 iterations")?;
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err("a PBKDF2 key that is not 16 to 256 bytes long");
        }
        let rounds = u64::from(iterations.get()).saturating_mul(key.len().div_ceil(digest.bytes()) as u64);
        if rounds > ROUNDS_MAX {
            return Err(reasons::PBKDF2);
        }
        let is_sha512 = matches!(digest, Digest::Sha384 | Digest::Sha512);
        let rounds_per_ms = if is_sha512 { ROUNDS_PER_MS_OF_SHA512 } else { ROUNDS_PER_MS };
        Ok(Self { algorithm, iterations, rounds, rounds_per_ms, salt, key })
    }

    pub(super) fn estimate(&self) -> Estimate {
        Estimate::of_millis(self.rounds / self.rounds_per_ms)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // Compares in constant time.
        pbkdf2::verify(self.algorithm, self.iterations, &self.salt, password, &self.key).is_ok()
    }
}

/// `$pbkdf2-sha256$i=100000,l=32$salt$key` (Ory, Auth0) or `$pbkdf2-sha256$12$salt$key` (passlib).
pub(super) fn parse(text: &str) -> Result<Pbkdf2, Reason> {
    let parts: Vec<&str> = text.split('$').collect();
    let &["", name, cost, salt, key] = parts.as_slice() else {
        return Err("not $pbkdf2-digest$cost$salt$key");
    };
    let digest = match name.strip_prefix("pbkdf2-") {
        Some(digest) => Digest::named(digest).ok_or("an unknown PBKDF2 digest")?,
        None if name == "pbkdf2" => Digest::Sha1,
        None => return Err("an unknown kind of hash"),
    };
    if !cost.starts_with("i=") {
        return parse_adapted(digest, [cost, salt, key], digest.bytes());
    }
    let [iterations, key_bytes] = settings(cost, ["i", "l"])?;
    let key = base64(key)?;
    if usize::try_from(number(key_bytes)?) != Ok(key.len()) {
        return Err("a PBKDF2 key whose length does not match the parameters");
    }
    Pbkdf2::new(digest, number(iterations)?, base64(salt)?, key)
}

/// `iterations$salt$key` in passlib's base64, the key at least so long and at most as long as the digest.
pub(super) fn parse_adapted(
    digest: Digest,
    [iterations, salt, key]: [&str; 3],
    key_bytes_min: usize,
) -> Result<Pbkdf2, Reason> {
    let key = adapted_base64(key)?;
    if !(key_bytes_min..=digest.bytes()).contains(&key.len()) {
        return Err("a PBKDF2 key whose length does not match its digest");
    }
    Pbkdf2::new(digest, number(iterations)?, adapted_base64(salt)?, key)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // ory/kratos, hash/hasher_test.go.
    #[test]
    fn ory() {
        verifies(
            "test",
            "$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$\
             QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI",
        );
        verifies(
            "test",
            "$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$\
             +wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc",
        );
    }

    // zitadel/passwap, internal/testvalues/pbkdf2.go; the last by passlib 1.7.4.
    #[test]
    fn passlib() {
        verifies("password", "$pbkdf2$12$cmFuZG9tc2FsdGlzaGFyZA$mwUqsMixIYMc/0eN4v1.l3SVDpk");
        verifies("password", "$pbkdf2-sha256$12$cmFuZG9tc2FsdGlzaGFyZA$OFvEcLOIPFd/oq8egf10i.qJLI7A8nDjPLnolCWarQY");
        verifies(
            "password",
            "$pbkdf2-sha512$12$cmFuZG9tc2FsdGlzaGFyZA$\
             e297piXvkpYxoYQAWD9zn1aKXCo3XmR91Xn9/WEGsHXU/7xaQzCV9upu4T5Jntq6AiZ6YX0diXnY7Ju5TEfUMA",
        );
        verifies(LETMEIN, "$pbkdf2-sha256$1000$XquV0nqPUcrZ.x/D.N8bww$bkdwLhUWgbh7kVCScQ4XGOAsOLRud53t3qyFKGvENpg");
    }

    #[test]
    fn costs_and_keys_are_bounded() {
        for (cost, key) in [
            ("i=2000001,l=32", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("i=0,l=32", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("i=1000,l=31", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("i=1000,l=4", "QJxzfg"),
            ("i=1000", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("l=32,i=1000", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("i=+1000,l=32", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("4294967295", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
            ("99999999999999999999", "QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI"),
        ] {
            is_refused(&format!("$pbkdf2-sha256${cost}$c2FsdA${key}"));
        }
        is_refused("$pbkdf2-md5$1000$c2FsdA$QJxzfvdbHYBpydCbHoFg3A");
        // Two blocks of a key cost twice.
        let key = "xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A";
        is_refused(&format!("$pbkdf2-sha256$i=1000001,l=64$c2FsdA${key}"));
    }
}
