//! Drift: the database differs from the files that describe it.
//!
//! Every node compares; of the nodes that find the same, one records it. Which one is decided by the database, with a
//! budget that admits one event for each pair of the last event and what was found.

use crate::budgets::BudgetKey;
use crate::budgets::store::Window;
use crate::ctx::Services;
use crate::error::Result;
use crate::events::store::RecordFilter;
use crate::events::{EventType, Happened, record_system};
use crate::value::Value;

/// What the events are about.
const SUBJECT: &str = "configuration";
/// How many resources an event names.
const NAMED_MAX: usize = 50;
/// How long another node may take to find the same, in seconds.
const CLAIMED_S: u32 = 24 * 60 * 60;
/// How long a digest is, in bytes.
const DIGEST_BYTES: usize = 16;
/// How many events are read at once.
const PAGE: u32 = 200;

/// What the log says of drift, as far as it was read.
#[derive(Debug, Default)]
pub struct DriftLog {
    read_to: i64,
    last: Option<String>,
}

/// The result of a comparison: the resources that differ, and a text that changes when their differences do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Names such as `role editor`.
    pub resources: Vec<String>,
    /// What differs. Only a digest of it is recorded.
    pub details: String,
}

impl DriftLog {
    /// Records drift that is new or has changed, and its end. Returns whether this call recorded it.
    pub async fn note(&mut self, services: &Services, found: &Comparison) -> Result<bool> {
        self.catch_up(services).await?;
        let digest = (!found.resources.is_empty()).then(|| digest(services, &found.details));
        if self.last == digest {
            return Ok(false);
        }
        let now = services.clock.now();
        let transition = format!("{} {}", self.read_to, digest.as_deref().unwrap_or_default());
        let key = BudgetKey::from_bytes(services.vault.mac("configuration drift claim", transition.as_bytes()));
        let mut tx = services.store.write().await?;
        let claim = Window { key, amount: 1, limit: 1, period_s: CLAIMED_S };
        if !tx.spend_window(&claim, now).await? {
            return Ok(false);
        }
        let happened = match digest {
            Some(digest) => Happened::ConfigurationDrifted { resources: named(&found.resources), digest },
            None => Happened::ConfigurationDriftResolved {},
        };
        record_system(services, &mut *tx, SUBJECT, happened);
        tx.commit().await?;
        Ok(true)
    }

    /// Reads the events that were recorded since.
    async fn catch_up(&mut self, services: &Services) -> Result<()> {
        services.store.seal_events().await?;
        let mut tx = services.store.snapshot().await?;
        let bounds = tx.log_bounds().await?;
        if self.read_to > bounds.head {
            // The database was restored to an earlier state.
            *self = Self::default();
        }
        let kinds = [EventType::ConfigurationDrifted, EventType::ConfigurationDriftResolved];
        let filter = RecordFilter {
            kinds: Some(kinds.map(EventType::as_str).to_vec()),
            about: Some(SUBJECT.to_owned()),
            ..RecordFilter::default()
        };
        let mut after = self.read_to.max(bounds.floor);
        loop {
            let events = tx.find_events(&filter, after, bounds.head, PAGE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.position;
            self.read_to = last.position;
            self.last = match last.data.get("digest") {
                Some(Value::String(digest)) => Some(digest.clone()),
                _ => None,
            };
        }
    }
}

/// The names of at most 50 resources; the last one says how many more there are.
#[must_use]
pub fn named(resources: &[String]) -> Vec<String> {
    let mut named: Vec<String> = resources.iter().take(NAMED_MAX).cloned().collect();
    let rest = resources.len() - named.len();
    if rest > 0 {
        named.push(format!("and {rest} more"));
    }
    named
}

fn digest(services: &Services, details: &str) -> String {
    let mac = services.vault.mac("configuration drift", details.as_bytes());
    let (start, _) = mac.split_at(DIGEST_BYTES);
    start.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_event_names_a_bounded_number_of_resources() {
        let resources: Vec<String> = (0..52).map(|number| format!("role r{number}")).collect();
        let named = named(&resources);
        assert_eq!((named.len(), named[50].as_str()), (51, "and 2 more"));
        assert_eq!(super::named(&resources[..50]).len(), 50);
    }
}
