//! How well a password resists guessing: a hint, not a rule.

use super::common::is_listed;
use super::folded::WORD_CHARS_MIN;

/// What a common word is worth: tens of thousands of words are some three random characters.
const WORD_WORTH: usize = 3;

/// How well a password that keeps the rules resists guessing. A hint for whoever chose it, and for nobody else.
///
/// It counts characters. One that repeats the one before, or goes on in order (`1234`), counts nothing, and a
/// common word counts three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Worth fewer than 8 characters.
    Weak,
    /// Worth 8 to 11 characters.
    Fair,
    /// Worth 12 to 19 characters.
    Good,
    /// Worth 20 characters or more.
    Strong,
}

impl Strength {
    /// The strength of a folded password.
    pub(super) fn of(folded: &[char]) -> Self {
        let worth: usize =
            folded.chunk_by(|one, next| one.is_alphanumeric() == next.is_alphanumeric()).map(worth).sum();
        match worth {
            0..8 => Self::Weak,
            8..12 => Self::Fair,
            12..20 => Self::Good,
            _ => Self::Strong,
        }
    }

    /// Its name: `weak`, `fair`, `good` or `strong`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Fair => "fair",
            Self::Good => "good",
            Self::Strong => "strong",
        }
    }
}

fn worth(part: &[char]) -> usize {
    if part.len() >= WORD_CHARS_MIN && is_listed(part) {
        return WORD_WORTH;
    }
    // The first step of a run is news; going on with it is not.
    let steps: Vec<i64> =
        part.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]))).collect();
    let runs_on = steps.iter().enumerate().filter(|&(at, &step)| match step {
        0 => true,
        1 | -1 => at > 0 && steps[at - 1] == step,
        _ => false,
    });
    part.len() - runs_on.count()
}

#[cfg(test)]
mod tests {
    use super::super::folded::fold;
    use super::Strength;

    fn check(raw: &str, expected: Strength) {
        assert_eq!(Strength::of(&fold(raw)), expected, "{raw:?}");
    }

    #[test]
    fn it_grows_with_what_is_new() {
        check("", Strength::Weak);
        check(&"a".repeat(128), Strength::Weak);
        check("12345678abc", Strength::Weak);
        check("password dragon 1", Strength::Fair);
        check("fq8w0zkx", Strength::Fair);
        check("correct horse battery", Strength::Good);
        check("drei graue Igel im Nebel", Strength::Strong);
        check("王小明喜欢在雾里散步唱歌看书", Strength::Good);
    }
}
