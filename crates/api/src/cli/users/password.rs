//! Reads a password from standard input or from the terminal: arguments are visible in the process list and in the shell
//! history.

use std::io::{self, IsTerminal, Read};

use anyhow::Context;
use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::credentials::{NewPassword, PASSWORD_BYTES_MAX};
use denizen_domain::error::Error;
use secrecy::{ExposeSecret, SecretString};

use crate::cli::failure::Failure;

/// Where a new password comes from.
#[derive(Args)]
pub(super) struct PasswordArgs {
    /// Reads the password from standard input. Without it, the password is asked for on the terminal.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArgs {
    /// Fails if there is neither `--password-stdin` nor a terminal to ask on, with instructions.
    pub(super) fn check(&self, command: &str) -> Result<(), Failure> {
        if self.password_stdin || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "a password is required; pass it on standard input: printf %s \"$PASSWORD\" | denizen users {command} … \
             --password-stdin"
        )))
    }

    /// Reads the password.
    pub(super) fn read(&self, ctx: &Ctx) -> Result<NewPassword, Failure> {
        let text = if self.password_stdin { from_stdin()? } else { from_terminal()? };
        let chars_min = ctx.policy().password_chars_min;
        Ok(NewPassword::parse(&text, chars_min).map_err(|rule| Error::from(rule.at("password")))?)
    }
}

/// Asks twice: a mistyped password that nobody sees would lock its owner out.
fn from_terminal() -> Result<SecretString, Failure> {
    let ask = |prompt: &str| {
        let answer = rpassword::prompt_password(prompt).context("reading the password from the terminal");
        answer.map(SecretString::from)
    };
    let (first, second) = (ask("New password: ")?, ask("Repeat the password: ")?);
    if first.expose_secret() != second.expose_secret() {
        return Err(anyhow::anyhow!("the passwords are different; nothing was changed").into());
    }
    Ok(first)
}

/// What Windows programs begin a text file with (U+FEFF).
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Reads one line; a byte order mark before it and the line feed after it are not part of the password.
fn from_stdin() -> Result<SecretString, Failure> {
    // Room from the start: a growing string leaves copies behind.
    let mut text = String::with_capacity(PASSWORD_BYTES_MAX * 2);
    let bounded = std::io::stdin().lock().take(PASSWORD_BYTES_MAX as u64 + 6);
    { bounded }.read_to_string(&mut text).context("reading the password from standard input")?;
    let line_chars = text.strip_suffix('\n').map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(line_chars);
    if text.contains('\n') {
        return Err(Failure::Usage("standard input must contain only the password, on a single line".to_owned()));
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    Ok(SecretString::from(text))
}
