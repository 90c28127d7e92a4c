//! Questions on the terminal, for options that were not given.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use clap::ValueEnum;

use super::choice::{Backend, Framework, Library};
use crate::cli::failure::Failure;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64;

/// The terminal, if there is one.
pub(super) struct Prompt {
    is_terminal: bool,
}

/// What can be asked for.
pub(super) trait Answer: Sized + Copy + 'static {
    /// The answers, with what each one fits.
    fn options() -> Vec<(Self, String, String)>;
}

impl Answer for Framework {
    fn options() -> Vec<(Self, String, String)> {
        of_enum()
    }
}

impl Answer for Library {
    fn options() -> Vec<(Self, String, String)> {
        of_enum()
    }
}

impl Answer for Backend {
    fn options() -> Vec<(Self, String, String)> {
        let describe = |backend| match backend {
            Self::Postgres => "several instances, several writers",
            Self::Sqlite => "one instance, a file",
        };
        Self::ALL.map(|backend| (backend, backend.name().to_owned(), describe(backend).to_owned())).to_vec()
    }
}

fn of_enum<T: ValueEnum + Copy>() -> Vec<(T, String, String)> {
    let value = |value: &T| value.to_possible_value();
    let options = T::value_variants().iter().filter_map(|option| Some((*option, value(option)?)));
    let help = |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
    options.map(|(option, value)| (option, value.get_name().to_owned(), help(&value))).collect()
}

impl Prompt {
    pub(super) fn of_process() -> Self {
        Self { is_terminal: io::stdin().is_terminal() && io::stderr().is_terminal() }
    }

    /// Asks until the answer is one of the options; `option` is the option that would have answered.
    pub(super) fn ask<T: Answer>(&self, option: &str) -> Result<T, Failure> {
        if !self.is_terminal {
            return Err(Failure::Usage(format!("{option} is required; see `denizen new --help`")));
        }
        let options = T::options();
        loop {
            let mut stderr = io::stderr();
            write!(stderr, "{}", question(option, &options))?;
            stderr.flush()?;
            let mut answer = String::new();
            if io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer)? == 0 {
                return Err(anyhow::anyhow!("aborted").into());
            }
            if let Some(chosen) = chosen(&answer, &options) {
                return Ok(chosen);
            }
        }
    }
}

fn question<T>(option: &str, options: &[(T, String, String)]) -> String {
    let lines = (1..).zip(options).map(|(number, (_, name, help))| format!("  {number}  {name:<16}{help}"));
    let lines: Vec<String> = lines.collect();
    format!("{option}:\n{}\n> ", lines.join("\n"))
}

/// An option by its number or its name.
fn chosen<T: Copy>(answer: &str, options: &[(T, String, String)]) -> Option<T> {
    let answer = answer.trim();
    let by_number = answer.parse::<usize>().ok().and_then(|number| options.get(number.checked_sub(1)?));
    by_number.or_else(|| options.iter().find(|(_, name, _)| name == answer)).map(|(option, ..)| *option)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Backend, Framework, Library, chosen, question};

    #[test]
    fn an_answer_is_a_number_or_a_name() {
        let options = Library::options();
        for (answer, expected) in [
            ("1\n", Some(Library::Sqlx)),
            (" sea-orm\r\n", Some(Library::SeaOrm)),
            ("4", Some(Library::TokioPostgres)),
            ("0", None),
            ("5", None),
            ("", None),
            ("SQLX", None),
        ] {
            assert_eq!(chosen(answer, &options), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_question_explains_its_options() {
        let text = question("--framework", &Framework::options());
        assert!(text.starts_with("--framework:\n  1  axum            REST"), "{text}");
        assert_eq!(Backend::options().len(), 2);
    }
}
