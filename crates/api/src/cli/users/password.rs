//! Reads a password from standard input: arguments are visible in the process list and in the shell history.

use std::io::Read;

use anyhow::Context;
use denizen_domain::Ctx;
use denizen_domain::credentials::{NewPassword, PASSWORD_BYTES_MAX};
use denizen_domain::error::Error;
use secrecy::SecretString;

use crate::cli::failure::Failure;

/// Fails if no password is given, with instructions.
pub(super) fn require_stdin(is_given: bool, command: &str) -> Result<(), Failure> {
    if is_given {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "a password is required; pass it on standard input: printf %s \"$PASSWORD\" | denizen users {command} … \
         --password-stdin"
    )))
}

/// What Windows programs begin a text file with (U+FEFF).
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Reads one line; a byte order mark before it and the line feed after it are not part of the password.
pub(super) fn read(ctx: &Ctx) -> Result<NewPassword, Failure> {
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
    let chars_min = ctx.policy().password_chars_min;
    Ok(NewPassword::parse(&SecretString::from(text), chars_min).map_err(|rule| Error::from(rule.at("password")))?)
}
