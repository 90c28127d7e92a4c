//! Counts of the data that an import does not carry over.

use std::collections::BTreeMap;

/// How many kinds are counted by name. Names of roles come from the files.
const KINDS_MAX: usize = 200;
const FURTHER: &str = "further kinds of data";

/// Counts of the data that could not be carried over, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    counts: BTreeMap<String, u64>,
    users: u64,
    faulty: u64,
}

impl Report {
    pub(crate) fn count(&mut self, kind: &str) {
        self.count_many(kind, 1);
    }

    pub(crate) fn count_many(&mut self, kind: &str, by: u64) {
        if by == 0 {
            return;
        }
        let kind = if self.counts.len() < KINDS_MAX || self.counts.contains_key(kind) { kind } else { FURTHER };
        *self.counts.entry(kind.to_owned()).or_default() += by;
    }

    pub(crate) fn add_row(&mut self, is_faulty: bool) {
        *if is_faulty { &mut self.faulty } else { &mut self.users } += 1;
    }

    /// How many users were read.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.users
    }

    /// How many records had faults.
    #[must_use]
    pub fn faulty(&self) -> u64 {
        self.faulty
    }

    /// The counts, by kind such as `second factors: not exported by Auth0`.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// One line for each kind, such as `12 second factors: not exported by Auth0`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.counts().map(|(kind, count)| format!("{count} {kind}"))
    }
}
