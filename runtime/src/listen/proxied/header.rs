//! The PROXY header, versions 1 (a line of text) and 2 (binary), as in HAProxy's
//! `proxy-protocol.txt`. Bytes in, an address out; no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header taken. One with everything that load balancers add (names, certificates,
/// unique ids) has a few hundred bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 2048;

/// A line of version 1 with its end, by its specification.
const LINE_BYTES_MAX: usize = 107;

const LINE_BEGIN: &[u8] = b"PROXY ";

/// What version 2 begins with: no line of any other protocol.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED_BYTES: usize = 16;

/// Both addresses and both ports.
const INET_BYTES: usize = 12;
const INET6_BYTES: usize = 36;
const UNIX_BYTES: usize = 216;

const _: () = assert!(LINE_BYTES_MAX < HEADER_BYTES_MAX);

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the client is. `None`: the load balancer speaks for itself (a health check), or knows
    /// of no TCP client.
    pub(crate) client: Option<SocketAddr>,
    /// How long the header is; what follows is the connection's own.
    pub(crate) bytes: usize,
}

/// What is wrong with a header. The load balancer's fault, or whoever configured the two of us;
/// a retry meets the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// Something else comes first.
    #[error("no PROXY header, which every connection of listen.proxy-from begins with")]
    Missing,
    /// Version 1 is not as specified.
    #[error("a malformed PROXY header of version 1")]
    Line,
    /// Version 2 is followed by no version 3.
    #[error("a PROXY header of version {0}; 1 and 2 are known")]
    Version(u8),
    /// Neither LOCAL nor PROXY.
    #[error("a PROXY header with the command {0}; 0 and 1 are known")]
    Command(u8),
    /// No family and protocol that exist.
    #[error("a PROXY header with the family {0:#04x}, which does not exist")]
    Family(u8),
    /// Its length has no room for its addresses.
    #[error("a PROXY header of {0} bytes, too short for its addresses")]
    Short(usize),
    /// Its length is beyond the limit.
    #[error("a PROXY header of {0} bytes, at most {HEADER_BYTES_MAX} are taken")]
    Long(usize),
}

/// Reads the header at the beginning of `bytes`. `None`: all of `bytes` belongs to a header that
/// goes on. Never more than [`HEADER_BYTES_MAX`] bytes do.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let begins = |with: &[u8]| {
        let both = bytes.len().min(with.len());
        bytes[..both] == with[..both]
    };
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(LINE_BEGIN) {
        line(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

fn line(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let most = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = most.windows(2).position(|two| two == b"\r\n") else {
        return if most.len() < LINE_BYTES_MAX { Ok(None) } else { Err(HeaderError::Line) };
    };
    let text = std::str::from_utf8(&most[LINE_BEGIN.len()..end]).map_err(|_| HeaderError::Line)?;
    let client = match text.split(' ').collect::<Vec<_>>()[..] {
        // What follows is to be ignored.
        ["UNKNOWN", ..] => None,
        ["TCP4", client, server, client_port, server_port] => {
            let client = endpoint::<Ipv4Addr>(client, client_port)?;
            endpoint::<Ipv4Addr>(server, server_port)?;
            Some(client)
        }
        ["TCP6", client, server, client_port, server_port] => {
            let client = endpoint::<Ipv6Addr>(client, client_port)?;
            endpoint::<Ipv6Addr>(server, server_port)?;
            Some(client)
        }
        _ => return Err(HeaderError::Line),
    };
    Ok(Some(Header { client, bytes: end + 2 }))
}

fn endpoint<A: std::str::FromStr + Into<IpAddr>>(
    address: &str,
    port: &str,
) -> Result<SocketAddr, HeaderError> {
    let is_plain =
        port.bytes().all(|digit| digit.is_ascii_digit()) && (port == "0" || !port.starts_with('0'));
    match (address.parse::<A>(), port.parse()) {
        (Ok(address), Ok(port)) if is_plain => Ok(canonical(address.into(), port)),
        _ => Err(HeaderError::Line),
    }
}

fn binary(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    // Judged as soon as it is there: who is wrong is not waited for.
    let command = bytes.get(12).map(|byte| (byte >> 4, byte & 0xf));
    match command {
        Some((2, 0 | 1)) | None => {}
        Some((2, command)) => return Err(HeaderError::Command(command)),
        Some((version, _)) => return Err(HeaderError::Version(version)),
    }
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let whole = FIXED_BYTES + length;
    if whole > HEADER_BYTES_MAX {
        return Err(HeaderError::Long(whole));
    }
    let is_local = command == Some((2, 0));
    // Of a client that does not come over TCP no address can be told; the length is checked all
    // the same. A LOCAL header may have any family: it is skipped.
    let addresses = match fixed[13] {
        _ if is_local => 0,
        0x00 => 0,
        0x11 | 0x12 => INET_BYTES,
        0x21 | 0x22 => INET6_BYTES,
        0x31 | 0x32 => UNIX_BYTES,
        family => return Err(HeaderError::Family(family)),
    };
    if length < addresses {
        return Err(HeaderError::Short(whole));
    }
    if rest.len() < length {
        return Ok(None);
    }
    let client = match fixed[13] {
        _ if is_local => None,
        0x11 => rest.first_chunk::<4>().map(|client| {
            canonical(Ipv4Addr::from(*client).into(), u16::from_be_bytes([rest[8], rest[9]]))
        }),
        0x21 => rest.first_chunk::<16>().map(|client| {
            canonical(Ipv6Addr::from(*client).into(), u16::from_be_bytes([rest[32], rest[33]]))
        }),
        _ => None,
    };
    Ok(Some(Header { client, bytes: whole }))
}

/// A client has one address, whichever way it is written: limits and bans go by it.
fn canonical(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

/// The header of version 2 that a load balancer sends to a node for `client`, which connected to
/// `server`.
pub(crate) fn header_of_client(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    // Version 2, PROXY.
    header.push(0x21);
    match (client.ip().to_canonical(), server.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.extend_from_slice(&[0x11, 0, INET_BYTES as u8]);
            header.extend_from_slice(&from.octets());
            header.extend_from_slice(&to.octets());
        }
        (from, to) => {
            let mapped = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            header.extend_from_slice(&[0x21, 0, INET6_BYTES as u8]);
            header.extend_from_slice(&mapped(from).octets());
            header.extend_from_slice(&mapped(to).octets());
        }
    }
    header.extend_from_slice(&client.port().to_be_bytes());
    header.extend_from_slice(&server.port().to_be_bytes());
    header
}

#[cfg(test)]
mod tests;
