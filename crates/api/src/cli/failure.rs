//! Why a command did not do what it was asked, and how that is told: one line on standard error.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapErrorKind;
use denizen_domain::error::{Conflict, Error, FieldError, Resource};

use crate::config::ConfigErrors;

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// The arguments are wrong: exit code 2.
    Usage(String),
    /// What `clap` says: help, the version, or wrong usage.
    Arguments(clap::Error),
    /// The configuration is wrong: exit code 2, one line a mistake.
    Config(ConfigErrors),
    /// It was tried and did not succeed: exit code 1.
    Failed(anyhow::Error),
    /// The reader of the output has gone, as `head` does. Nothing is wrong.
    ReaderGone,
}

impl Failure {
    /// Prints what there is to print.
    pub(super) fn report(self) -> ExitCode {
        let (lines, code) = match self {
            Self::ReaderGone => return ExitCode::SUCCESS,
            Self::Arguments(error) => match error.kind() {
                ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => {
                    // The reader may have gone: there is nobody left to tell.
                    let _ = error.print();
                    return ExitCode::SUCCESS;
                }
                ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    let _ = error.print();
                    return ExitCode::from(2);
                }
                _ => (vec![usage_line(&error.to_string())], 2),
            },
            Self::Usage(line) => (vec![line], 2),
            Self::Config(mistakes) => (mistakes.iter().map(ToString::to_string).collect(), 2),
            Self::Failed(error) => (vec![chain(&error)], 1),
        };
        for line in lines {
            let _ = writeln!(io::stderr(), "denizen: {}", printable(&line));
        }
        ExitCode::from(code)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Failed(error.into()) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let said = |line: &'static str| anyhow::Error::msg(line);
        Self::Failed(match error {
            Error::Invalid(fields) => anyhow::Error::msg(fields_line(&fields)),
            Error::Unauthenticated(_) | Error::Forbidden | Error::Grant(_) => said("the operator may not do this"),
            Error::StepUpRequired => said("a recent proof is required"),
            Error::NotOffered => said("no mail is sent: set mail.smtp_host or mail.folder"),
            Error::NotHeld => said("a key can be given no more than the role of its owner allows"),
            Error::NotFound(resource) => said(absent(resource)),
            Error::Conflict(conflict) => said(in_conflict(conflict)),
            Error::Stale => said("it was changed meanwhile; look again"),
            Error::CursorExpired => said("what followed on the cursor is no longer kept"),
            Error::TooManyRequests { retry_after_s } | Error::Overloaded { retry_after_s } => {
                anyhow::Error::msg(format!("overloaded; try again in {retry_after_s} s"))
            }
            Error::Store(error) => error.into(),
            Error::Internal(source) => anyhow::Error::from_boxed(source).context("internal error"),
        })
    }
}

const fn absent(resource: Resource) -> &'static str {
    match resource {
        Resource::User => "there is no such user",
        Resource::Session => "there is no such session",
        Resource::Role => "there is no such role",
        Resource::ServiceAccount => "there is no such service account",
        Resource::ApiKey => "there is no such API key",
        Resource::SecondFactor => "the user has no second factor",
        Resource::Webhook => "there is no such webhook",
        Resource::Delivery => "there is no such delivery",
        Resource::SigningKey => "there is no such signing key",
    }
}

const fn in_conflict(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::EmailTaken => "another user has this email address",
        Conflict::LastAdmin => "this would leave no active admin",
        Conflict::RoleNameTaken => "another role has this name",
        Conflict::RoleInUse => "somebody has this role; give them another one first",
        Conflict::RoleBuiltIn => "this role is built in and stays as it is",
        Conflict::TooManyApiKeys => "there are 200 API keys already; delete those that are not used",
        Conflict::TooManyWebhooks => "there are 50 webhooks already; delete those that nobody listens to",
        Conflict::SecondFactorPresent => "there is a second factor already",
        Conflict::SigningBySecret => {
            "access tokens are signed with tokens.hs256_secret: there is no key to rotate or withdraw"
        }
        Conflict::IdempotencyKeyReused | Conflict::IdempotencyInProgress => "the same request was made before",
    }
}

/// Every field at fault in one line.
pub(super) fn fields_line(fields: &[FieldError]) -> String {
    let lines: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
    lines.join("; ")
}

/// Without the characters that forge lines or colours: parts of a line come from outside.
pub(super) fn printable(line: &str) -> String {
    let mut printable = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(printable, "{}", c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// The error and its causes. A cause that its effect already quotes is not said twice.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// What `clap` says over several lines, in one.
pub(super) fn usage_line(text: &str) -> String {
    let said = text.split("\nUsage:").next().unwrap_or(text).split("\nFor more information").next().unwrap_or(text);
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see `denizen --help`", lines.join(" ").replace(" tip: ", "; "))
}
