//! Why a request to a provider failed. Cloneable, so that a cache can answer with it again. Quotes no token and no secret.

use std::error::Error;

use denizen_domain::providers::FederationError;

use crate::outside::{NoPublicAddress, OutsideError};

/// Why a request to a provider failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There was no response, a server error, or there are too many concurrent requests.
    Unavailable(String),
    /// The provider refused, or its response failed this check.
    Refused { check: &'static str, detail: Option<String> },
}

/// Further information about a failure, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Detail(String);

impl Failure {
    /// A failed check that needs no explanation.
    pub(super) fn refused(check: &'static str) -> Self {
        Self::Refused { check, detail: None }
    }

    /// A failed check, and why.
    pub(super) fn because(check: &'static str, detail: impl Into<String>) -> Self {
        Self::Refused { check, detail: Some(detail.into()) }
    }

    /// One clause that says what failed.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Unavailable(reason) => reason.clone(),
            Self::Refused { check, detail: None } => format!("the check \"{check}\" failed"),
            Self::Refused { check, detail: Some(detail) } => format!("the check \"{check}\" failed: {detail}"),
        }
    }
}

impl From<Failure> for FederationError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(reason) => Self::Unavailable(Box::new(Detail(reason))),
            Failure::Refused { check, detail } => {
                Self::Refused { check, source: detail.map(|detail| Box::new(Detail(detail)).into()) }
            }
        }
    }
}

impl From<OutsideError> for Failure {
    fn from(error: OutsideError) -> Self {
        match error {
            OutsideError::NotAllowed => {
                Self::because("address", "the URL is not https, or its host is a private address")
            }
            OutsideError::TooLarge => Self::because("response_size", "the response is larger than 64 KiB"),
            OutsideError::Unreachable(error) => unreachable(error),
        }
    }
}

/// The chain of causes says whether it was the name, the connection, TLS or the time.
fn unreachable(error: reqwest::Error) -> Failure {
    // The whole URL may be a long one, with parameters.
    let host = error.url().and_then(reqwest::Url::host_str).unwrap_or("unknown host").to_owned();
    let error = error.without_url();
    let mut reason = format!("{host}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NoPublicAddress>() {
            return Failure::because("address", "the host has no public address");
        }
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Failure::Unavailable(reason)
}
