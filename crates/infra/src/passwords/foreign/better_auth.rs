//! better-auth's `salt:key` in hexadecimal digits.

use super::encoding::{hex, raw};
use super::prepared::{Prepared, Step};
use super::scrypt::{self, Scrypt};
use super::{Foreign, Reason};

/// N by its logarithm, r and p, which better-auth does not say.
const COST: [u32; 3] = [14, 16, 1];
const SALT_CHARS: usize = 32;
const KEY_BYTES: usize = 64;

/// The salt is the text of its digits, and the password in NFKC.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let (salt, key) = text.split_once(':').ok_or("not salt:key")?;
    let key = hex(key)?;
    hex(salt)?;
    if salt.len() != SALT_CHARS || key.len() != KEY_BYTES {
        return Err("not 32 digits of salt and 128 of the key");
    }
    let [log2_n, r, p] = COST;
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

    #[test]
    fn other_lengths_and_digits_are_refused() {
        is_refused(&HASH[1..]);
        is_refused(&HASH[..HASH.len() - 2]);
        is_refused(&HASH.replace("39e4", "39g4"));
        is_refused(&HASH.replace(":8e80", ":8é0"));
        is_refused(":");
    }
}
