//! Addresses of nodes, as text.

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The part before `://` is none of `tcp`, `tls`, `ws` and `wss`.
    #[error("expected tcp://, tls://, ws:// or wss://")]
    UnknownScheme,
    /// There is no host name or IP address; an IPv6 address stands in brackets.
    #[error("expected host:port or [ipv6]:port")]
    NoHost,
    /// There is no port from 1 to 65535.
    #[error("expected a port from 1 to 65535 behind the host")]
    NoPort,
    /// A host or path with a blank or a control character.
    #[error("a blank or a control character")]
    BadCharacter,
    /// The connector in use brings no TLS; see [`Connector`](crate::Connector).
    #[error("TLS is asked for, and the connector brings none")]
    NoTls,
    /// This build has no WebSocket: the feature `websocket` is off.
    #[error("WebSocket is asked for, and the feature `websocket` is off")]
    NoWebSocket,
}

/// Where a [`Connector`](crate::Connector) opens a byte stream to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// A host name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whether the stream must be encrypted: the address began with `tls://` or `wss://`.
    pub tls: bool,
}

/// A target, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) target: Target,
    /// The path, if WebSocket is spoken.
    pub(crate) websocket: Option<String>,
}

/// Where a node serves WebSockets if the address does not say.
const WEBSOCKET_PATH: &str = "/link";

impl Address {
    /// Reads `host:port`, `[ipv6]:port`, or a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::BadCharacter);
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        let (tls, websocket) = match scheme {
            "tcp" => (false, false),
            "tls" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            _ => return Err(AddressError::UnknownScheme),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) if websocket => rest.split_at(at),
            _ => (rest.strip_suffix('/').unwrap_or(rest), WEBSOCKET_PATH),
        };
        let default_port = match (websocket, tls) {
            (true, false) => Some(80),
            (true, true) => Some(443),
            _ => None,
        };
        let (host, port) = host_and_port(authority, default_port)?;
        let target = Target { host: host.to_owned(), port, tls };
        Ok(Self { target, websocket: websocket.then(|| path.to_owned()) })
    }

    /// The URL that a WebSocket handshake asks for.
    #[cfg(feature = "websocket")]
    pub(crate) fn url(&self, path: &str) -> String {
        let Target { host, port, tls } = &self.target;
        let scheme = if *tls { "wss" } else { "ws" };
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}{path}")
        } else {
            format!("{scheme}://{host}:{port}{path}")
        }
    }
}

fn host_and_port(text: &str, default: Option<u16>) -> Result<(&str, u16), AddressError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(AddressError::NoHost)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError::NoHost)?;
        match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err(AddressError::NoPort),
            port => (host, port),
        }
    } else {
        match text.split_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port)),
        }
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    let port = match port {
        None => default,
        Some(port) => port.parse().ok().filter(|&port| port != 0),
    };
    port.map(|port| (host, port)).ok_or(AddressError::NoPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, u16, bool, Option<String>), AddressError> {
        let Address { target, websocket } = Address::parse(text)?;
        Ok((target.host, target.port, target.tls, websocket))
    }

    #[test]
    fn every_documented_form_is_read() {
        let ok = |host: &str, port, tls, path: Option<&str>| {
            Ok((host.to_owned(), port, tls, path.map(str::to_owned)))
        };
        assert_eq!(parsed("game.example:7778"), ok("game.example", 7778, false, None));
        assert_eq!(parsed("[::1]:7778"), ok("::1", 7778, false, None));
        assert_eq!(parsed("tcp://10.0.0.1:1/"), ok("10.0.0.1", 1, false, None));
        assert_eq!(parsed("tls://h:7"), ok("h", 7, true, None));
        assert_eq!(parsed("ws://h:7777/a/b?c"), ok("h", 7777, false, Some("/a/b?c")));
        assert_eq!(parsed("ws://h:7777"), ok("h", 7777, false, Some("/link")));
        assert_eq!(parsed("ws://[::1]/x"), ok("::1", 80, false, Some("/x")));
        assert_eq!(parsed("wss://h"), ok("h", 443, true, Some("/link")));
    }

    #[test]
    fn every_other_form_is_refused_with_its_reason() {
        for (text, why) in [
            ("", AddressError::NoHost),
            ("host", AddressError::NoPort),
            ("host:", AddressError::NoPort),
            ("host:0", AddressError::NoPort),
            ("host:65536", AddressError::NoPort),
            ("::1:7778", AddressError::NoHost),
            ("[::1]", AddressError::NoPort),
            ("[::1]7778", AddressError::NoPort),
            ("[::1:7778", AddressError::NoHost),
            ("[host]:1", AddressError::NoHost),
            (":7778", AddressError::NoHost),
            ("http://host:80", AddressError::UnknownScheme),
            ("ws://h/a b", AddressError::BadCharacter),
            ("ho\nst:1", AddressError::BadCharacter),
        ] {
            assert_eq!(parsed(text), Err(why), "{text:?}");
        }
    }
}
