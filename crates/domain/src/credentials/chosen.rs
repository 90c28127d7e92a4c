//! Passwords as they are chosen, and the rules they must keep.

use secrecy::{ExposeSecret, SecretString};

use super::common::is_common;
use super::context::ContextWords;
use super::folded::fold;
use super::password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password, normalise, too_long};
use super::strength::Strength;
use crate::ctx::Policy;
use crate::error::RuleBroken;
use crate::users::{DisplayName, EmailAddress};

/// A password that somebody chooses: 8 to 128 characters of any script, in NFC, none of the common ones. No
/// composition rules.
///
/// Whose it will be is not known yet. Only [`NewPassword::for_user`] makes a [`Password`] of it, which is what can
/// be hashed: no way in can forget the rules that depend on the user.
#[derive(Debug)]
pub struct NewPassword {
    normalised: SecretString,
    strength: Strength,
}

impl NewPassword {
    /// Reads a chosen password; `chars_min` may ask for more than [`PASSWORD_CHARS_MIN`].
    ///
    /// # Errors
    /// `too_short`, `too_long` or `common_password`.
    pub fn parse(raw: &SecretString, chars_min: u32) -> Result<Self, RuleBroken> {
        let normalised = normalise(raw)?;
        let chars = normalised.expose_secret().chars().count();
        let chars_min = chars_min.max(PASSWORD_CHARS_MIN);
        if chars < chars_min as usize {
            return Err(RuleBroken::new("too_short", format!("must be at least {chars_min} characters long")));
        }
        if chars > PASSWORD_CHARS_MAX as usize {
            return Err(too_long());
        }
        let folded = fold(normalised.expose_secret());
        if is_common(&folded) {
            let message =
                "must not be a common password, also with digits or symbols added; use several unrelated words";
            return Err(RuleBroken::new("common_password", message));
        }
        Ok(Self { normalised, strength: Strength::of(&folded) })
    }

    /// How well it resists guessing: a hint for whoever chose it.
    #[must_use]
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// The password of this user of this product.
    ///
    /// # Errors
    /// `contains_context` when it is made of the product's name or host, or of the user's name or address, and of
    /// little else.
    pub fn for_user(self, policy: &Policy, email: &EmailAddress, name: &DisplayName) -> Result<Password, RuleBroken> {
        if ContextWords::of(policy, email, name).make_up(&fold(self.normalised.expose_secret())) {
            let message = "must not be derived from the name or address of the user or the name of the product; use \
                           several unrelated words";
            return Err(RuleBroken::new("contains_context", message));
        }
        Ok(Password::from_accepted(self.normalised))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NewPassword, Password, Strength};
    use crate::ctx::Policy;
    use crate::users::{DisplayName, EmailAddress};

    fn check(raw: &str, expected: Result<&str, &str>) {
        check_for(("ada.lovelace42@bücher.example", "Ada Lovelace"), raw, expected);
    }

    fn check_for((email, name): (&str, &str), raw: &str, expected: Result<&str, &str>) {
        let parsed = accept(raw, email, name);
        let outcome = parsed.as_ref().map(Password::expose).map_err(|rule| *rule);
        assert_eq!(outcome, expected, "{raw:?}");
    }

    fn accept(raw: &str, email: &str, name: &str) -> Result<Password, &'static str> {
        let policy = Policy {
            product_name: "Acme Cloud".to_owned(),
            issuer: "https://accounts.widgets.example:8443/auth".to_owned(),
            ..Policy::for_tests()
        };
        let (email, name) = (EmailAddress::parse(email).unwrap(), DisplayName::parse(name).unwrap());
        let new = NewPassword::parse(&raw.into(), 8).map_err(|rule| rule.code)?;
        new.for_user(&policy, &email, &name).map_err(|rule| rule.code)
    }

    #[test]
    fn length_counts_characters() {
        check("1234567", Err("too_short"));
        check("пароль78", Ok("пароль78"));
        check("e\u{301}e\u{301}e\u{301}e\u{301}", Err("too_short"));
        check(&"é".repeat(128), Ok(&"é".repeat(128)));
        check(&"a".repeat(129), Err("too_long"));
        check(&"𝒂".repeat(129), Err("too_long"));
        check(&"a".repeat(513), Err("too_long"));
    }

    #[test]
    fn both_forms_of_a_letter_are_one_password() {
        check("caf\u{65}\u{301}-latte", Ok("café-latte"));
    }

    #[test]
    fn common_ones_are_refused() {
        check("P@ssw0rd", Err("common_password"));
        check("12345678", Err("common_password"));
    }

    #[test]
    fn the_words_of_the_user_are_refused() {
        for raw in [
            "lovelace",
            "Lovelace1",
            "L0v3l@ce",
            "1815-Lovelace",
            "AdaLovelace",
            "ada.lovelace!",
            "LovelaceAda",
            "ada.lovelace42",
            "ada.lovelace42@bücher.example",
            "bücher2024",
            "lovelacelovelace",
            "lovelaceXYZ",
        ] {
            check(raw, Err("contains_context"));
        }
    }

    #[test]
    fn the_words_of_the_product_are_refused() {
        for raw in ["acmecloud", "Acme Cloud 24", "acme-cloud", "widgets99", "accounts", "acme2024!", "CloudAcme"] {
            check(raw, Err("contains_context"));
        }
    }

    #[test]
    fn with_enough_besides_they_are_not() {
        for raw in ["lovelace tea", "acme 48213377", "ada and charles", "my cloud in the sky"] {
            check(raw, Ok(raw));
        }
    }

    #[test]
    fn short_words_and_others_names_do_not_count() {
        let short = ("li@wei.cn", "Li Wei");
        check_for(short, "li or not", Ok("li or not"));
        check_for(short, "Li Wei 88", Err("contains_context"));
        check_for(short, "lovelace1", Ok("lovelace1"));
    }

    #[test]
    fn a_password_never_prints() {
        let new = NewPassword::parse(&"correct horse".into(), 8).unwrap();
        assert!(!format!("{new:?}").contains("horse"));
        let password = accept("correct horse", "ada@example.com", "Ada").unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[test]
    fn the_strength_comes_with_it() {
        let strength = |raw: &str| NewPassword::parse(&raw.into(), 8).unwrap().strength();
        assert_eq!(strength("drei graue Igel im Nebel"), Strength::Strong);
        assert_eq!(strength(&"a".repeat(128)), Strength::Weak);
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_refused(raw in "(?s).{0,140}", name in "\\PC{1,200}") {
            let name = if DisplayName::parse(&name).is_ok() { name } else { "Ada".to_owned() };
            if let Ok(password) = accept(&raw, "ada@example.com", &name) {
                prop_assert!((8..=128).contains(&password.expose().chars().count()));
            }
        }

        #[test]
        fn the_name_is_refused_in_any_case_with_three_characters_beside(
            name in "[a-z]{8,20}", mask in any::<u32>(), after in "[a-z0-9!]{0,3}",
        ) {
            let cased = |(at, c): (usize, char)| if (mask >> at) & 1 == 1 { c.to_ascii_uppercase() } else { c };
            let raw = name.char_indices().map(cased).collect::<String>() + &after;
            prop_assert!(accept(&raw, "someone@example.com", &name).is_err(), "{}", raw);
        }

        #[test]
        fn twelve_random_characters_are_accepted(raw in "[a-zA-Z0-9!#$%&*+/=?_-]{12}") {
            prop_assert!(accept(&raw, "ada@example.com", "Ada Lovelace").is_ok());
        }
    }
}
