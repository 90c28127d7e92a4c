//! `salt:key` in hexadecimal digits: better-auth, and Lucia in all its versions.

use super::encoding::{hex, raw};
use super::prepared::{Prepared, Step};
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason};

/// The logarithm of N, r and p, which the hash does not contain.
const COST: [u32; 3] = [14, 16, 1];
const SALT_CHARS: usize = 32;
const LUCIA_1_COST: [u32; 3] = [14, 8, 1];
const LUCIA_SALT_CHARS: usize = 16;
const KEY_BYTES: usize = 64;

/// The salt is hashed as text, not decoded, and the password in NFKC. Before version 3 of Lucia, the salt is any 16
/// characters; hashes of version 2 have the prefix `s2:`, hashes of version 1 another cost.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let (is_lucia_2, text) = text.strip_prefix("s2:").map_or((false, text), |rest| (true, rest));
    let (salt, key) = text.split_once(':').ok_or("not salt:key")?;
    let key = hex(key)?;
    if key.len() != KEY_BYTES {
        return Err("not 128 digits of the key");
    }
    let [log2_n, r, p] = match salt.len() {
        SALT_CHARS if !is_lucia_2 => hex(salt).map(|_| COST)?,
        LUCIA_SALT_CHARS if is_lucia_2 => COST,
        LUCIA_SALT_CHARS => LUCIA_1_COST,
        _ => return Err("a salt that is not 32 digits or, in Lucia before version 3, 16 characters"),
    };
    let hash = Scrypt::new(scrypt::cost(log2_n, r, p)?, raw(salt)?, key)?;
    Ok(Prepared::over(vec![Step::Nfkc], Foreign::Scrypt(hash)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    const HASH: &str = concat!(
        "39e4b47d1e2d2497f2f78a18c7ac9522:",
        "8e802b81be0c4eb5547e00f65c13421db0923b97f54986377a263ac7b2bdea66",
        "af2d6db4c273243723de320cc1d9d9bb8a3a7f39362e96425bee3079c1ff0995",
    );

    // @better-auth/utils of better-auth 1.7.25, under Node.js.
    #[test]
    fn scrypt() {
        verifies(LETMEIN, HASH);
        let key = concat!(
            "cbcff06bde51df3e32c186db519499fad30a7ee71dd6a02710a6d74f99ed7857",
            "e99df3d599006dcc9b0f89e92bfb89d378bbec6c1afb9b8700d35ac40efef4c2",
        );
        verifies("ﬁnePässword①", &format!("158f2135a26f856582636077e57c29e7:{key}"));
    }

    // Python's hashlib, as lucia-auth/lucia, packages/lucia/src/utils/crypto.ts does it.
    #[test]
    fn lucia() {
        let key = concat!(
            "8a5cb62a014af588c8c166c3bf4a6ae41fdfa5cb8743f73f0cc10faf8f3b2188",
            "2c164724a8c86bb81db6daf53fd0303b73f8f387d76b6ad369264d6b19e17e2f",
        );
        verifies(LETMEIN, &format!("s2:k3jd8fj2ks9d0slq:{key}"));
        is_refused(&format!("s2:k3jd8fj2ks9d0sl:{key}"));
        is_refused(&format!("s2:39e4b47d1e2d2497f2f78a18c7ac9522:{key}"));
        is_refused(&format!("s3:k3jd8fj2ks9d0slq:{key}"));
        let key = concat!(
            "a806e585abec5f9e99718ab0340b2e40129196c9e7e896099ecf0d2409e0c9b8",
            "cd0e419dfdc7d2c6c1b8db1d65ae7d57e6f31687d095c10e71ee1a7a7d25b436",
        );
        verifies(LETMEIN, &format!("k3jd8fj2ks9d0slq:{key}"));
    }

    #[test]
    fn other_lengths_and_digits_are_refused() {
        is_refused(&HASH[1..]);
        is_refused(&HASH[..HASH.len() - 2]);
        is_refused(&HASH.replace("39e4", "39g4"));
        is_refused(&HASH.replace(":8e80", ":8é0"));
        is_refused(":");
    }
}
