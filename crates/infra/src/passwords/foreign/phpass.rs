//! The portable hashes of phpass: `$P$` (WordPress), `$H$` (phpBB) on MD5, and Drupal 7's `$S$` on SHA-512.

use super::digest::Digest;
use super::encoding::{crypt_digit, crypt_text, is_crypt_text};
use super::prepared::{Prepared, Step};
use super::{Foreign, Reason, is_same};
use crate::passwords::cost::{Estimate, reasons};

/// The rounds by their logarithm.
const LOG2_ROUNDS_MAX: u32 = 20;
const LOG2_ROUNDS_MIN: u32 = 7;
const SALT_CHARS: usize = 8;

pub(in crate::passwords) struct Phpass {
    digest: Digest,
    rounds: u32,
    salt: String,
    key: String,
}

impl Phpass {
    /// A round reads the last digest and the password.
    pub(super) fn estimate(&self, password_bytes: usize) -> Estimate {
        let nanos = self.digest.nanos(self.digest.bytes() + password_bytes);
        Estimate::of_nanos(u64::from(self.rounds).saturating_mul(nanos))
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let start = self.digest.of(&[self.salt.as_bytes(), password]);
        let derived = (0..self.rounds).fold(start, |last, _| self.digest.of(&[&last, password]));
        // Drupal keeps only the beginning of the text.
        crypt_text(&derived).get(..self.key.len()).is_some_and(|text| is_same(text.as_bytes(), self.key.as_bytes()))
    }
}

/// `$P$`, a digit for the rounds, 8 characters of salt and 22 of the key; of Drupal's, 43.
pub(super) fn parse(text: &str) -> Result<Phpass, Reason> {
    const FORM: Reason = "not $P$, $H$ or $S$ with a digit, 8 characters of salt and the key";
    let (digest, key_chars, rest) = match text.split_at_checked(3).ok_or(FORM)? {
        ("$P$" | "$H$", rest) => (Digest::Md5, 22, rest),
        ("$S$", rest) => (Digest::Sha512, 43, rest),
        _ => return Err(FORM),
    };
    if !is_crypt_text(rest) || rest.len() != 1 + SALT_CHARS + key_chars {
        return Err(FORM);
    }
    let log2_rounds = crypt_digit(rest.as_bytes()[0]).ok_or(FORM)?;
    if log2_rounds < LOG2_ROUNDS_MIN {
        return Err("fewer than 2^7 rounds of phpass");
    }
    if log2_rounds > LOG2_ROUNDS_MAX {
        return Err(reasons::PHPASS);
    }
    let (salt, key) = rest[1..].split_at(SALT_CHARS);
    Ok(Phpass { digest, rounds: 1 << log2_rounds, salt: salt.to_owned(), key: key.to_owned() })
}

/// What follows the `U` of `U$S$…`: what Drupal 7 made of the MD5 digests of Drupal 6.
pub(super) fn parse_over_md5(rest: &str) -> Result<Foreign, Reason> {
    let hash = parse(&format!("${rest}"))?;
    Ok(Prepared::over(vec![Step::Hex(Digest::Md5)], Foreign::Phpass(hash)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // passlib's own, by zitadel/passwap, phpass/phpass_test.go; the last by passlib 1.7.4.
    #[test]
    fn wordpress_and_phpbb() {
        verifies("test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0");
        verifies("test1", "$H$9aaaaaSXBjgypwqm.JsMssPLiS8YQ00");
        verifies("JohnRipper", "$H$712345678WhEyvy1YWzT4647jzeOmo0");
        verifies("JohnRipper", "$P$B12345678L6Lpt4BxNotVIMILOa9u81");
        verifies(LETMEIN, "$P$62JvZEjFxhCFd8enWLPiriIDq0Z8B80");
    }

    // zitadel/passwap, internal/testvalues/drupal7.go; Drupal 7's password.inc, in Python.
    #[test]
    fn drupal() {
        verifies("password", "$S$ErandomsaOpYrAZqwxGynirQbWYCb3ejW4BwGH81LJcOzbzeVd02");
        verifies(LETMEIN, "$S$9saltsaltgIDK1si4SjBMdLoxcis4V9xMa5xQAAyhG8PKmFdvilh");
        verifies(LETMEIN, "U$S$9saltsalt0hk5YH/fVEVLpGTcVha3ineC115beFITO.7jkbaoZeG");
    }

    // zitadel/passwap, phpass/phpass_test.go.
    #[test]
    fn costs_and_forms_are_bounded() {
        for hash in [
            "$P$712345678",
            "$X$912345678WhEyvy1YWzT4647jzeOmo0",
            "$P$1IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
            "$P$cIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
            "$P$JIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
            "$P$912345678X@badSalt",
            "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L00",
            "$S$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
            "U$S$",
            "U$2b$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
        ] {
            is_refused(hash);
        }
    }
}
