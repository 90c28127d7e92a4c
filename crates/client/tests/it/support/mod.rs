//! An issuer with keys of its own, a clock that stands still, and a transport that is scripted.

mod issuer;
mod net;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen_client::{Clock, Verifier, VerifierBuilder};

pub(crate) use issuer::{Alg, Issuer};
pub(crate) use net::{Net, Reply};

pub(crate) const ISSUER: &str = "https://accounts.example.com";
pub(crate) const AUDIENCE: &str = "denizen";
/// The time at which tests begin.
pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const USER: &str = "01a20480-cb21-74a3-927c-8c597a1539c8";
pub(crate) const SESSION: &str = "01a20480-cd0d-7ef8-9a3f-6b05e0590813";
pub(crate) const API_KEY: &str = "01a20480-d111-7aaa-8bbb-0123456789ab";

/// Time that passes when a test says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestClock(Arc<Mutex<Duration>>);

impl TestClock {
    pub(crate) fn advance(&self, by_s: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(by_s);
    }
}

impl Clock for TestClock {
    fn unix_time(&self) -> Duration {
        Duration::from_secs(NOW_S) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// A verifier over a network, and the clock of both.
pub(crate) struct Fixture {
    pub(crate) verifier: Verifier,
    pub(crate) clock: TestClock,
    pub(crate) net: Net,
    pub(crate) issuer: &'static Issuer,
}

impl Fixture {
    /// With the defaults.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With other settings.
    pub(crate) fn with(configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let (clock, net, issuer) = (TestClock::default(), Net::default(), Issuer::shared());
        net.serve_issuer(issuer);
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).clock(clock.clone()).transport(net.clone());
        Self { verifier: configure(builder).build().unwrap(), clock, net, issuer }
    }
}
