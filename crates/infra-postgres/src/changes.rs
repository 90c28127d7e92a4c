//! What was changed of what is remembered, and how other nodes are told.

use std::collections::HashSet;

use uuid::Uuid;

pub(crate) use crate::shared::changes::Changes;
use crate::shared::changes::NAMED_MAX;

/// The channel on which nodes tell each other. Channels belong to one database.
pub(crate) const CHANNEL: &str = "denizen_changes";
/// The channel on which nodes tell how far the log of events goes.
pub(crate) const EVENTS_CHANNEL: &str = "denizen_events";
/// What PostgreSQL takes as the text of one notification, in bytes.
const PAYLOAD_BYTES_MAX: usize = 7_999;
/// How everything is told.
const EVERYTHING: &str = "*";

/// The statement that notifies other nodes of this [payload](Changes::payload), which has only digits, letters and spaces,
/// or is an asterisk.
pub(crate) fn notify(payload: &str) -> String {
    format!("SELECT pg_notify('{CHANNEL}', '{payload}')")
}

impl Changes {
    /// As one text; nothing when there is nothing to tell.
    pub(crate) fn payload(&self) -> Option<String> {
        const { assert!(NAMED_MAX * (uuid::fmt::Simple::LENGTH + 1) <= PAYLOAD_BYTES_MAX) };
        match self {
            Self::Of(ids) if ids.is_empty() => None,
            Self::Of(ids) => Some(ids.iter().map(|id| id.simple().to_string()).collect::<Vec<_>>().join(" ")),
            Self::Everything => Some(EVERYTHING.to_owned()),
        }
    }

    /// The texts for all of these together: ids once each, so many in a text as one notification takes.
    pub(crate) fn payloads(changes: &[Self]) -> Vec<String> {
        let mut batches = vec![Self::new()];
        let mut seen = HashSet::new();
        for changes in changes {
            let Self::Of(ids) = changes else { return vec![EVERYTHING.to_owned()] };
            for &id in ids.iter().filter(|&&id| seen.insert(id)) {
                if matches!(batches.last(), Some(Self::Of(last)) if last.len() == NAMED_MAX) {
                    batches.push(Self::new());
                }
                if let Some(last) = batches.last_mut() {
                    last.add(id);
                }
            }
        }
        batches.iter().filter_map(Self::payload).collect()
    }

    /// Reads what a node told. What this release cannot read may be anything.
    pub(crate) fn parse(payload: &str) -> Self {
        let ids: Result<Vec<Uuid>, _> = payload.split(' ').map(Uuid::try_parse).collect();
        ids.map_or(Self::Everything, Self::Of)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Changes, NAMED_MAX};

    fn changes(count: usize) -> Changes {
        let mut changes = Changes::new();
        for n in 0..count {
            changes.add(Uuid::from_u128(n as u128));
        }
        changes
    }

    #[test]
    fn what_is_told_is_what_is_heard() {
        assert_eq!(changes(0).payload(), None);
        for count in [1, 2, NAMED_MAX, NAMED_MAX + 1] {
            let payload = changes(count).payload().unwrap();
            assert!(payload.len() < 7_900);
            assert_eq!(Changes::parse(&payload), changes(count));
        }
        assert_eq!(changes(NAMED_MAX + 1), Changes::Everything);
    }

    #[test]
    fn changes_of_many_transactions_are_sent_together_and_once() {
        assert_eq!(Changes::payloads(&[]), [""; 0]);
        assert_eq!(Changes::payloads(&[Changes::new(), changes(1), changes(2)]), [changes(2).payload().unwrap()]);
        assert_eq!(Changes::payloads(&[changes(1), changes(NAMED_MAX + 1), changes(2)]), ["*"]);
        let others = Changes::Of((0..NAMED_MAX).map(|n| Uuid::from_u128(1_000 + n as u128)).collect());
        let payloads = Changes::payloads(&[changes(3), others]);
        let read: Vec<Changes> = payloads.iter().map(|payload| Changes::parse(payload)).collect();
        let counts: Vec<usize> = read.iter().map(|of| if let Changes::Of(ids) = of { ids.len() } else { 0 }).collect();
        assert_eq!(counts, [NAMED_MAX, 3]);
    }

    #[test]
    fn what_cannot_be_read_may_be_anything() {
        for payload in ["", "*", "role:admin", "0 "] {
            assert_eq!(Changes::parse(payload), Changes::Everything, "{payload:?}");
        }
    }
}
