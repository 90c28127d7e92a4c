//! The client's address, as far as trusted proxies tell it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use denizen_domain::id::ServiceAccountId;
use http::{HeaderMap, HeaderName};

use crate::config::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the peer: a request extension that the listener adds.
///
/// In an application that embeds the server, it takes precedence over axum's [`ConnectInfo`].
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// The service account that the client's certificate names: an extension that the listener lays, over mutual TLS.
#[derive(Debug, Clone, Copy)]
pub struct PeerProgram(pub ServiceAccountId);

/// Whose request it is: the peer, or whom a trusted proxy speaks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub(super) Option<IpAddr>);

impl ClientAddress {
    /// What is counted against: 0 when there is no address.
    pub(super) fn key(self) -> u64 {
        self.0.map_or(0, key_of)
    }
}

/// What is counted against for an address. An IPv6 customer has a /64 of addresses: they count as one.
pub(crate) fn key_of(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX),
    }
}

/// The proxies whose forwarded headers count.
pub(crate) struct Trusted(Vec<IpNet>);

impl Trusted {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whose request it is.
    pub(super) fn client_of(&self, request: &Request) -> ClientAddress {
        let peer = peer_of(request);
        ClientAddress(peer.map(|peer| self.client(peer, request.headers())))
    }

    /// Whether one of them holds the other end of the connection.
    pub(super) fn is_peer_of(&self, request: &Request) -> bool {
        peer_of(request).is_some_and(|peer| self.contains(peer.to_canonical()))
    }

    /// Whether this is the address of one.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// From the nearest hop outwards, the first that is not a proxy of ours. What lies beyond it was written
    /// by the client and proves nothing.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let lines: Vec<&str> =
            headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut nearest = peer;
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = parse(hop.trim()) else { break };
            nearest = address;
            if !self.contains(address) {
                break;
            }
        }
        nearest
    }
}

/// The address of the peer, from our own listener or from that of the application.
fn peer_of(request: &Request) -> Option<IpAddr> {
    let extensions = request.extensions();
    let own = extensions.get::<PeerAddress>().map(|peer| peer.0);
    own.or_else(|| extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0)).map(|address| address.ip())
}

fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = Trusted(vec!["10.0.0.0/8".parse().unwrap()]);
        let headers = forwarded.iter().map(|line| (X_FORWARDED_FOR, line.parse().unwrap())).collect();
        let client = trusted.client(peer.parse().unwrap(), &headers);
        assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["1.2.3.4, 198.51.100.7, 10.0.0.2"], "198.51.100.7");
        check("10.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("::ffff:10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
        check("10.0.0.1", &["2001:db8::1"], "2001:db8::1");
    }
}
