//! Confirmation of destructive commands.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use super::failure::Failure;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64;

/// Succeeds if `--yes` was given or the user confirms on the terminal; `consequence` describes the effect of the
/// command.
pub(super) fn confirm(is_confirmed: bool, consequence: &str) -> Result<(), Failure> {
    if is_confirmed {
        return Ok(());
    }
    let mut stderr = io::stderr();
    let stdin = io::stdin();
    // Whoever cannot see the question, or is a program, has not answered it.
    if !(stdin.is_terminal() && stderr.is_terminal()) {
        return Err(Failure::Usage(format!("{consequence}; pass --yes to confirm")));
    }
    write!(stderr, "{consequence}. Continue? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().take(ANSWER_BYTES_MAX).read_line(&mut answer)?;
    if is_yes(&answer) { Ok(()) } else { Err(anyhow::anyhow!("aborted").into()) }
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn nothing_but_yes_is_yes() {
        for (answer, expected) in [("y\n", true), ("YES\r\n", true), ("\n", false), ("", false), ("yess", false)] {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
    }
}
