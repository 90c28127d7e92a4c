//! scrypt (RFC 7914), as passlib, Ory and Django write it.

use scrypt::Params;

use super::encoding::{base64, number, settings};
use super::{Reason, is_same};
use crate::passwords::cost::{Estimate, reasons};

/// What can be read. N, r and p multiplied: 4 Mi are near four seconds.
const WORK_MAX: u64 = 1 << 22;
/// N and r multiplied: the memory is 128 bytes for each, 256 MiB.
const BLOCKS_MAX: u64 = 1 << 21;
/// N, r and p multiplied, in a millisecond, beyond the processor's caches.
const WORK_PER_MS: u64 = 1_049;
/// PBKDF2 before and after takes as long as so many steps of N, and one more for so many bytes of the salt.
const PBKDF2_STEPS: u64 = 4;
const SALT_BYTES_PER_STEP: u64 = 32;
const BLOCKS_PER_MIB: u64 = 8 * 1024;
const KEY_BYTES_MIN: usize = 16;
const KEY_BYTES_MAX: usize = 64;
/// The keys of the form that does not say their length: what is cut off shows.
const UNSAID_KEY_BYTES: [usize; 2] = [32, 64];
/// Ory says N where others say its logarithm, and no logarithm is as large as the smallest N that is used.
const LOG2_MAX: u32 = 63;

pub(in crate::passwords) struct Scrypt {
    params: Params,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Scrypt {
    pub(super) fn new(params: Params, salt: Vec<u8>, key: Vec<u8>) -> Result<Self, Reason> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err("an scrypt key that is not 16 to 64 bytes long");
        }
        Ok(Self { params, salt, key })
    }

    pub(super) fn estimate(&self) -> Estimate {
        estimate(&self.params, &self.salt)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut derived = vec![0; self.key.len()];
        scrypt::scrypt(password, &self.salt, &self.params, &mut derived).is_ok() && is_same(&derived, &self.key)
    }
}

/// What a verification with these parameters needs, in whole MiB.
pub(super) fn estimate(params: &Params, salt: &[u8]) -> Estimate {
    let (n, r, p) = (params.n(), u64::from(params.r()), u64::from(params.p()));
    // 128 bytes for each block: N of them to look up, and p to work on.
    let blocks = r.saturating_mul(n.saturating_add(p));
    let steps = n.saturating_add(PBKDF2_STEPS + salt.len() as u64 / SALT_BYTES_PER_STEP);
    Estimate {
        memory_kib: blocks / BLOCKS_PER_MIB * 1024,
        millis: steps.saturating_mul(r).saturating_mul(p) / WORK_PER_MS,
    }
}

/// The parameters, bounded; N by its logarithm.
pub(super) fn cost(log2_n: u32, r: u32, p: u32) -> Result<Params, Reason> {
    const TOO_DEAR: Reason = reasons::SCRYPT;
    let blocks = 1_u64.checked_shl(log2_n).and_then(|n| n.checked_mul(u64::from(r))).ok_or(TOO_DEAR)?;
    let is_bounded =
        blocks <= BLOCKS_MAX && blocks.checked_mul(u64::from(p)).is_some_and(|work| work <= WORK_MAX) && log2_n > 0;
    if !is_bounded {
        return Err(TOO_DEAR);
    }
    let log2_n = u8::try_from(log2_n).map_err(|_| TOO_DEAR)?;
    Params::new(log2_n, r, p).map_err(|_| "invalid scrypt parameters")
}

/// The parameters, bounded; N itself.
pub(super) fn cost_of_n(n: u32, r: u32, p: u32) -> Result<Params, Reason> {
    if !n.is_power_of_two() {
        return Err("an scrypt N that is not a power of two");
    }
    cost(n.trailing_zeros(), r, p)
}

/// `$scrypt$ln=16,r=8,p=1$salt$key`; in Ory's form `ln` is N itself, and the base64 padded.
pub(super) fn parse(text: &str) -> Result<Scrypt, Reason> {
    let parts: Vec<&str> = text.split('$').collect();
    let &["", "scrypt", params, salt, key] = parts.as_slice() else {
        return Err("not $scrypt$ln=N,r=r,p=p$salt$key");
    };
    let [ln, r, p] = settings(params, ["ln", "r", "p"])?;
    let (ln, r, p) = (number(ln)?, number(r)?, number(p)?);
    let params = if ln > LOG2_MAX { cost_of_n(ln, r, p)? } else { cost(ln, r, p)? };
    let key = base64(key)?;
    if !UNSAID_KEY_BYTES.contains(&key.len()) {
        return Err("an scrypt key that is not 32 or 64 bytes long");
    }
    Scrypt::new(params, base64(salt)?, key)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // ory/kratos, hash/hasher_test.go: `ln` is N.
    #[test]
    fn ory() {
        verifies(
            "test",
            "$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$\
             MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=",
        );
    }

    // zitadel/passwap, internal/testvalues/scrypt.go, and passlib 1.7.4: `ln` is log2 of N.
    #[test]
    fn passlib() {
        verifies(
            "password",
            "$scrypt$ln=16,r=8,p=1$cmFuZG9tc2FsdGlzaGFyZA$Rh+NnJNo1I6nRwaNqbDm6kmADswD1+7FTKZ7Ln9D8nQ",
        );
        verifies(LETMEIN, "$scrypt$ln=8,r=8,p=1$UwphzLn3PickRGjtfW+ttQ$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY");
    }

    #[test]
    fn costs_and_keys_are_bounded() {
        for params in [
            "ln=19,r=8,p=1",
            "ln=18,r=8,p=3",
            "ln=18,r=9,p=1",
            "ln=63,r=4294967295,p=4294967295",
            "ln=524288,r=8,p=1",
            "ln=16385,r=8,p=1",
            "ln=0,r=8,p=1",
            "ln=14,r=0,p=1",
            "ln=14,r=8,p=0",
            "ln=14,r=4294967295,p=1",
            "ln=1,r=1,p=4294967295",
        ] {
            is_refused(&format!("$scrypt${params}$c2FsdA$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY"));
        }
        is_refused("$scrypt$ln=8,r=8,p=1$c2FsdA$kEXVRrwFPwA");
    }
}
