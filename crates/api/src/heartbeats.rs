//! When background jobs of this node last ran, for the readiness check.
//!
//! A run that failed counts: a database or a mail server that is unavailable must not make a node look stalled. What counts
//! is that the job runs at all.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A job is late after this many periods without the end of a run.
const LATE_AFTER_PERIODS: u32 = 15;

/// The last run of each job that has begun.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats(Mutex<Vec<Heartbeat>>);

#[derive(Debug)]
struct Heartbeat {
    name: &'static str,
    period: Duration,
    is_essential: bool,
    ran_at: Instant,
}

/// Whether the jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pulse {
    /// All of them.
    Regular,
    /// One is late that requests do not depend on.
    Late,
    /// One is late that requests depend on.
    Stalled,
}

impl Heartbeats {
    /// Notes the end of a run, or that a job begins.
    pub(crate) fn note(&self, name: &'static str, period: Duration, is_essential: bool) {
        self.note_at(name, period, is_essential, now());
    }

    fn note_at(&self, name: &'static str, period: Duration, is_essential: bool, ran_at: Instant) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.iter_mut().find(|job| job.name == name) {
            Some(job) => job.ran_at = ran_at,
            None => jobs.push(Heartbeat { name, period, is_essential, ran_at }),
        }
    }

    /// Whether the jobs that have begun run.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse_at(now())
    }

    fn pulse_at(&self, now: Instant) -> Pulse {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let late =
            jobs.iter().filter(|job| now.saturating_duration_since(job.ran_at) > job.period * LATE_AFTER_PERIODS);
        let pulse = late.map(|job| if job.is_essential { Pulse::Stalled } else { Pulse::Late }).max();
        pulse.unwrap_or(Pulse::Regular)
    }
}

/// The clock of the runtime, which is never set.
#[expect(clippy::disallowed_methods, reason = "periods are measured by the runtime's clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Heartbeats, Pulse, now};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_job_is_late_after_fifteen_periods() {
        let (jobs, start) = (Heartbeats::default(), now());
        assert_eq!(jobs.pulse(), Pulse::Regular, "none has begun");
        jobs.note_at("purge", SECOND, false, start);
        jobs.note_at("refresh_signing_keys", 2 * SECOND, true, start);
        assert_eq!(jobs.pulse_at(start + 15 * SECOND), Pulse::Regular);
        assert_eq!(jobs.pulse_at(start + 16 * SECOND), Pulse::Late);
        assert_eq!(jobs.pulse_at(start + 31 * SECOND), Pulse::Stalled);
        jobs.note_at("refresh_signing_keys", 2 * SECOND, true, start + 31 * SECOND);
        assert_eq!(jobs.pulse_at(start + 31 * SECOND), Pulse::Late);
        jobs.note_at("purge", SECOND, false, start + 31 * SECOND);
        assert_eq!(jobs.pulse_at(start + 31 * SECOND), Pulse::Regular);
    }
}
