//! Networks of IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network of IP addresses in CIDR notation (RFC 4632 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNet {
    address: IpAddr,
    prefix_bits: u8,
}

impl IpNet {
    /// Parses `10.0.0.0/8`, `fd00::/8`, or a single address. Bits beyond the prefix must be zero.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let (address, prefix) = raw.split_once('/').map_or((raw, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        let net = Self { address, prefix_bits };
        (prefix_bits <= width && net.masked(address) == Some(address)).then_some(net)
    }

    /// Whether the network contains the address. An IPv4-mapped IPv6 address is treated as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        // The network as written may itself be IPv4-mapped, so try the address both ways.
        [address, address.to_canonical()].into_iter().any(|address| self.masked(address) == Some(self.address))
    }

    /// The address with everything beyond the prefix cleared; `None` for the other family.
    fn masked(&self, address: IpAddr) -> Option<IpAddr> {
        let host_bits = |width: u8| u32::from(width.saturating_sub(self.prefix_bits));
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(host_bits(32)).unwrap_or(0);
                Some(IpAddr::V4((u32::from(address) & mask).into()))
            }
            (IpAddr::V6(_), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(host_bits(128)).unwrap_or(0);
                Some(IpAddr::V6((u128::from(address) & mask).into()))
            }
            _ => None,
        }
    }
}

/// The text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address or a network such as 10.0.0.0/8")]
pub struct NotANetwork;

impl FromStr for IpNet {
    type Err = NotANetwork;

    fn from_str(raw: &str) -> Result<Self, NotANetwork> {
        Self::parse(raw).ok_or(NotANetwork)
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::IpNet;

    fn check(net: &str, address: &str, expected: bool) {
        assert_eq!(IpNet::parse(net).unwrap().contains(address.parse().unwrap()), expected, "{address} in {net}");
    }

    #[test]
    fn a_network_contains_its_addresses() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("10.0.0.0/8", "::1", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.8", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("::/0", "2001:db8::1", true);
        check("2001:db8::/33", "2001:db8:7fff::1", true);
        check("2001:db8::/33", "2001:db8:8000::1", false);
        check("::ffff:0.0.0.0/96", "::ffff:192.0.2.1", true);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for raw in
            ["", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/+8", "example.com", "10.0.0.0/8/8"]
        {
            assert_eq!(IpNet::parse(raw), None, "{raw:?}");
        }
    }
}
