//! Password hashes that other systems made. Each is verified as its maker would, once: the first right password
//! is hashed anew by the sign-in.
//!
//! Reading one computes nothing. Whether it may be computed, and in which lane, follows from its [`Estimate`].
//! Reasons name the rule that is broken and never quote the text.

mod aspnet;
mod auth0;
mod bcrypt;
mod better_auth;
mod crypt3;
mod digest;
mod django;
mod encoding;
mod firebase;
mod keycloak;
mod ldap;
mod logto;
mod ory;
mod pbkdf2;
mod phpass;
mod prepared;
mod salted;
mod scrypt;
mod spring;
#[cfg(test)]
mod tests;
mod werkzeug;

use argon2::Block;
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::cost::{Estimate, reasons};
use super::phc::Encoded;

/// Why a text is not a hash that can be verified here.
type Reason = &'static str;

/// The longest text of a hash: Auth0's JSON with a 512-byte salt fits four times.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest salt, pepper or key that takes part in a hash.
const SECRET_BYTES_MAX: usize = 512;

/// The longest password after all that its maker does to it before hashing, without the pepper.
const INPUT_BYTES_MAX: usize = 1024;
/// The length of an ordinary password. What a hash costs for it decides whether an import accepts the hash.
const ORDINARY_PASSWORD: [u8; 32] = [b'a'; 32];

/// A hash taken apart, its cost within bounds.
pub(super) enum Foreign {
    Argon2(Encoded),
    Bcrypt(bcrypt::Bcrypt),
    Crypt3(crypt3::Crypt3),
    Firebase(firebase::Firebase),
    Pbkdf2(pbkdf2::Pbkdf2),
    Phpass(phpass::Phpass),
    Prepared(prepared::Prepared),
    Salted(salted::Salted),
    Scrypt(scrypt::Scrypt),
}

impl Foreign {
    /// Reads any of the forms in `docs/imports.md`.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        if text.len() > TEXT_BYTES_MAX {
            return Err("a hash of more than 4096 bytes");
        }
        if let Some(prepared) = text.strip_prefix("$denizen-pre$") {
            return prepared::parse(prepared);
        }
        Self::parse_bare(text)
    }

    /// Reads any form but the wrapper, which cannot hold another one.
    fn parse_bare(text: &str) -> Result<Self, Reason> {
        let json = text.trim_ascii_start();
        match json.as_bytes() {
            [b'[', ..] => return logto::parse(json),
            [b'{', rest @ ..] if matches!(rest.trim_ascii_start(), [b'"' | b'}', ..]) => return parse_object(json),
            [b'{', ..] => return ldap::parse(text),
            _ => {}
        }
        let Some(modular) = text.strip_prefix('$') else {
            return parse_plain(text);
        };
        match modular.split_once('$').map_or(modular, |(scheme, _)| scheme) {
            "2a" | "2b" | "2y" => bcrypt::parse(text).map(Self::Bcrypt),
            "2" | "2x" => Err("a bcrypt version other than 2a, 2b and 2y"),
            "wp" => bcrypt::parse_wordpress(text),
            "1" | "5" | "6" | "apr1" => crypt3::parse(text).map(Self::Crypt3),
            "P" | "H" | "S" => phpass::parse(text).map(Self::Phpass),
            "scrypt" => scrypt::parse(text).map(Self::Scrypt),
            "firescrypt" | "firebasescrypt" | "fbscrypt" | "f_scrypt" => firebase::parse(text).map(Self::Firebase),
            "bcrypt-sha256" => bcrypt::parse_passlib(text),
            scheme if scheme.starts_with("argon2") => parse_argon2(text),
            scheme if scheme.starts_with("pbkdf2") => pbkdf2::parse(text).map(Self::Pbkdf2),
            scheme => ory::parse(scheme, text).unwrap_or(Err("an unknown kind of hash")),
        }
    }

    /// What a verification of an ordinary password needs.
    pub(super) fn estimate(&self) -> Estimate {
        let bytes = self.input_bytes(&ORDINARY_PASSWORD).unwrap_or(INPUT_BYTES_MAX);
        self.estimate_of_bytes(bytes)
    }

    /// What a verification of this password needs; `None` if it is too long to be the right one.
    pub(super) fn estimate_for(&self, password: &[u8]) -> Option<Estimate> {
        self.input_bytes(password).map(|bytes| self.estimate_of_bytes(bytes))
    }

    /// How many bytes are hashed for a password; `None` if these are too many.
    fn input_bytes(&self, password: &[u8]) -> Option<usize> {
        match self {
            Self::Prepared(hash) => hash.input_bytes(password),
            _ => Some(password.len()).filter(|bytes| *bytes <= INPUT_BYTES_MAX),
        }
    }

    /// What hashing so many bytes needs. The time of most depends on the parameters alone: they read a password once.
    fn estimate_of_bytes(&self, bytes: usize) -> Estimate {
        match self {
            Self::Argon2(hash) => Estimate::of_argon2(hash.cost),
            Self::Bcrypt(hash) => hash.estimate(),
            Self::Crypt3(hash) => hash.estimate(bytes),
            Self::Firebase(hash) => hash.estimate(),
            Self::Pbkdf2(hash) => hash.estimate(),
            Self::Phpass(hash) => hash.estimate(bytes),
            Self::Prepared(hash) => hash.estimate_of_bytes(bytes),
            Self::Salted(_) => Estimate::default(),
            Self::Scrypt(hash) => hash.estimate(),
        }
    }

    /// Why it is refused when it costs too much.
    pub(super) fn cost_bound(&self) -> Reason {
        match self {
            // One digest costs nothing; it has no bound of its own.
            Self::Argon2(_) | Self::Salted(_) => reasons::ARGON2,
            Self::Bcrypt(_) => reasons::BCRYPT,
            Self::Crypt3(_) => reasons::CRYPT3,
            Self::Firebase(_) | Self::Scrypt(_) => reasons::SCRYPT,
            Self::Pbkdf2(_) => reasons::PBKDF2,
            Self::Phpass(_) => reasons::PHPASS,
            Self::Prepared(hash) => hash.cost_bound(),
        }
    }

    /// Whether it is the hash of this password. Grows the memory when it is one of Argon2.
    pub(super) fn matches(&self, password: &[u8], memory: &mut Vec<Block>) -> bool {
        match self {
            Self::Argon2(hash) => match hash.clone().derive(password, memory) {
                Ok(derived) => is_same(&derived.output, &hash.output),
                Err(_) => false,
            },
            Self::Bcrypt(hash) => hash.matches(password),
            Self::Crypt3(hash) => hash.matches(password),
            Self::Firebase(hash) => hash.matches(password),
            Self::Pbkdf2(hash) => hash.matches(password),
            Self::Phpass(hash) => hash.matches(password),
            Self::Prepared(hash) => hash.matches(password, memory),
            Self::Salted(hash) => hash.matches(password),
            Self::Scrypt(hash) => hash.matches(password),
        }
    }
}

/// Whether a text says that the user has no password: `!` and what follows it (Django's unusable passwords, locked
/// passwords of shadow), `*` and its kin (shadow, the failure tokens of crypt), or nothing at all.
pub(super) fn is_no_password(text: &str) -> bool {
    const CRYPT: &str = "{CRYPT}";
    let text = match text.split_at_checked(CRYPT.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(CRYPT) => rest,
        _ => text,
    };
    text.starts_with('!') || matches!(text, "" | "*" | "*0" | "*1" | "*LK*" | "*NP*")
}

pub(super) fn parse_argon2(text: &str) -> Result<Foreign, Reason> {
    Encoded::parse(text).map(Foreign::Argon2).map_err(|unreadable| unreadable.0)
}

/// The forms that begin with no sign of their own.
fn parse_plain(text: &str) -> Result<Foreign, Reason> {
    if let Some(drupal) = text.strip_prefix("U$") {
        return phpass::parse_over_md5(drupal);
    }
    if werkzeug::is_werkzeug(text) {
        return werkzeug::parse(text);
    }
    if text.contains('$') {
        return django::parse(text);
    }
    if text.contains(':') {
        return better_auth::parse(text);
    }
    aspnet::parse(text).map(Foreign::Pbkdf2)
}

/// The objects tell themselves apart by a field that only one of them has.
fn parse_object(json: &str) -> Result<Foreign, Reason> {
    let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).map_err(|_| "invalid JSON")?;
    if keys.contains_key("secretData") {
        keycloak::parse(json)
    } else if keys.contains_key("passwordHash") {
        firebase::parse_json(json).map(Foreign::Firebase)
    } else if keys.contains_key("algorithm") {
        auth0::parse(json)
    } else {
        Err("JSON without algorithm, secretData or passwordHash")
    }
}

/// In the same time whatever differs.
fn is_same(derived: &[u8], stored: &[u8]) -> bool {
    verify_slices_are_equal(derived, stored).is_ok()
}
