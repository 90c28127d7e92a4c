//! bcrypt: `$2a$`, `$2b$` and `$2y$`, which are one for every password that is text.

use super::encoding::{bcrypt_base64, number};
use super::prepared::{Prepared, Step};
use super::{Foreign, Reason, is_same};
use crate::passwords::cost::{Estimate, reasons};

/// What can be read. A cost of 15 takes two seconds, and each further one twice as long.
const COST_MAX: u32 = 15;
const COST_MIN: u32 = 4;
/// How long a cost of 10 takes, in milliseconds.
const MILLIS_OF_COST_10: u64 = 60;
/// What bcrypt reads of a password.
const PASSWORD_BYTES_MAX: usize = 72;
const SALT_BYTES: usize = 16;
const SALT_CHARS: usize = 22;
const KEY_BYTES: usize = 23;
const KEY_CHARS: usize = 31;

pub(in crate::passwords) struct Bcrypt {
    cost: u32,
    salt: [u8; SALT_BYTES],
    key: Vec<u8>,
}

impl Bcrypt {
    pub(super) fn estimate(&self) -> Estimate {
        Estimate::of_millis(MILLIS_OF_COST_10 << self.cost >> 10)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // A zero byte ends the password and begins it again: a\0a would be a. Most makers refuse it too.
        if password.contains(&0) {
            return false;
        }
        let mut ended = zeroize::Zeroizing::new(Vec::with_capacity(password.len() + 1));
        ended.extend_from_slice(password);
        ended.push(0);
        let used = &ended[..ended.len().min(PASSWORD_BYTES_MAX)];
        let derived = bcrypt::bcrypt(self.cost, self.salt, used);
        // The text leaves out the last of the 24 bytes.
        is_same(&derived[..KEY_BYTES], &self.key)
    }
}

/// `$2b$10$` with 22 characters of salt and 31 of the key.
pub(super) fn parse(text: &str) -> Result<Bcrypt, Reason> {
    const FORM: Reason = "not $2b$cost$ with 22 characters of salt and 31 of the key";
    let parts: Vec<&str> = text.split('$').collect();
    let &["", "2a" | "2b" | "2y", cost, rest] = parts.as_slice() else {
        return Err(FORM);
    };
    if cost.len() != 2 || rest.len() != SALT_CHARS + KEY_CHARS {
        return Err(FORM);
    }
    let cost = number(cost)?;
    if cost < COST_MIN {
        return Err("a bcrypt cost below 4");
    }
    if cost > COST_MAX {
        return Err(reasons::BCRYPT);
    }
    let (salt, key) = rest.split_at_checked(SALT_CHARS).ok_or(FORM)?;
    let salt = bcrypt_base64(salt)?.try_into().map_err(|_| FORM)?;
    let key = bcrypt_base64(key)?;
    if key.len() != KEY_BYTES {
        return Err(FORM);
    }
    Ok(Bcrypt { cost, salt, key })
}

/// passlib's `$bcrypt-sha256$2b,12$salt$key` and `$bcrypt-sha256$v=2,t=2b,r=12$salt$key`: bcrypt of the base64 of a SHA-256,
/// or of an HMAC with the salt.
pub(super) fn parse_passlib(text: &str) -> Result<Foreign, Reason> {
    const FORM: Reason = "not $bcrypt-sha256$ with version, cost, salt and key";
    let parts: Vec<&str> = text.split('$').collect();
    let &["", "bcrypt-sha256", settings, salt, key] = parts.as_slice() else {
        return Err(FORM);
    };
    let (version, cost, step) = match settings.strip_prefix("v=2,t=").and_then(|rest| rest.split_once(",r=")) {
        Some((version, cost)) => (version, cost, Step::HmacBase64(salt.as_bytes().to_vec())),
        None => settings.split_once(',').map(|(version, cost)| (version, cost, Step::Base64)).ok_or(FORM)?,
    };
    if salt.len() != SALT_CHARS {
        return Err(FORM);
    }
    let hash = parse(&format!("${version}${:02}${salt}{key}", number(cost)?))?;
    Ok(Prepared::over(vec![step], Foreign::Bcrypt(hash)))
}

/// `$wp$2y$10$…`: WordPress 6.8 and later.
pub(super) fn parse_wordpress(text: &str) -> Result<Foreign, Reason> {
    let bcrypt = text.strip_prefix("$wp").ok_or("not $wp$2y$")?;
    Ok(Prepared::over(vec![Step::WordPress], Foreign::Bcrypt(parse(bcrypt)?)))
}

#[cfg(test)]
mod tests {
    use super::super::Foreign;
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // Openwall crypt_blowfish 1.3, wrapper.c.
    #[test]
    fn openwall() {
        verifies("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
        verifies("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK");
        verifies("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a");
    }

    // ory/kratos, hash/hasher_test.go; zitadel/passwap, internal/testvalues/bcrypt.go; pyca/bcrypt 4.0 and passlib.
    #[test]
    fn all_versions() {
        verifies("test", "$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6");
        verifies(LETMEIN, "$2b$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO");
        verifies(LETMEIN, "$2y$05$y3ydltwpHEE4nYLwZGo9M.N2Jmbzz6GHdOfizmeqod.mBcylfgZ4W");
    }

    // Openwall crypt_blowfish 1.3, wrapper.c.
    #[test]
    fn a_password_counts_up_to_72_bytes() {
        let hash = Foreign::parse("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui").ok().unwrap();
        let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let long = format!("{password}chars after 72 are ignored");
        assert!(hash.matches(long.as_bytes(), &mut Vec::new()));
        assert!(hash.matches(password.as_bytes(), &mut Vec::new()));
        assert!(!hash.matches(&password.as_bytes()[..71], &mut Vec::new()));
    }

    #[test]
    fn a_zero_byte_never_matches() {
        let hash = Foreign::parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").ok().unwrap();
        assert!(!hash.matches(b"U*U\0U*U", &mut Vec::new()));
    }

    // The first was made by a WordPress 6.8 deployment; the second by its algorithm with passlib's bcrypt.
    #[test]
    fn wordpress() {
        verifies("Test123Now!", "$wp$2y$10$gN3SQdbNc/cVlK7DylUiVumiuujud7lR0h5J4M2ZsNRMYOFbED16q");
        let hash = "$wp$2y$05$HuK3NF2Xwzpvv8F5ykRWhOeCC6AhDs53.OUVRmsnzgr1MRCuHITK6";
        verifies(LETMEIN, hash);
        // WordPress trims what is typed.
        assert!(Foreign::parse(hash).ok().unwrap().matches(format!(" {LETMEIN}\n").as_bytes(), &mut Vec::new()));
    }

    #[test]
    fn costs_and_forms_are_bounded() {
        for hash in [
            "$2b$16$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2b$03$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2b$5$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2x$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2b$05$LTZTMn!LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2b$05$LTZTMn.LSWggOtk/CkByé/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$2b$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWOO",
            "$wp$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
        ] {
            is_refused(hash);
        }
    }

    // passlib, tests/test_handlers_bcrypt.py; the last two by passlib 1.7.4.
    #[test]
    fn passlib() {
        verifies("password", "$bcrypt-sha256$2a,5$5Hg1DKFqPE8C2aflZ5vVoe$12BjNE0p7axMg55.Y/mHsYiVuFBDQyu");
        verifies("password", "$bcrypt-sha256$v=2,t=2b,r=5$5Hg1DKFqPE8C2aflZ5vVoe$wOK1VFFtS8IGTrGa7.h5fs0u84qyPbS");
        verifies(LETMEIN, "$bcrypt-sha256$2b,5$nLrBePTjLxTj37A2gyKN3u$Wq7aUHgkxc7MBtyrjT/959.4YcnXaw6");
        verifies(LETMEIN, "$bcrypt-sha256$v=2,t=2b,r=5$Y5cMc6IwmUuQw9CbCQbI8e$smeeie43O4TOY3EzBkv0Fsc7orkhFzG");
        for settings in ["2b", "2b,3", "2b,16", "2b,32", "2x,5", "v=2,t=2b", "v=3,t=2b,r=5", "v=2,t=2b,r=", ""] {
            is_refused(&format!("$bcrypt-sha256${settings}$5Hg1DKFqPE8C2aflZ5vVoe$12BjNE0p7axMg55.Y/mHsYiVuFBDQyu"));
        }
    }
}
