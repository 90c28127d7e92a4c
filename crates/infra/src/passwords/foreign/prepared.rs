//! Passwords that were changed before they were hashed.

use argon2::Block;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::digest::Digest;
use super::encoding::base64;
use super::{Foreign, INPUT_BYTES_MAX, Reason, SECRET_BYTES_MAX};
use crate::passwords::cost::{Estimate, reasons};

/// What PHP's `trim` takes away.
const PHP_BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\x0b'];

/// How many steps our own form may have: each of the two, once.
const STEPS_MAX: usize = 2;

/// One thing that is done to a password.
pub(super) enum Step {
    /// Unicode's NFKC.
    Nfkc,
    /// The same bytes after every password.
    Pepper(Vec<u8>),
    /// Its digest in hexadecimal digits.
    Hex(Digest),
    /// The base64 of its SHA-256.
    Base64,
    /// The base64 of its HMAC-SHA-256 with a key.
    HmacBase64(Vec<u8>),
    /// WordPress 6.8: trimmed, then the base64 of an HMAC.
    WordPress,
}

impl Step {
    fn take(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let taken = match self {
            Self::Nfkc => std::str::from_utf8(password).ok()?.nfkc().collect::<String>().into_bytes(),
            Self::Pepper(pepper) => [password, pepper].concat(),
            Self::Hex(digest) => {
                let digits = digest.of(&[password]).into_iter().map(|byte| format!("{byte:02x}"));
                digits.collect::<String>().into_bytes()
            }
            Self::Base64 => STANDARD.encode(Digest::Sha256.of(&[password])).into_bytes(),
            Self::HmacBase64(key) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                STANDARD.encode(hmac::sign(&key, password)).into_bytes()
            }
            Self::WordPress => {
                let trimmed = std::str::from_utf8(password).ok()?.trim_matches(PHP_BLANKS);
                let key = hmac::Key::new(hmac::HMAC_SHA384, b"wp-sha384");
                STANDARD.encode(hmac::sign(&key, trimmed.as_bytes())).into_bytes()
            }
        };
        Some(Zeroizing::new(taken))
    }
}

/// A hash of a prepared password.
pub(in crate::passwords) struct Prepared {
    steps: Vec<Step>,
    /// The length of what the steps produce for an empty password: that of the pepper.
    pepper_bytes: usize,
    hash: Box<Foreign>,
}

impl Prepared {
    pub(super) fn over(steps: Vec<Step>, hash: Foreign) -> Foreign {
        let pepper_bytes = take_all(&steps, b"").map_or(0, |pepper| pepper.len());
        Foreign::Prepared(Self { steps, pepper_bytes, hash: Box::new(hash) })
    }

    pub(super) fn estimate_of_bytes(&self, bytes: usize) -> Estimate {
        self.hash.estimate_of_bytes(bytes)
    }

    /// How many bytes are hashed for a password; `None` if these are too many.
    pub(super) fn input_bytes(&self, password: &[u8]) -> Option<usize> {
        let prepared = self.prepare(password)?;
        match self.hash.as_ref() {
            Foreign::Prepared(hash) => hash.input_bytes(&prepared),
            _ => Some(prepared.len()),
        }
    }

    pub(super) fn cost_bound(&self) -> Reason {
        self.hash.cost_bound()
    }

    pub(super) fn matches(&self, password: &[u8], memory: &mut Vec<Block>) -> bool {
        self.prepare(password).is_some_and(|password| self.hash.matches(&password, memory))
    }

    /// What is hashed; `None` if it is too long, or not text where it has to be.
    fn prepare(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let prepared = take_all(&self.steps, password)?;
        (prepared.len() <= INPUT_BYTES_MAX + self.pepper_bytes).then_some(prepared)
    }
}

fn take_all(steps: &[Step], password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let given = Some(Zeroizing::new(password.to_vec()));
    steps.iter().fold(given, |password, step| step.take(&password?))
}

/// `nfkc,pepper=<base64>` in the order in which it is done, a `$` and the hash: the form of our own for Synapse, MAS
/// and Devise, whose hashes do not say it.
pub(super) fn parse(text: &str) -> Result<Foreign, Reason> {
    let (steps, hash) = text.split_once('$').ok_or("not $denizen-pre$steps$hash")?;
    let steps: Vec<Step> = steps.split(',').map(parse_step).collect::<Result<_, _>>()?;
    if steps.len() > STEPS_MAX {
        return Err("more than two steps before a hash");
    }
    let given = steps.iter().map(|step| if let Step::Pepper(pepper) = step { pepper.len() } else { 0 });
    // NFKC makes a pepper up to eleven times as long.
    let taken = take_all(&steps, b"").map_or(0, |pepper| pepper.len());
    if given.sum::<usize>().max(taken) > SECRET_BYTES_MAX {
        return Err(reasons::PEPPER);
    }
    // Most hashes begin with a $ of their own.
    let hash = Foreign::parse_bare(hash)?;
    let has_pepper = steps.iter().any(|step| matches!(step, Step::Pepper(_)));
    // MAS gives it to Argon2 as its secret; another may append it.
    if has_pepper && matches!(hash, Foreign::Argon2(_)) {
        return Err("a pepper for Argon2");
    }
    Ok(Prepared::over(steps, hash))
}

fn parse_step(text: &str) -> Result<Step, Reason> {
    match text.split_once('=') {
        None if text == "nfkc" => Ok(Step::Nfkc),
        Some(("pepper", pepper)) => base64(pepper).map(Step::Pepper),
        _ => Err("a step other than nfkc and pepper=<base64>"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // matrix-authentication-service, crates/handlers/src/snapshots: hashing_bcrypt.snap, hashing_bcrypt-2.snap.
    #[test]
    fn matrix() {
        let pepper = "YS1zZWNyZXQtcGVwcGVy";
        let hash = "$2b$10$c/EX8bTbEMfTn4oCvcQyBOR1zPyLmGzZ2pMXoElLASqv2qpq5X15i";
        verifies("hunter2", &format!("$denizen-pre$nfkc,pepper={pepper}${hash}"));
        verifies("hunter2", "$2b$10$mqjtwG6w3GawhuQQdwBCqOt0TQ0V4vGhB.tMuCZO8WL.ycBHkOLca");
    }

    // Synapse's `unicodedata.normalize("NFKC", password) + pepper`, by Python and pyca/bcrypt 4.0.
    #[test]
    fn synapse() {
        let hash = "$2b$05$csItpDW6UZk4cGEtTiWVjOzT2//3vtw4H6DyHPoo8Xz/4tuw/INZq";
        verifies("ﬁnePässword①", &format!("$denizen-pre$nfkc,pepper=YS1zZWNyZXQtcGVwcGVy${hash}"));
        let hash = "$2b$05$GJ.MCPY/bqEQg9/B04CPUeemlX3skh7z7yb7EWU92s1Ah0he2QK7y";
        verifies("ﬁnePässword①", &format!("$denizen-pre$nfkc${hash}"));
        verifies("finePässword1", &format!("$denizen-pre$nfkc${hash}"));
    }

    // Devise's `password + pepper`, by pyca/bcrypt 4.0.
    #[test]
    fn devise() {
        let hash = "$2b$05$otsEuYapBVQe8rNSYQ6klO909H0Yb9XXhQc9vGNpv10dhh51TSDY.";
        verifies(LETMEIN, &format!("$denizen-pre$pepper=MGYzYS1wZXBwZXI=${hash}"));
    }

    #[test]
    fn nothing_else_is_prepared() {
        let hash = "$2b$05$otsEuYapBVQe8rNSYQ6klO909H0Yb9XXhQc9vGNpv10dhh51TSDY.";
        is_refused("$denizen-pre$");
        is_refused("$denizen-pre$nfkc");
        is_refused("$denizen-pre$nfkc$");
        is_refused(&format!("$denizen-pre${hash}"));
        is_refused(&format!("$denizen-pre$nfkc,${hash}"));
        is_refused(&format!("$denizen-pre$nfkc,nfkc,nfkc${hash}"));
        is_refused(&format!("$denizen-pre$salt=YQ==${hash}"));
        is_refused(&format!("$denizen-pre$pepper=!${hash}"));
        is_refused(&format!("$denizen-pre$nfkc$$denizen-pre$nfkc${hash}"));
        is_refused(
            "$denizen-pre$pepper=YQ==$$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw",
        );
    }
}
