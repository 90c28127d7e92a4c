//! What a password looks like to somebody who guesses: without case, width and look-alike signs.

use secrecy::zeroize::Zeroizing;
use unicode_normalization::UnicodeNormalization;

/// How much of a password is looked at, in characters. NFKC can make one character eighteen.
const FOLDED_CHARS_MAX: usize = 256;
/// How many digits and signs around a word change nothing for somebody who guesses.
pub(super) const ADORNMENT_CHARS_MAX: usize = 6;
/// The shortest word that is looked for, in characters.
pub(super) const WORD_CHARS_MIN: usize = 4;

/// The text in NFKC and lower case. Wiped when dropped: it is as secret as the password.
pub(super) fn fold(text: &str) -> Zeroizing<Vec<char>> {
    // Room from the start: a growing list leaves copies behind.
    let mut folded = Zeroizing::new(Vec::with_capacity(FOLDED_CHARS_MAX));
    folded.extend(text.nfkc().flat_map(char::to_lowercase).take(FOLDED_CHARS_MAX));
    folded
}

/// The letter that a character stands for when people write `p4$$w0rd`. `1`, `l` and `i` are one.
pub(super) fn look(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | 'l' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Whether people put it around a word to make a password of it: a digit, a sign, white space.
pub(super) fn is_adornment(c: char) -> bool {
    !c.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::{fold, look};

    fn check(raw: &str, expected: &str) {
        assert_eq!(fold(raw).iter().copied().map(look).collect::<String>(), expected, "{raw:?}");
    }

    #[test]
    fn spellings_of_one_word_look_alike() {
        check("Password", "password");
        check("P4$$w0rd", "password");
        check("ｐａｓｓｗｏｒｄ", "password");
        check("!10V3You", "iioveyou");
        check("1l0v3you", "iioveyou");
        check("ÜBER", "über");
    }

    #[test]
    fn what_is_looked_at_is_bounded() {
        assert_eq!(fold(&"\u{fdfa}".repeat(128)).len(), super::FOLDED_CHARS_MAX);
    }
}
