//! Which connections may be open: so many in all and per address. Room is made by closing one that waits for a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Limits, Server};
use crate::descriptors;
use crate::middleware::{ConnectionState, Trusted, key_of};

/// How many connections there may be beyond the limits, on which only health checks are answered.
const RESERVE: usize = 32;

/// The open connections.
pub(super) struct ConnectionLimiter {
    open: Mutex<Open>,
    in_all: usize,
    per_address: usize,
    reserve: usize,
    trusted: Trusted,
}

#[derive(Default)]
struct Open {
    counted: Group,
    reserve: Group,
    next_id: u64,
}

/// Connections by address.
#[derive(Default)]
struct Group {
    by_address: HashMap<u64, Address>,
    count: usize,
}

#[derive(Default)]
struct Address {
    connections: HashMap<u64, Arc<ConnectionState>>,
    is_trusted: bool,
}

/// An open connection: counted for as long as this lives, unless it was evicted.
pub(super) struct OpenConnection {
    limiter: Arc<ConnectionLimiter>,
    address: u64,
    id: u64,
    state: Arc<ConnectionState>,
}

impl ConnectionLimiter {
    pub(super) fn new(limits: &Limits, server: &Server) -> Self {
        let in_all = descriptors::bound_connections(limits.connections) as usize;
        let per_address = match limits.address_connections {
            0 => in_all.div_ceil(4),
            configured => configured as usize,
        };
        let trusted = Trusted::new(server.trusted_proxies.clone());
        Self { open: Mutex::default(), in_all, per_address, reserve: RESERVE, trusted }
    }

    /// Counts a new connection. One that waits for a request is closed where it is needed: of the same address when that has
    /// as many as it may, else of the address with the most. When there is none, the new one goes to the reserve.
    pub(super) fn open(self: &Arc<Self>, peer: IpAddr) -> OpenConnection {
        let address = key_of(peer);
        let is_trusted = self.trusted.contains(peer.to_canonical());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = open.next_id;
        open.next_id += 1;
        let state = if self.make_room(&mut open.counted, address, is_trusted) {
            let state = Arc::new(ConnectionState::new());
            open.counted.insert(address, is_trusted, id, &state);
            state
        } else {
            let state = Arc::new(ConnectionState::in_reserve());
            if open.reserve.count >= self.reserve {
                open.reserve.evict_any();
            }
            open.reserve.insert(address, is_trusted, id, &state);
            state
        };
        OpenConnection { limiter: Arc::clone(self), address, id, state }
    }

    /// Closes connections that wait for a request, to free file descriptors.
    pub(super) fn evict_idle(&self, count: usize) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            if !open.counted.evict_from_largest(0, Among::All) {
                return;
            }
        }
    }

    fn make_room(&self, counted: &mut Group, address: u64, is_trusted: bool) -> bool {
        let own = counted.by_address.get(&address).map_or(0, |address| address.connections.len());
        if !is_trusted && own >= self.per_address {
            return counted.evict_from(address);
        }
        if counted.count < self.in_all {
            return true;
        }
        let among = if is_trusted { Among::All } else { Among::Strangers };
        counted.evict_from_largest(own, among)
    }

    fn close(&self, address: u64, id: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.counted.remove(address, id) {
            open.reserve.remove(address, id);
        }
    }
}

/// Whose connections may be closed.
#[derive(Clone, Copy, PartialEq)]
enum Among {
    All,
    /// Not those of trusted proxies.
    Strangers,
}

impl Group {
    fn insert(&mut self, address: u64, is_trusted: bool, id: u64, state: &Arc<ConnectionState>) {
        let at = self.by_address.entry(address).or_default();
        at.is_trusted = is_trusted;
        at.connections.insert(id, Arc::clone(state));
        self.count += 1;
    }

    fn remove(&mut self, address: u64, id: u64) -> bool {
        let Some(at) = self.by_address.get_mut(&address) else { return false };
        let is_there = at.connections.remove(&id).is_some();
        if is_there {
            self.count -= 1;
        }
        if at.connections.is_empty() {
            self.by_address.remove(&address);
        }
        is_there
    }

    fn evict(&mut self, address: u64, id: u64) {
        let state = self.by_address.get(&address).and_then(|at| at.connections.get(&id)).cloned();
        if let Some(state) = state {
            state.evict();
            self.remove(address, id);
        }
    }

    /// Closes the connection of an address that has been quiet for longest; `false` when all are in use.
    fn evict_from(&mut self, address: u64) -> bool {
        let found = self.by_address.get(&address).and_then(Address::quietest);
        if let Some((id, _)) = found {
            self.evict(address, id);
        }
        found.is_some()
    }

    /// The same at the address with the most connections. One with fewer than `own` gives none: a client with many addresses
    /// does not take the connections of those with few.
    fn evict_from_largest(&mut self, own: usize, among: Among) -> bool {
        let mut best: Option<(usize, std::cmp::Reverse<tokio::time::Instant>, u64, u64)> = None;
        for (address, at) in &self.by_address {
            let size = at.connections.len();
            let is_candidate = size >= own && (among == Among::All || !at.is_trusted);
            if !is_candidate || best.as_ref().is_some_and(|(largest, ..)| size < *largest) {
                continue;
            }
            let Some((id, since)) = at.quietest() else { continue };
            let candidate = (size, std::cmp::Reverse(since), *address, id);
            if best.as_ref().is_none_or(|best| candidate > *best) {
                best = Some(candidate);
            }
        }
        if let Some((_, _, address, id)) = best {
            self.evict(address, id);
        }
        best.is_some()
    }

    /// Closes the oldest connection of the address with the most, whatever happens on it.
    fn evict_any(&mut self) {
        let largest = self.by_address.iter().max_by_key(|(_, at)| at.connections.len());
        let oldest = largest.and_then(|(address, at)| at.connections.keys().min().map(|id| (*address, *id)));
        if let Some((address, id)) = oldest {
            self.evict(address, id);
        }
    }
}

impl Address {
    /// The connection that has been quiet for longest, of those that wait for a request.
    fn quietest(&self) -> Option<(u64, tokio::time::Instant)> {
        let waiting = self.connections.iter().filter(|(_, state)| state.is_evictable());
        waiting.map(|(id, state)| (*id, state.quiet_since())).min_by_key(|(id, since)| (*since, *id))
    }
}

impl OpenConnection {
    /// What is known of it.
    pub(super) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.limiter.close(self.address, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::middleware::Exchange;
    use futures_util::FutureExt;

    fn limiter(in_all: usize, per_address: usize) -> Arc<ConnectionLimiter> {
        let trusted = Trusted::new(vec!["10.0.0.0/8".parse().unwrap()]);
        Arc::new(ConnectionLimiter { open: Mutex::default(), in_all, per_address, reserve: 2, trusted })
    }

    fn open(limiter: &Arc<ConnectionLimiter>, peer: &str) -> OpenConnection {
        limiter.open(peer.parse().unwrap())
    }

    fn is_evicted(connection: &OpenConnection) -> bool {
        connection.state.evicted().now_or_never().is_some()
    }

    /// A connection on which the server works on a request.
    fn busy(limiter: &Arc<ConnectionLimiter>, peer: &str) -> (OpenConnection, Arc<Exchange>) {
        let connection = open(limiter, peer);
        let exchange = Exchange::begin(&connection.state);
        exchange.receive();
        (connection, exchange)
    }

    #[tokio::test]
    async fn an_address_with_all_of_its_connections_gives_up_its_quietest() {
        let limiter = limiter(10, 2);
        let (first, second) = (open(&limiter, "192.0.2.1"), open(&limiter, "192.0.2.1"));
        let third = open(&limiter, "192.0.2.1");
        assert!(is_evicted(&first) && !is_evicted(&second) && !third.state.is_in_reserve());
        let proxied: Vec<_> = (0..4).map(|_| open(&limiter, "10.0.0.1")).collect();
        assert!(!proxied.iter().any(is_evicted), "a trusted proxy may have all");
    }

    #[tokio::test]
    async fn whoever_has_most_makes_room() {
        let limiter = limiter(4, 3);
        let large: Vec<_> = (0..3).map(|_| open(&limiter, "192.0.2.1")).collect();
        let (small, _work) = busy(&limiter, "192.0.2.2");
        let newcomer = open(&limiter, "192.0.2.3");
        assert!(is_evicted(&large[0]) && !is_evicted(&small) && !newcomer.state.is_in_reserve());
        drop((large, small, newcomer));
        assert_eq!(limiter.open.lock().unwrap().counted.count, 0);
        assert!(limiter.open.lock().unwrap().counted.by_address.is_empty());
    }

    #[tokio::test]
    async fn the_reserve_is_for_health_checks_and_always_has_room() {
        let limiter = limiter(2, 2);
        let _busy = [busy(&limiter, "192.0.2.1"), busy(&limiter, "192.0.2.1")];
        let flood: Vec<_> = (0..3).map(|_| open(&limiter, "192.0.2.1")).collect();
        assert!(flood.iter().all(|connection| connection.state.is_in_reserve()));
        assert!(is_evicted(&flood[0]) && !is_evicted(&flood[1]));
        let check = open(&limiter, "192.0.2.9");
        assert!(check.state.is_in_reserve() && is_evicted(&flood[1]));
        let another = open(&limiter, "192.0.2.1");
        assert!(another.state.is_in_reserve());
    }

    #[tokio::test]
    async fn many_connections_do_not_take_those_of_others() {
        let limiter = limiter(3, 3);
        let _busy = [busy(&limiter, "192.0.2.1"), busy(&limiter, "192.0.2.1")];
        let alone = open(&limiter, "192.0.2.2");
        let third = open(&limiter, "192.0.2.1");
        assert!(third.state.is_in_reserve() && !is_evicted(&alone));
    }
}
