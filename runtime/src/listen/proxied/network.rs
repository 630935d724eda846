//! A range of IP addresses.

use std::net::IpAddr;
use std::str::FromStr;

/// One address, or all that begin with the same bits. IPv4 addresses written as IPv6 count as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// What an IPv4 address has in front of it when written as IPv6.
const MAPPED_BITS: u8 = 96;

impl Network {
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

/// The text is no address and no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a network such as 10.0.0.0/8")]
pub(crate) struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NoNetwork)?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| NoNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(NoNetwork);
        }
        match address.to_canonical() {
            canonical if address.is_ipv6() && canonical.is_ipv4() && bits >= MAPPED_BITS => {
                Ok(Self { address: canonical, bits: bits - MAPPED_BITS })
            }
            _ => Ok(Self { address, bits }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().has(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_what_begins_with_its_bits_and_nothing_else() {
        assert!(has("10.1.2.3", "10.1.2.3"));
        assert!(!has("10.1.2.3", "10.1.2.4"));
        assert!(has("10.0.0.0/8", "10.255.0.1"));
        assert!(has("10.9.9.9/8", "10.255.0.1"), "bits behind the network do not count");
        assert!(!has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("10.128.0.0/9", "10.128.0.1") && !has("10.128.0.0/9", "10.127.0.1"));
        assert!(has("0.0.0.0/0", "203.0.113.7"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!has("2001:db8::/32", "2001:db9::1"));
    }

    #[test]
    fn one_family_is_never_trusted_for_the_other() {
        assert!(!has("0.0.0.0/0", "::1"));
        assert!(!has("::/0", "127.0.0.1"));
        assert!(!has("::/0", "::ffff:127.0.0.1"), "a mapped address is IPv4");
        assert!(has("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(has("::ffff:10.0.0.0/104", "10.7.7.7"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "host", "10.0.0.0/-1", "1.2.3"]
        {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }
}
