//! Email addresses in one canonical form.

use std::fmt;

use crate::error::RuleBroken;

/// The longest address that SMTP carries (RFC 5321 §4.5.3.1.3, less the angle brackets).
const ADDRESS_BYTES_MAX: usize = 254;
/// The longest part before the `@` (RFC 5321 §4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// An email address in its canonical form: ASCII, lower case, an internationalised domain in its
/// `xn--` form (UTS #46). Two spellings of one mailbox are one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Reads an address as people write it.
    ///
    /// The local part is an ASCII dot-atom (RFC 5322 §3.2.3): no quotes, no comments, no letters that only
    /// look like ASCII. The domain has at least two labels, and is no address literal.
    ///
    /// # Errors
    /// `too_long` or `invalid_email`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        if raw.len() > ADDRESS_BYTES_MAX {
            return Err(RuleBroken::new("too_long", "must be at most 254 bytes long"));
        }
        let invalid = || RuleBroken::new("invalid_email", "must be an email address such as ada@example.com");
        let (local, domain) = raw.rsplit_once('@').ok_or_else(invalid)?;
        if !is_dot_atom(local) || local.len() > LOCAL_BYTES_MAX {
            return Err(invalid());
        }
        let domain = canonical_domain(domain).ok_or_else(invalid)?;
        let canonical = format!("{}@{domain}", local.to_ascii_lowercase());
        if canonical.len() > ADDRESS_BYTES_MAX {
            return Err(RuleBroken::new("too_long", "must be at most 254 bytes long"));
        }
        Ok(Self(canonical))
    }

    /// Takes over an address that a store kept.
    #[must_use]
    pub fn from_stored(canonical: String) -> Self {
        Self(canonical)
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain in its canonical form.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The canonical form, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address and how it was typed: another system may compare addresses letter by letter.
#[derive(Debug, Clone)]
pub struct TypedEmail {
    address: EmailAddress,
    typed: String,
}

impl TypedEmail {
    /// Reads an address as people write it.
    ///
    /// # Errors
    /// As for [`EmailAddress::parse`].
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        Ok(Self { address: EmailAddress::parse(raw)?, typed: raw.to_owned() })
    }

    /// The canonical form.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// The address as typed.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }
}

fn is_dot_atom(local: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn canonical_domain(raw: &str) -> Option<String> {
    // A plain ASCII dot, so that the ideographic full stops that UTS #46 maps to it are refused as typed.
    if !raw.contains('.') || raw.ends_with('.') {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(raw).ok()?;
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = labels.last()?;
    let is_numeric = top.bytes().all(|byte| byte.is_ascii_digit());
    (labels.len() >= 2 && labels.iter().all(is_label) && !is_numeric).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::EmailAddress;
    use proptest::prelude::*;

    fn canonical(raw: &str) -> Option<String> {
        EmailAddress::parse(raw).ok().map(|email| email.to_string())
    }

    #[test]
    fn spellings_of_one_mailbox_are_one_address() {
        for raw in ["ada@example.com", "Ada@Example.COM", "ADA@ｅｘａｍｐｌｅ.com"] {
            assert_eq!(canonical(raw).as_deref(), Some("ada@example.com"), "{raw}");
        }
        assert_eq!(canonical("a@bücher.example").as_deref(), Some("a@xn--bcher-kva.example"));
        assert_eq!(canonical("a@XN--BCHER-KVA.example").as_deref(), Some("a@xn--bcher-kva.example"));
        assert_eq!(canonical("first.last+tag@mail.example.co").as_deref(), Some("first.last+tag@mail.example.co"));
    }

    #[test]
    fn look_alikes_and_smuggled_headers_are_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}example.com", "a.".repeat(130));
        for raw in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@example.com.",
            "ada@.example.com",
            "ada＠example.com",
            "mıke@example.com",
            "ada@example..com",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "\"ada\"@example.com",
            "ada @example.com",
            " ada@example.com",
            "ada@example.com ",
            "ada@example.com\r\nBcc: all@example.com",
            "ada\0@example.com",
            "ada@exa_mple.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada@example。com",
            "a(b)@example.com",
            "<ada@example.com>",
            "ada@example.com,bob@example.com",
            "ada@exam\u{200b}ple.com\n",
            long_local.as_str(),
            long.as_str(),
        ] {
            assert_eq!(canonical(raw), None, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(raw in ".{0,300}") {
            if let Some(email) = canonical(&raw) {
                prop_assert!(email.is_ascii());
                prop_assert!(!email.bytes().any(|byte| byte.is_ascii_control() || byte == b' '));
                prop_assert_eq!(canonical(&email), Some(email.clone()));
            }
        }

        #[test]
        fn the_canonical_form_is_a_fixed_point(local in "[a-zA-Z0-9+_-]{1,20}", domain in "[a-zA-Z][a-zA-Z0-9]{0,10}\\.[a-zA-Z]{2,5}") {
            let raw = format!("{local}@{domain}");
            let email = canonical(&raw).unwrap();
            prop_assert_eq!(&email, &raw.to_ascii_lowercase());
            prop_assert_eq!(canonical(&email), Some(email.clone()));
        }
    }
}
