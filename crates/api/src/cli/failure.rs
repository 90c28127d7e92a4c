//! Errors of commands, and how they are printed: one line on standard error.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapErrorKind;
use denizen_domain::error::{Conflict, Error, FieldError, Resource};

use crate::config::ConfigErrors;

/// The error of a command.
pub(crate) enum Failure {
    /// Invalid arguments: exit code 2.
    Usage(String),
    /// Output of `clap`: help, the version, or a usage error; and the command that was meant.
    Arguments(clap::Error, String),
    /// Invalid configuration: exit code 2, one line per error.
    Config(ConfigErrors),
    /// Invalid documents: exit code 2, one line per error.
    Document(Vec<String>),
    /// The database differs from a document: exit code 1. What differs is printed already.
    Differs,
    /// Some of the changes were made: exit code 1, one line for each that matters.
    Incomplete(Vec<String>),
    /// The command failed: exit code 1.
    Failed(anyhow::Error),
    /// The reader of the output has closed it, as `head` does. Not an error.
    ReaderGone,
}

impl Failure {
    /// Prints the error.
    pub(super) fn report(self) -> ExitCode {
        let (lines, code) = match self {
            Self::ReaderGone => return ExitCode::SUCCESS,
            Self::Arguments(error, command) => match error.kind() {
                ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => {
                    // The reader may have gone: there is nobody left to tell.
                    let _ = error.print();
                    return ExitCode::SUCCESS;
                }
                ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    let _ = error.print();
                    return ExitCode::from(2);
                }
                _ => (vec![usage_line(&error.to_string(), &command)], 2),
            },
            Self::Usage(line) => (vec![line], 2),
            Self::Config(mistakes) => (mistakes.iter().map(ToString::to_string).collect(), 2),
            Self::Document(lines) => (lines, 2),
            Self::Differs => return ExitCode::FAILURE,
            Self::Incomplete(lines) => (lines, 1),
            Self::Failed(error) => (vec![chain(&error)], 1),
        };
        for line in lines {
            let _ = writeln!(io::stderr(), "denizen: {}", printable(&line));
        }
        ExitCode::from(code)
    }
}

impl Failure {
    /// The same failure with exit code 2, for a command whose exit code 1 has another meaning.
    pub(super) fn into_trouble(self) -> Self {
        match self {
            Self::Failed(error) => Self::Document(vec![chain(&error)]),
            other => other,
        }
    }

    /// The error in one line.
    pub(super) fn line_of(error: Error) -> String {
        match Self::from(error) {
            Self::Failed(error) => chain(&error),
            _ => String::new(),
        }
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
            Error::Unauthenticated(_)
            | Error::Forbidden
            | Error::SignupClosed
            | Error::EmailUnverified
            | Error::VerificationRequired
            | Error::Grant(_) => said("this operation is not available to the operator"),
            Error::ProviderUnavailable { .. } => said("the provider is unavailable"),
            Error::HookRefused(refusal) => anyhow::Error::msg(refusal.message().to_owned()),
            Error::HookFailed { retry_after_s } => {
                anyhow::Error::msg(format!("a hook failed; retry in {retry_after_s} s"))
            }
            Error::StepUpRequired => said("recent authentication is required"),
            Error::NotOffered => said("mail is disabled; set mail.smtp_host or mail.folder"),
            Error::NotHeld => said("the role of the owner does not hold all scopes of the key"),
            Error::NotFound(resource) => said(absent(resource)),
            Error::Conflict(conflict) => said(in_conflict(conflict)),
            Error::Stale => said("the resource was changed by another request; read it again and retry"),
            Error::CursorExpired => said("the cursor has expired; start again without a cursor"),
            Error::TooManyRequests { retry_after_s } | Error::Overloaded { retry_after_s } => {
                anyhow::Error::msg(format!("overloaded; retry in {retry_after_s} s"))
            }
            Error::Store(error) => error.into(),
            Error::Internal(source) => anyhow::Error::from_boxed(source).context("internal error"),
        })
    }
}

const fn absent(resource: Resource) -> &'static str {
    match resource {
        Resource::User => "the user does not exist",
        Resource::Session => "the session does not exist",
        Resource::Role => "the role does not exist",
        Resource::ServiceAccount => "the service account does not exist",
        Resource::ApiKey => "the API key does not exist",
        Resource::SecondFactor => "the user has no second factor",
        Resource::Passkey | Resource::PasskeyCredential => "the passkey does not exist",
        Resource::Webhook => "the webhook does not exist",
        Resource::Delivery => "the delivery does not exist",
        Resource::Provider => "the provider does not exist",
        Resource::Identity => "the identity does not exist",
        Resource::SigningKey => "the signing key does not exist",
    }
}

const fn in_conflict(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::EmailTaken => "another user already has this email address",
        Conflict::LastAdmin => "this would leave no active administrator",
        Conflict::RoleNameTaken => "another role already has this name",
        Conflict::RoleInUse => "the role is assigned to users or service accounts; assign another role to them first",
        Conflict::RoleBuiltIn => "the role is built in and cannot be changed or deleted",
        Conflict::TooManyApiKeys => "the limit of 200 API keys is reached; delete unused keys",
        Conflict::TooManyWebhooks => "the limit of 50 webhooks is reached; delete unused webhooks",
        Conflict::SecondFactorPresent => "the user already has a second factor",
        Conflict::IdentityTaken => "the identity is linked to another user",
        Conflict::LinkRequired => "a user with this email address exists",
        Conflict::ProviderNameTaken => "another provider already has this name",
        Conflict::ProviderConfigured => "the provider is part of the configuration; change it there",
        Conflict::ProviderTokensGone => "there are no tokens of the provider; the user must sign in through it again",
        Conflict::TooManyProviders => "the limit of 100 providers is reached; delete unused providers",
        Conflict::TooManyIdentities => "the limit of 20 identities is reached; unlink unused identities",
        Conflict::TooManyPasskeys => "the limit of 20 passkeys is reached; delete unused passkeys",
        Conflict::PasskeyTaken => "the passkey is already registered",
        Conflict::PasskeyRequired => "the role requires a passkey or a security key",
        Conflict::LastWayIn => "the user would have no sign-in method left",
        Conflict::SigningBySecret => {
            "access tokens are signed with tokens.hs256_secret; there is no key to rotate or withdraw"
        }
        Conflict::IdempotencyKeyReused | Conflict::IdempotencyInProgress => "the same request was made before",
    }
}

/// All invalid fields in one line.
pub(super) fn fields_line(fields: &[FieldError]) -> String {
    let lines: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
    lines.join("; ")
}

/// Without control characters: parts of a line are untrusted.
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

/// The error and its causes. A cause that is already part of the message is not repeated.
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

/// The multi-line message of `clap` in one line, with the help of the command.
pub(super) fn usage_line(text: &str, command: &str) -> String {
    let said = text.split("\nUsage:").next().unwrap_or(text).split("\nFor more information").next().unwrap_or(text);
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see `{command} --help`", lines.join(" ").replace(" tip: ", "; "))
}
