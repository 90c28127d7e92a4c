//! What one client address may have under way at once: requests, and bytes of their bodies in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::address::ClientAddress;
use crate::config::Limits;
use crate::http::problem::Problem;

/// Clients are spread over so many locks.
const SHARDS: usize = 16;
/// How many requests one address may have under way at least, unless it is configured.
const REQUESTS_PER_CLIENT_MIN: u32 = 16;
/// How many health checks one address may have under way.
const PROBES_PER_CLIENT_MAX: u32 = 64;
/// How many bytes of request bodies of one address are in memory at most, unless `limits.body_bytes` is larger.
const BODY_BYTES_PER_CLIENT_MIN: u64 = 16 * 1024 * 1024;
/// How many addresses may have that much at the same time.
const FULL_CLIENTS: u64 = 8;
/// When it is worth trying again, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// What all clients have under way.
#[derive(Debug)]
pub(super) struct Clients {
    shards: [Mutex<HashMap<u64, Usage>>; SHARDS],
    requests_max: u32,
    body_bytes_max: u64,
    body_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Usage {
    requests: u32,
    body_bytes: u64,
}

/// One request, counted against its client for as long as this lives.
#[derive(Debug)]
pub(super) struct ClientShare {
    clients: Arc<Clients>,
    client: u64,
    body_bytes: u64,
}

impl Clients {
    pub(super) fn new(limits: &Limits) -> Self {
        let requests_max = match limits.address_requests {
            0 => limits.concurrent_requests.div_ceil(2).max(REQUESTS_PER_CLIENT_MIN),
            configured => configured,
        };
        Self {
            shards: Default::default(),
            requests_max,
            body_bytes_max: BODY_BYTES_PER_CLIENT_MIN.max(limits.body_bytes.into()),
            body_bytes: AtomicU64::new(0),
        }
    }

    /// Those of health checks, of which a client needs few at once.
    pub(super) fn of_probes() -> Self {
        Self {
            shards: Default::default(),
            requests_max: PROBES_PER_CLIENT_MAX,
            body_bytes_max: BODY_BYTES_PER_CLIENT_MIN,
            body_bytes: AtomicU64::new(0),
        }
    }

    /// Counts one more request of a client.
    ///
    /// # Errors
    /// 429 when the client has as many under way as it may.
    pub(super) fn enter(self: &Arc<Self>, client: ClientAddress) -> Result<ClientShare, Problem> {
        let client = client.key();
        let mut shard = self.shard(client).lock().unwrap_or_else(PoisonError::into_inner);
        let usage = shard.entry(client).or_default();
        if usage.requests >= self.requests_max {
            return Err(Problem::too_many_at_once(RETRY_AFTER_S));
        }
        usage.requests += 1;
        Ok(ClientShare { clients: Arc::clone(self), client, body_bytes: 0 })
    }

    fn shard(&self, client: u64) -> &Mutex<HashMap<u64, Usage>> {
        // The last bits of an IPv4 address and the first of an IPv6 one tell neighbours apart.
        let mixed = client ^ (client >> 32) ^ (client >> 8);
        &self.shards[usize::try_from(mixed % 16).unwrap_or_default()]
    }
}

impl ClientShare {
    /// Counts bytes of the request's body, which stay in memory until it ends.
    ///
    /// # Errors
    /// 429 when the client has as much in memory as it may, 503 when all together have.
    pub(super) fn add_body_bytes(&mut self, bytes: u64) -> Result<(), Problem> {
        let clients = &self.clients;
        let in_all = clients.body_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.body_bytes += bytes;
        let mut shard = clients.shard(self.client).lock().unwrap_or_else(PoisonError::into_inner);
        let usage = shard.entry(self.client).or_default();
        usage.body_bytes += bytes;
        if usage.body_bytes > clients.body_bytes_max {
            return Err(Problem::too_many_at_once(RETRY_AFTER_S));
        }
        if in_all > clients.body_bytes_max.saturating_mul(FULL_CLIENTS) {
            return Err(Problem::overloaded(RETRY_AFTER_S));
        }
        Ok(())
    }
}

impl Drop for ClientShare {
    fn drop(&mut self) {
        self.clients.body_bytes.fetch_sub(self.body_bytes, Ordering::Relaxed);
        let mut shard = self.clients.shard(self.client).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = shard.get_mut(&self.client) {
            usage.requests -= 1;
            usage.body_bytes -= self.body_bytes;
            if usage.requests == 0 {
                shard.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(requests_max: u32, body_bytes_max: u64) -> Arc<Clients> {
        let body_bytes = AtomicU64::new(0);
        Arc::new(Clients { shards: Default::default(), requests_max, body_bytes_max, body_bytes })
    }

    fn client(address: &str) -> ClientAddress {
        ClientAddress(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_client_has_so_many_requests_under_way() {
        let clients = clients(2, 10);
        let first = clients.enter(client("2001:db8::1")).unwrap();
        let _second = clients.enter(client("2001:db8::2")).unwrap();
        assert_eq!(
            clients.enter(client("2001:db8::3")).unwrap_err().code(),
            "too_many_requests",
            "a /64 is one client"
        );
        let _other = clients.enter(client("192.0.2.1")).unwrap();
        drop(first);
        let _again = clients.enter(client("2001:db8::3")).unwrap();
    }

    #[test]
    fn bodies_are_bounded_per_client_and_in_all() {
        let clients = clients(10, 10);
        let mut first = clients.enter(client("192.0.2.1")).unwrap();
        let mut second = clients.enter(client("192.0.2.1")).unwrap();
        first.add_body_bytes(10).unwrap();
        assert_eq!(second.add_body_bytes(1).unwrap_err().code(), "too_many_requests");
        drop((first, second));
        assert_eq!(clients.body_bytes.load(Ordering::Relaxed), 0);
        assert!(clients.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
        let mut many = Vec::new();
        for n in 0..8 {
            let mut share = clients.enter(client(&format!("192.0.2.{n}"))).unwrap();
            share.add_body_bytes(10).unwrap();
            many.push(share);
        }
        let mut last = clients.enter(client("192.0.2.9")).unwrap();
        assert_eq!(last.add_body_bytes(1).unwrap_err().code(), "overloaded");
    }
}
