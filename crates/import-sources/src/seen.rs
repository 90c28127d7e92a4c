//! Addresses of earlier records.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};

/// Where an address was read first.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    pub(crate) file: u32,
    pub(crate) line: u64,
}

/// Digests of addresses: about 40 bytes for each user.
#[derive(Default)]
pub(crate) struct Seen(HashMap<(u64, u64), Location>);

impl Seen {
    /// Records an address; or returns where it was read before.
    pub(crate) fn insert(&mut self, email: &str, location: Location) -> Option<Location> {
        let email = email.trim().to_lowercase();
        let digest = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &email).hash(&mut hasher);
            hasher.finish()
        };
        match self.0.entry((digest(0), digest(1))) {
            Entry::Occupied(earlier) => Some(*earlier.get()),
            Entry::Vacant(free) => {
                free.insert(location);
                None
            }
        }
    }
}
