//! When a request is sent again, and after which pause.

use std::time::Duration;

use super::ApiError;
use crate::backoff::Backoff;

/// A longer pause, demanded by `Retry-After`, is left to the caller.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why an attempt failed.
pub(super) struct Failure {
    pub(super) error: ApiError,
    /// Whether the server may have processed the request.
    pub(super) is_processed: bool,
}

impl Failure {
    /// The response is missing: the server may have processed the request.
    pub(super) fn unknown(error: impl Into<ApiError>) -> Self {
        Self { error: error.into(), is_processed: true }
    }
}

pub(super) struct Retries {
    left: u32,
    is_repeatable: bool,
    backoff: Backoff,
}

impl Retries {
    pub(super) fn new(attempts: u32, is_repeatable: bool) -> Self {
        Self { left: attempts.saturating_sub(1), is_repeatable, backoff: Backoff::default() }
    }

    /// The pause before the next attempt; `None` if there is none.
    pub(super) fn next(&mut self, error: &ApiError, is_processed: bool) -> Option<Duration> {
        if is_processed && !self.is_repeatable {
            return None;
        }
        let demanded = match error {
            ApiError::Transport(_) | ApiError::UnexpectedResponse(502..=504) => Duration::ZERO,
            ApiError::Refused(refusal) if matches!(refusal.status, 429 | 502..=504) => {
                refusal.retry_after.unwrap_or_default()
            }
            _ => return None,
        };
        self.left = self.left.checked_sub(1)?;
        let pause = self.backoff.next().max(demanded);
        (pause <= PAUSE_MAX).then_some(pause)
    }
}
