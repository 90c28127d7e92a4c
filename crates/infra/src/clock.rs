//! The real time and chance.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use denizen_domain::ports::{Clock, Random};
use denizen_domain::time::Timestamp;

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The cryptographic generator of AWS-LC, seeded by the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Random for SystemChance {
    fn fill(&self, buffer: &mut [u8]) {
        SystemRandom::new().fill(buffer).expect("the system's generator does not fail once it is seeded");
    }
}
