//! Where a hub listens.

use std::fmt;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::str::FromStr;

/// Where a hub listens and its clients connect: `127.0.0.1:7790`, `[::1]:7790`, both also with
/// `tcp:` in front, or `unix:` and the path of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A socket in the file system: its folder's permissions say who may try to connect, too.
    #[cfg(unix)]
    Unix(PathBuf),
    /// A loopback address; port 0 means any free one. Every user of the machine can connect to it,
    /// so everything rests on the secret.
    Tcp(SocketAddr),
}

/// A text that is no address of a hub. The caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no address of a hub: expected 127.0.0.1:PORT, [::1]:PORT or unix:PATH")]
pub struct AddressError {
    /// The text.
    pub text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("tcp:").unwrap_or(text);
        address.parse().map(Self::Tcp).map_err(|_| AddressError { text: text.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_what_it_shows() {
        for text in ["127.0.0.1:7790", "[::1]:0", "unix:/run/game/hub"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        // As `store.at` says it.
        assert_eq!("tcp:127.0.0.1:7790".parse(), "127.0.0.1:7790".parse::<Address>());
        for text in
            ["", "unix:", "tcp:", "tcp:tcp:127.0.0.1:1", "localhost:1", "127.0.0.1", "/run/hub"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
