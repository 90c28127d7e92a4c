//! The last records of the log, shared by all who follow it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use denizen_domain::events::{Event, EventType};
use denizen_domain::ports::Vault;

use crate::http::events::body::{EventBody, cursor};

/// How many records are taken from the window at once.
const TAKEN_AT_ONCE: usize = 64;

/// A record on its way to followers, with its JSON made once for all of them.
pub(crate) struct Told {
    /// The record.
    pub(crate) event: Event,
    /// Its type, unless another release wrote it.
    pub(crate) kind: Option<EventType>,
    json: OnceLock<Bytes>,
    message: OnceLock<Utf8Bytes>,
    lines: OnceLock<Bytes>,
}

impl Told {
    pub(super) fn new(event: Event) -> Arc<Self> {
        let kind = EventType::parse(&event.kind);
        Arc::new(Self { event, kind, json: OnceLock::new(), message: OnceLock::new(), lines: OnceLock::new() })
    }

    /// The event as a message of a WebSocket.
    pub(crate) fn message(&self, vault: &dyn Vault) -> Utf8Bytes {
        let make = || {
            let json = self.json(vault);
            let json = std::str::from_utf8(&json).expect("JSON is UTF-8");
            Utf8Bytes::from(format!("{{\"type\":\"event\",\"event\":{json}}}"))
        };
        self.message.get_or_init(make).clone()
    }

    /// The event as server-sent events write it (HTML, §9.2.5). JSON has no line break.
    pub(crate) fn lines(&self, vault: &dyn Vault) -> Bytes {
        let make = || {
            let mut lines = format!("id: {}\nevent: {}\ndata: ", cursor(vault, self.event.position), self.event.kind);
            lines.push_str(std::str::from_utf8(&self.json(vault)).expect("JSON is UTF-8"));
            lines.push_str("\n\n");
            Bytes::from(lines)
        };
        self.lines.get_or_init(make).clone()
    }

    fn json(&self, vault: &dyn Vault) -> Bytes {
        let make = || {
            let body = EventBody::new(vault, self.event.clone());
            Bytes::from(serde_json::to_vec(&body).expect("an event serialises"))
        };
        self.json.get_or_init(make).clone()
    }
}

/// The last records, without a gap.
pub(super) struct Window {
    records: RwLock<VecDeque<Arc<Told>>>,
    capacity: usize,
}

/// What there is after a place in the log.
pub(super) enum After {
    /// These records.
    Records(Vec<Arc<Told>>),
    /// Nothing yet.
    Nothing,
    /// Records that are no longer in the window, or never were.
    Older,
}

impl Window {
    pub(super) fn new(capacity: usize) -> Self {
        Self { records: RwLock::default(), capacity }
    }

    /// Adds records that follow on the last one.
    pub(super) fn push(&self, events: Vec<Event>) {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        records.extend(events.into_iter().map(Told::new));
        let surplus = records.len().saturating_sub(self.capacity);
        records.drain(..surplus);
    }

    /// What there is after a record, when the log goes up to `head`.
    pub(super) fn after(&self, position: i64, head: i64) -> After {
        if position >= head {
            return After::Nothing;
        }
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = records.front().map(|first| first.event.position) else { return After::Older };
        let Ok(skipped) = usize::try_from(position + 1 - first) else { return After::Older };
        After::Records(records.iter().skip(skipped).take(TAKEN_AT_ONCE).cloned().collect())
    }

    /// Whether what there is after a record can still be had here, when the log goes up to `head`.
    pub(super) fn keeps(&self, position: i64, head: i64) -> bool {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        position >= head || records.front().is_some_and(|first| first.event.position <= position + 1)
    }
}
