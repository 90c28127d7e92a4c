//! Cache of provider documents: concurrent requests share one fetch; a document is used until it expires, and beyond that
//! while the provider is unavailable.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use denizen_domain::ports::Clock;
use denizen_domain::time::Timestamp;

use super::failure::Failure;

/// How many documents are kept.
const DOCUMENTS_MAX: usize = 256;
/// How long a failure is answered without another request, in seconds.
const FAILURE_S: u32 = 5;
/// How long a document is used beyond its lifetime while it cannot be fetched, in seconds.
const STALE_S: u32 = 24 * 3_600;
/// The shortest time between two requests that are made although the document is fresh, in seconds.
const FORCED_INTERVAL_S: u32 = 60;
/// The bounds of a document's lifetime, in seconds.
const LIFETIME_S: (u32, u32) = (300, 24 * 3_600);

/// A document and how long it may be used.
#[derive(Debug)]
pub(super) struct Fetched<T> {
    /// The document.
    pub(super) value: T,
    /// How long it may be used, in seconds; clamped to five minutes … 24 hours.
    pub(super) lifetime_s: u32,
}

/// What the caller expects of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// A fresh one; a stale one only if it cannot be fetched.
    Fresh,
    /// At once, if there is any: a stale one is refreshed in the background.
    AtOnce,
    /// A newer one than there is, but at most one request a minute.
    Newer,
}

/// A bounded cache of documents.
pub(super) struct Cache<T> {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<String, Arc<Slot<T>>>>,
}

struct Slot<T> {
    state: Mutex<State<T>>,
    /// Held by the one task that fetches.
    flight: tokio::sync::Mutex<()>,
}

struct State<T> {
    kept: Option<Kept<T>>,
    failed: Option<(Timestamp, Failure)>,
    forced_at: Option<Timestamp>,
}

struct Kept<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
    lifetime_s: u32,
}

enum Decision<T> {
    Use(Arc<T>),
    UseAndRefresh(Arc<T>),
    Fail(Failure),
    Fetch,
}

impl<T: Send + Sync + 'static> Cache<T> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, slots: Mutex::default() }
    }

    /// The document under this key, fetched if necessary. Once begun, a request is completed even if the caller disconnects.
    pub(super) async fn get<F>(
        &self,
        key: &str,
        demand: Demand,
        fetch: impl FnOnce() -> F + Send,
    ) -> Result<Arc<T>, Failure>
    where
        F: Future<Output = Result<Fetched<T>, Failure>> + Send + 'static,
    {
        let slot = self.slot(key);
        match slot.decide(self.clock.now(), demand) {
            Decision::Use(value) => return Ok(value),
            Decision::Fail(failure) => return Err(failure),
            Decision::UseAndRefresh(value) => {
                if slot.flight.try_lock().is_ok() {
                    tokio::spawn(refresh(slot, Arc::clone(&self.clock), Demand::Fresh, fetch()));
                }
                return Ok(value);
            }
            Decision::Fetch => {}
        }
        let task = tokio::spawn(refresh(slot, Arc::clone(&self.clock), demand, fetch()));
        task.await.unwrap_or_else(|_| Err(Failure::Unavailable("the request was aborted".to_owned())))
    }

    /// Whether [`Demand::AtOnce`] is answered without a request.
    pub(super) fn has(&self, key: &str) -> bool {
        let slot = self.slot(key);
        matches!(slot.decide(self.clock.now(), Demand::AtOnce), Decision::Use(_) | Decision::UseAndRefresh(_))
    }

    fn slot(&self, key: &str) -> Arc<Slot<T>> {
        let mut slots = locked(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= DOCUMENTS_MAX {
            // As many providers are not expected; any entry is fetched again when it is needed.
            let victim = slots.iter().find(|(_, slot)| Arc::strong_count(slot) == 1).map(|(key, _)| key.clone());
            victim.and_then(|victim| slots.remove(&victim));
        }
        let slot = Arc::new(Slot {
            state: Mutex::new(State { kept: None, failed: None, forced_at: None }),
            flight: tokio::sync::Mutex::default(),
        });
        slots.insert(key.to_owned(), Arc::clone(&slot));
        slot
    }
}

async fn refresh<T>(
    slot: Arc<Slot<T>>,
    clock: Arc<dyn Clock>,
    demand: Demand,
    fetch: impl Future<Output = Result<Fetched<T>, Failure>>,
) -> Result<Arc<T>, Failure> {
    let _flight = slot.flight.lock().await;
    // Another task may have fetched the document in the meantime.
    match slot.decide(clock.now(), demand) {
        Decision::Use(value) | Decision::UseAndRefresh(value) => return Ok(value),
        Decision::Fail(failure) => return Err(failure),
        Decision::Fetch => {}
    }
    if demand == Demand::Newer {
        locked(&slot.state).forced_at = Some(clock.now());
    }
    let outcome = fetch.await;
    let now = clock.now();
    let mut state = locked(&slot.state);
    match outcome {
        Ok(Fetched { value, lifetime_s }) => {
            let value = Arc::new(value);
            let lifetime_s = lifetime_s.clamp(LIFETIME_S.0, LIFETIME_S.1);
            state.kept = Some(Kept { value: Arc::clone(&value), fetched_at: now, lifetime_s });
            state.failed = None;
            Ok(value)
        }
        Err(failure) => {
            state.failed = Some((now, failure.clone()));
            state.stale(now).ok_or(failure)
        }
    }
}

impl<T> Slot<T> {
    fn decide(&self, now: Timestamp, demand: Demand) -> Decision<T> {
        let state = locked(&self.state);
        let fresh = state.kept.as_ref().filter(|kept| kept.fetched_at.is_within(kept.lifetime_s, now));
        if let Some(fresh) = fresh {
            let was_forced = state.forced_at.is_some_and(|forced_at| forced_at.is_within(FORCED_INTERVAL_S, now));
            if demand != Demand::Newer || was_forced {
                return Decision::Use(Arc::clone(&fresh.value));
            }
        }
        let outdated = state.stale(now);
        if let Some((failed_at, failure)) = &state.failed
            && failed_at.is_within(FAILURE_S, now)
        {
            return outdated.map_or_else(|| Decision::Fail(failure.clone()), Decision::Use);
        }
        match outdated {
            Some(value) if demand == Demand::AtOnce => Decision::UseAndRefresh(value),
            _ => Decision::Fetch,
        }
    }
}

impl<T> State<T> {
    /// The last document, if it is not too old to be used while the provider fails.
    fn stale(&self, now: Timestamp) -> Option<Arc<T>> {
        let kept = self.kept.as_ref()?;
        kept.fetched_at.is_within(kept.lifetime_s + STALE_S, now).then(|| Arc::clone(&kept.value))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use denizen_testkit::FakeClock;

    struct Fixture {
        clock: Arc<FakeClock>,
        cache: Cache<u32>,
        requests: Arc<AtomicU32>,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Arc::new(FakeClock::default());
            let cache = Cache::new(Arc::clone(&clock) as Arc<dyn Clock>);
            Self { clock, cache, requests: Arc::default() }
        }

        async fn get(&self, demand: Demand, has_failed: Option<()>) -> Result<u32, Failure> {
            let requests = Arc::clone(&self.requests);
            let fetch = || async move {
                tokio::task::yield_now().await;
                let value = requests.fetch_add(1, Ordering::SeqCst) + 1;
                match has_failed {
                    Some(()) => Err(Failure::Unavailable(format!("request {value}"))),
                    None => Ok(Fetched { value, lifetime_s: 1 }),
                }
            };
            self.cache.get("key", demand, fetch).await.map(|value| *value)
        }
    }

    #[tokio::test]
    async fn a_document_is_fetched_once_for_all_who_wait() {
        let fixture = Fixture::new();
        let all = futures_of(&fixture).await;
        assert!(all.into_iter().all(|value| value == Ok(1)));
    }

    async fn futures_of(fixture: &Fixture) -> Vec<Result<u32, Failure>> {
        let (a, b, c) = tokio::join!(
            fixture.get(Demand::Fresh, None),
            fixture.get(Demand::AtOnce, None),
            fixture.get(Demand::Fresh, None)
        );
        vec![a, b, c]
    }

    #[tokio::test]
    async fn a_lifetime_is_at_least_five_minutes() {
        let fixture = Fixture::new();
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(1));
        fixture.clock.advance_s(299);
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(1));
        fixture.clock.advance_s(1);
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(2));
    }

    #[tokio::test]
    async fn a_failure_is_answered_for_seconds_only_and_the_last_document_for_a_day() {
        let fixture = Fixture::new();
        let failed = Err(Failure::Unavailable("request 1".to_owned()));
        assert_eq!(fixture.get(Demand::Fresh, Some(())).await, failed);
        assert_eq!(fixture.get(Demand::Fresh, None).await, failed);
        fixture.clock.advance_s(5);
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(2));
        fixture.clock.advance_s(300 + 24 * 3_600 - 1);
        assert_eq!(fixture.get(Demand::Fresh, Some(())).await, Ok(2));
        fixture.clock.advance_s(5);
        assert_eq!(fixture.get(Demand::Fresh, Some(())).await, Err(Failure::Unavailable("request 4".to_owned())));
    }

    #[tokio::test]
    async fn a_newer_document_is_requested_once_a_minute() {
        let fixture = Fixture::new();
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(1));
        assert_eq!(fixture.get(Demand::Newer, None).await, Ok(2));
        fixture.clock.advance_s(59);
        assert_eq!(fixture.get(Demand::Newer, None).await, Ok(2));
        fixture.clock.advance_s(1);
        assert_eq!(fixture.get(Demand::Newer, None).await, Ok(3));
    }

    #[tokio::test]
    async fn a_stale_document_is_answered_at_once_and_refreshed_behind() {
        let fixture = Fixture::new();
        assert_eq!(fixture.get(Demand::AtOnce, None).await, Ok(1));
        fixture.clock.advance_s(600);
        assert!(fixture.cache.has("key") && !fixture.cache.has("other"));
        assert_eq!(fixture.get(Demand::AtOnce, None).await, Ok(1));
        while fixture.requests.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fixture.get(Demand::Fresh, None).await, Ok(2));
    }

    #[tokio::test]
    async fn the_number_of_documents_is_bounded() {
        let fixture = Fixture::new();
        for key in 0..DOCUMENTS_MAX * 2 {
            assert!(!fixture.cache.has(&key.to_string()));
        }
        assert_eq!(locked(&fixture.cache.slots).len(), DOCUMENTS_MAX);
    }
}
