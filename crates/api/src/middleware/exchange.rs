//! One request and its response, as the listener and the middleware know it, and the connection that it came over.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use denizen_domain::access::{Actor, Subject};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::clients::ClientShare;

/// What the server knows of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    opened_at: Instant,
    /// Requests that have begun and whose response is not yet written to the end.
    open: AtomicU32,
    /// Those of them that were received in full: the server works on them, or sends the response.
    busy: AtomicU32,
    /// Pieces of responses that the transport has not written yet.
    unsent: AtomicU32,
    /// When a request ended or a piece was written last, in milliseconds since the connection was opened.
    active_ms: AtomicU64,
    /// Whether it has become a WebSocket.
    is_upgraded: AtomicBool,
    /// Whether a request on it was answered before its body had come.
    lingers: AtomicBool,
    /// Whether only health checks are answered on it.
    is_in_reserve: bool,
    eviction: Notify,
}

impl ConnectionState {
    /// A connection that has just been accepted.
    pub(crate) fn new() -> Self {
        Self::with_reserve(false)
    }

    /// A connection beyond the limits, on which only health checks are answered.
    pub(crate) fn in_reserve() -> Self {
        Self::with_reserve(true)
    }

    fn with_reserve(is_in_reserve: bool) -> Self {
        Self {
            opened_at: now(),
            open: AtomicU32::new(0),
            busy: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            active_ms: AtomicU64::new(0),
            is_upgraded: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            is_in_reserve,
            eviction: Notify::new(),
        }
    }

    /// Whether only health checks are answered on it.
    pub(crate) fn is_in_reserve(&self) -> bool {
        self.is_in_reserve
    }

    /// Whether it may be closed to make room: no request on it has been received in full.
    pub(crate) fn is_evictable(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0 && !self.is_upgraded.load(Ordering::Relaxed)
    }

    /// Since when nothing has happened on it.
    pub(crate) fn quiet_since(&self) -> Instant {
        self.opened_at + Duration::from_millis(self.active_ms.load(Ordering::Relaxed))
    }

    /// Whether no request is under way for this long.
    pub(crate) fn is_idle_for(&self, time: Duration) -> bool {
        let is_unused = self.open.load(Ordering::Relaxed) == 0 && !self.is_upgraded.load(Ordering::Relaxed);
        is_unused && self.quiet_since().elapsed() >= time
    }

    /// Whether the peer has not let any waiting piece of a response through for this long.
    pub(crate) fn is_stalled_for(&self, time: Duration) -> bool {
        self.unsent.load(Ordering::Relaxed) > 0 && self.quiet_since().elapsed() >= time
    }

    /// Closes it, to make room for another.
    pub(crate) fn evict(&self) {
        self.eviction.notify_one();
    }

    /// Returns when it is to be closed to make room.
    pub(crate) async fn evicted(&self) {
        self.eviction.notified().await;
    }

    /// It has become a WebSocket, which has bounds of its own.
    pub(crate) fn upgrade(&self) {
        self.is_upgraded.store(true, Ordering::Relaxed);
    }

    /// A request on it was answered before its body had come: it ends with the answer, once the client has it.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Whether what the client still sends is to be read before it is closed.
    pub(crate) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// A piece of a response is on its way to the transport.
    pub(crate) fn add_unsent(&self) {
        if self.unsent.fetch_add(1, Ordering::Relaxed) == 0 {
            self.touch();
        }
    }

    /// The transport has written or dropped a piece.
    pub(crate) fn remove_unsent(&self) {
        self.unsent.fetch_sub(1, Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        let elapsed_ms = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(elapsed_ms, Ordering::Relaxed);
    }
}

/// A request from its head to the last byte of its response. It is shared by everything that belongs to either, and ends
/// when the last of it is gone.
#[derive(Debug)]
pub(crate) struct Exchange {
    connection: Arc<ConnectionState>,
    is_received: AtomicBool,
    share: Mutex<Option<ClientShare>>,
    caller: OnceLock<Subject>,
}

impl Exchange {
    /// A request whose head has just been read.
    pub(crate) fn begin(connection: &Arc<ConnectionState>) -> Arc<Self> {
        connection.open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            connection: Arc::clone(connection),
            is_received: AtomicBool::new(false),
            share: Mutex::default(),
            caller: OnceLock::new(),
        })
    }

    /// The connection that it came over.
    pub(crate) fn connection(&self) -> &ConnectionState {
        &self.connection
    }

    /// The request has been received in full: from here on the connection is not closed to make room.
    pub(crate) fn receive(&self) {
        if !self.is_received.swap(true, Ordering::Relaxed) {
            self.connection.busy.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records the authenticated caller.
    pub(crate) fn identify(&self, actor: &Actor) {
        if let Actor::Known(principal) = actor {
            // Once known, it does not change.
            let _ = self.caller.set(principal.subject);
        }
    }

    /// The authenticated caller, if any.
    pub(super) fn caller(&self) -> Option<Subject> {
        self.caller.get().copied()
    }

    /// Counts it against its client until it ends.
    pub(super) fn count(&self, share: ClientShare) {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = Some(share);
    }

    /// No longer counts it against its client.
    pub(super) fn uncount(&self) {
        drop(self.share.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Does something with the share of its client, if it is counted.
    pub(super) fn with_share<T>(&self, act: impl FnOnce(&mut ClientShare) -> T) -> Option<T> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.touch();
        if *self.is_received.get_mut() {
            self.connection.busy.fetch_sub(1, Ordering::Relaxed);
        }
        self.connection.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a connection is quiet does not concern the domain")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_evictable_until_a_request_has_been_received() {
        let connection = Arc::new(ConnectionState::new());
        let exchange = Exchange::begin(&connection);
        assert!(connection.is_evictable() && !connection.is_idle_for(Duration::ZERO));
        exchange.receive();
        exchange.receive();
        assert!(!connection.is_evictable());
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(exchange);
        assert!(connection.is_evictable() && connection.is_idle_for(Duration::ZERO));
        assert!(!connection.is_idle_for(Duration::from_mins(1)), "it is quiet since the response ended");
        connection.upgrade();
        assert!(!connection.is_evictable() && !connection.is_idle_for(Duration::ZERO));
    }

    #[tokio::test]
    async fn a_connection_is_stalled_when_nothing_of_a_response_is_written() {
        let connection = ConnectionState::new();
        let bound = Duration::from_millis(200);
        tokio::time::sleep(bound).await;
        assert!(!connection.is_stalled_for(bound));
        connection.add_unsent();
        connection.add_unsent();
        assert!(!connection.is_stalled_for(bound), "it counts from the first piece");
        tokio::time::sleep(bound * 2).await;
        assert!(connection.is_stalled_for(bound));
        connection.remove_unsent();
        assert!(!connection.is_stalled_for(bound), "one piece written is progress");
    }
}
