//! Words that belong to the product or to the user, and that whoever guesses tries early.

use super::folded::{ADORNMENT_CHARS_MAX, WORD_CHARS_MIN, fold, is_adornment, look};
use crate::ctx::Policy;
use crate::users::{DisplayName, EmailAddress};
use secrecy::zeroize::Zeroizing;

/// How many characters of any kind beside the words make no difference.
const OTHERS_MAX: usize = 3;

/// The words of one user of one product, in the form of [`look`].
pub(super) struct ContextWords(Vec<Vec<char>>);

impl ContextWords {
    /// The product's name and host, the user's name and address: each whole, and its parts of at least
    /// [`WORD_CHARS_MIN`] characters.
    pub(super) fn of(policy: &Policy, email: &EmailAddress, name: &DisplayName) -> Self {
        let (local, domain) = email.as_str().rsplit_once('@').unwrap_or((email.as_str(), ""));
        let (domain, _) = idna::domain_to_unicode(domain);
        let host = policy.issuer.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default();

        let mut words = Self(Vec::new());
        for text in [policy.product_name.as_str(), host, name.as_str(), local, &domain, email.as_str()] {
            words.add_text(&fold(text));
        }
        // The longest first: it takes more of the password than a part of it does.
        words.0.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.0.dedup();
        words
    }

    /// Whether a folded password consists of these words and little else: at most [`OTHERS_MAX`] characters, or
    /// at most [`ADORNMENT_CHARS_MAX`] when all of them are digits and signs.
    pub(super) fn make_up(&self, folded: &[char]) -> bool {
        // `ada.lovelace` is `adalovelace` with a sign in between.
        let mut joined = Zeroizing::new(Vec::with_capacity(folded.len()));
        joined.extend(folded.iter().copied().filter(|c| c.is_alphanumeric()));
        self.cover(folded, 0) || self.cover(&joined, folded.len() - joined.len())
    }

    fn cover(&self, folded: &[char], signs_left_out: usize) -> bool {
        let (mut letters, mut adornments, mut found) = (0, signs_left_out, false);
        let mut rest = folded;
        while let Some((&first, others)) = rest.split_first() {
            if let Some(word) = self.0.iter().find(|word| begins_with(rest, word)) {
                found = true;
                rest = &rest[word.len()..];
                continue;
            }
            if is_adornment(first) {
                adornments += 1;
            } else {
                letters += 1;
            }
            rest = others;
        }
        found && (letters + adornments <= OTHERS_MAX || (letters == 0 && adornments <= ADORNMENT_CHARS_MAX))
    }

    fn add_text(&mut self, text: &[char]) {
        self.add_word(text.iter().copied());
        self.add_word(text.iter().copied().filter(|c| c.is_alphanumeric()));
        for part in text.split(|c| !c.is_alphanumeric()) {
            self.add_word(part.iter().copied());
            // Of `ada1906` the name remains.
            for stem in part.split(|&c| is_adornment(c)) {
                self.add_word(stem.iter().copied());
            }
        }
    }

    fn add_word(&mut self, word: impl Iterator<Item = char>) {
        let word: Vec<char> = word.map(look).collect();
        if word.len() >= WORD_CHARS_MIN {
            self.0.push(word);
        }
    }
}

fn begins_with(folded: &[char], word: &[char]) -> bool {
    folded.len() >= word.len() && folded.iter().zip(word).all(|(&c, &expected)| look(c) == expected)
}
