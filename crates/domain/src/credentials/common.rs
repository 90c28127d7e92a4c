//! Common passwords: those that are tried first.
//!
//! The list is a sorted text in the binary, searched in place: nothing is built at the start, nothing is kept in
//! memory but the pages that a search touches. A library that rates passwords (zxcvbn, for one) builds maps of
//! several MiB, brings two engines for regular expressions, and gives a number in place of a rule that can be told.

use super::folded::{ADORNMENT_CHARS_MAX, WORD_CHARS_MIN, is_adornment, look};

/// A header with source and licence, an empty line, then one password a line in the order of [`look`].
const LIST: &str = include_str!("common_passwords.txt");
/// Up to where simple patterns are refused, in characters: nobody tries them at every length there is.
const PATTERN_CHARS_MAX: usize = 32;
/// The longest piece whose repetition is a simple pattern, in characters.
const PIECE_CHARS_MAX: usize = 3;

/// Whether a folded password is common: listed, a listed one over and over, or a simple pattern; with up to
/// [`ADORNMENT_CHARS_MAX`] digits and signs at its ends or without.
pub(super) fn is_common(folded: &[char]) -> bool {
    let leading = folded.iter().take_while(|&&c| is_adornment(c)).take(ADORNMENT_CHARS_MAX).count();
    let trailing = folded.iter().rev().take_while(|&&c| is_adornment(c)).take(ADORNMENT_CHARS_MAX).count();
    // Every cut is tried: in `$ummer99` the sign belongs to the word and the digits do not.
    (0..=leading).any(|start| {
        let most = trailing.min(ADORNMENT_CHARS_MAX - start);
        (0..=most).any(|end| {
            let core = folded.get(start..folded.len().saturating_sub(end)).unwrap_or_default();
            let is_whole = core.len() == folded.len();
            // Of digits alone nothing is cut off: a part of any number is listed.
            let is_word = core.len() >= WORD_CHARS_MIN && !core.iter().all(|&c| is_adornment(c));
            (is_whole || is_word) && is_easy(core)
        })
    })
}

/// Whether the word is listed as it is.
pub(super) fn is_listed(word: &[char]) -> bool {
    let looks = || word.iter().copied().map(look);
    let mut rest = LIST.split_once("\n\n").map_or("", |(_, passwords)| passwords);
    while !rest.is_empty() {
        let middle = rest.floor_char_boundary(rest.len() / 2);
        let start = rest[..middle].rfind('\n').map_or(0, |at| at + 1);
        let end = rest[start..].find('\n').map_or(rest.len(), |at| start + at);
        match rest[start..end].chars().map(look).cmp(looks()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
            std::cmp::Ordering::Greater => rest = &rest[..start],
        }
    }
    false
}

fn is_easy(core: &[char]) -> bool {
    is_listed(core)
        || repeated_piece(core, WORD_CHARS_MIN..=core.len() / 2).is_some_and(is_listed)
        || (core.len() <= PATTERN_CHARS_MAX && is_pattern(core))
}

/// `aaaaaaaa`, `abcabcabc`, `abcdefgh`, `87654321`.
fn is_pattern(core: &[char]) -> bool {
    let steps_by =
        |step: i64| core.windows(2).all(|pair| i64::from(u32::from(pair[1])) == i64::from(u32::from(pair[0])) + step);
    repeated_piece(core, 1..=PIECE_CHARS_MAX.min(core.len() / 2)).is_some() || steps_by(1) || steps_by(-1)
}

/// The shortest piece, of the lengths asked for, that makes the text when repeated.
fn repeated_piece(text: &[char], mut lengths: std::ops::RangeInclusive<usize>) -> Option<&[char]> {
    let length =
        lengths.find(|&length| text.len().is_multiple_of(length) && text[length..] == text[..text.len() - length])?;
    Some(&text[..length])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::folded::{fold, look};
    use super::{LIST, is_common};

    fn passwords() -> Vec<&'static str> {
        LIST.split_once("\n\n").unwrap().1.lines().collect()
    }

    fn check(raw: &str, expected: bool) {
        assert_eq!(is_common(&fold(raw)), expected, "{raw:?}");
    }

    #[test]
    fn the_list_is_in_the_order_of_the_search() {
        let looks: Vec<String> = passwords().into_iter().map(|line| line.chars().map(look).collect()).collect();
        assert!(looks.len() > 20_000 && looks.is_sorted_by(|one, next| one < next));
        assert!(LIST.is_ascii() && LIST.contains("The MIT License"));
    }

    #[test]
    fn every_password_of_the_list_is_found() {
        for line in passwords() {
            check(line, true);
        }
    }

    #[test]
    fn decorations_change_nothing() {
        for raw in [
            "password",
            "Password1!",
            "PASSWORD",
            "p@ssw0rd",
            "P4$$W0RD123",
            "12password12",
            "$ummer99",
            "Summer2024!!",
            "passwordpassword",
            "DragonDragon!",
            "ｐａｓｓｗｏｒｄ",
            "  letmein  ",
            "iloveyou<3",
            "12345678",
        ] {
            check(raw, true);
        }
    }

    #[test]
    fn simple_patterns_are_common_up_to_a_length() {
        for raw in ["aaaaaaaa", "ababababab", "abcabcabc", "abcdefghijk", "87654321", "ßßßßßßßß", "zzzzzzzz99"]
        {
            check(raw, true);
        }
        check(&"a".repeat(32), true);
        check(&"a".repeat(33), false);
    }

    #[test]
    fn what_is_not_common_passes() {
        for raw in [
            "correct horse battery",
            "another good one",
            "nanoseconds",
            "drei graue Igel im Nebel",
            "password number 7",
            "password1234567",
            "83920174",
            "пароль78",
            "hunter2 is not it",
            "dragon-shaped cup",
        ] {
            check(raw, false);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(raw in "\\PC{0,200}") {
            let _ = is_common(&fold(&raw));
        }

        #[test]
        fn a_listed_password_is_found_in_any_decoration(
            at in any::<prop::sample::Index>(), mask in any::<u64>(),
            before in "[0-9!#. ]{0,3}", after in "[0-9!?. ]{0,3}",
        ) {
            let listed = passwords();
            let written = at.get(&listed).chars().enumerate().map(|(at, c)| match (mask >> (at % 64)) & 1 {
                0 => c.to_ascii_uppercase(),
                _ => match c { 'o' => '0', 'e' => '3', 'a' => '@', 's' => '$', other => other },
            });
            let written: String = written.collect();
            prop_assert!(is_common(&fold(&written)), "{}", written);
            if written.chars().any(char::is_alphabetic) {
                let adorned = format!("{before}{written}{after}");
                prop_assert!(is_common(&fold(&adorned)), "{}", adorned);
            }
        }

        #[test]
        fn twelve_random_characters_are_not_common(raw in "[a-zA-Z0-9!#$%&*+/=?_-]{12}") {
            prop_assert!(!is_common(&fold(&raw)));
        }
    }
}
