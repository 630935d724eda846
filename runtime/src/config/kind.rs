//! The kinds of values: how each is parsed, and what is expected of it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;
use std::time::Duration;

use bytesize::ByteSize;
use throughline_store_postgres::Options as Postgres;

use super::value::Value;

/// Entries of a list: more addresses or kinds than a node could sensibly have.
pub(super) const LIST_ENTRIES_MAX: usize = 64;
/// An address is told to clients in a field of this many bytes.
const PUBLIC_ADDRESS_BYTES_MAX: usize = 255;
/// A node tells the others of so many: what its entry in the store has room for.
const PUBLIC_ADDRESSES_MAX: usize = 8;
/// A session kind's name, as on the wire.
const NAME_BYTES_MAX: usize = 64;

/// Longest path: what the systems take.
const PATH_BYTES_MAX: usize = 4096;

const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What a setting may hold. Bounds are inclusive and written as a user would write them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Count { least: u64, most: u64 },
    Bytes { least: &'static str, most: &'static str },
    Time { least: &'static str, most: &'static str },
    Switch,
    Addresses,
    PublicAddress,
    PublicAddresses,
    Names,
    Networks,
    Name,
    Path,
    Store,
    LogFilter,
}

/// The text does not fit the kind; [`Kind::expected`] says what would.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

impl Kind {
    pub(super) const fn count(least: u64, most: u64) -> Self {
        Self::Count { least, most }
    }

    pub(super) const fn bytes(least: &'static str, most: &'static str) -> Self {
        Self::Bytes { least, most }
    }

    pub(super) const fn time(least: &'static str, most: &'static str) -> Self {
        Self::Time { least, most }
    }

    /// From the form of environment variables, flags and defaults: lists are comma separated.
    pub(super) fn parse(self, text: &str) -> Result<Value, Unfit> {
        let text = text.trim();
        let value = match self {
            Self::Count { .. } => Value::Count(text.parse().map_err(|_| Unfit)?),
            Self::Bytes { .. } => Value::Bytes(bytes(text)?),
            Self::Time { .. } => Value::Time(time(text)?),
            Self::Switch => Value::Switch(text.parse().map_err(|_| Unfit)?),
            Self::PublicAddress | Self::LogFilter | Self::Name | Self::Path | Self::Store => {
                Value::Text(text.to_owned())
            }
            _ if self.is_list() && text.is_empty() => self.parse_list(&[])?,
            Self::Addresses | Self::Names | Self::Networks | Self::PublicAddresses => {
                self.parse_list(&text.split(',').map(str::trim).collect::<Vec<_>>())?
            }
        };
        self.check(&value).map(|()| value)
    }

    /// From a list of the file. Kinds that are no lists take none.
    pub(super) fn parse_list(self, entries: &[&str]) -> Result<Value, Unfit> {
        let value = match self {
            Self::Addresses => Value::Addresses(
                entries
                    .iter()
                    .map(|entry| SocketAddr::from_str(entry).map_err(|_| Unfit))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Names | Self::Networks | Self::PublicAddresses => {
                Value::Names(entries.iter().map(|&entry| entry.to_owned()).collect())
            }
            _ => return Err(Unfit),
        };
        self.check(&value).map(|()| value)
    }

    /// Whether the file writes this kind as an array.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Addresses | Self::Names | Self::Networks | Self::PublicAddresses)
    }

    /// Whether a whole number in the file is this kind: a byte size may be one, a time has a unit.
    pub(super) fn takes_integer(self) -> bool {
        matches!(self, Self::Count { .. } | Self::Bytes { .. })
    }

    /// Whether a string in the file is this kind.
    pub(super) fn takes_string(self) -> bool {
        !self.is_list() && !matches!(self, Self::Count { .. } | Self::Switch)
    }

    /// Whether the value lies in the range.
    pub(super) fn check(self, value: &Value) -> Result<(), Unfit> {
        let fits = match (self, value) {
            (Self::Count { least, most }, Value::Count(count)) => (least..=most).contains(count),
            (Self::Bytes { least, most }, Value::Bytes(size)) => {
                (bytes(least)?..=bytes(most)?).contains(size)
            }
            (Self::Time { least, most }, Value::Time(span)) => {
                (time(least)?..=time(most)?).contains(span)
            }
            (Self::Switch, Value::Switch(_)) => true,
            (Self::PublicAddress, Value::Text(text)) => is_public_address(text),
            (Self::LogFilter, Value::Text(text)) => is_log_filter(text),
            (Self::Name, Value::Text(text)) => (1..=NAME_BYTES_MAX).contains(&text.len()),
            (Self::Path, Value::Text(text)) => is_path(text),
            (Self::Store, Value::Text(text)) => is_store(text),
            (Self::PublicAddresses, Value::Names(list)) => {
                list.len() <= PUBLIC_ADDRESSES_MAX
                    && list.iter().all(|text| !text.is_empty() && is_public_address(text))
            }
            (Self::Networks, Value::Names(list)) => {
                list.len() <= LIST_ENTRIES_MAX && list.iter().all(|entry| is_network(entry))
            }
            (Self::Addresses, Value::Addresses(list)) => {
                list.len() <= LIST_ENTRIES_MAX
                    && list.iter().enumerate().all(|(index, address)| {
                        // Port 0 is a new port each time, so it may be asked for twice.
                        address.port() == 0 || !list[..index].contains(address)
                    })
            }
            (Self::Names, Value::Names(list)) => {
                list.len() <= LIST_ENTRIES_MAX
                    && list.iter().all(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(Unfit) }
    }

    /// What a message says after "expected".
    pub(super) fn expected(self) -> String {
        match self {
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Bytes { least, most } => {
                format!("a size such as \"64KiB\" or a number of bytes, from {least} to {most}")
            }
            Self::Time { least, most } => {
                format!("a duration such as \"{}\", between {least} and {most}", sample(most))
            }
            Self::Switch => "true or false".to_owned(),
            Self::Addresses => format!(
                "a list of different IP addresses with ports such as 127.0.0.1:7777 or \
                 [::1]:7777, at most {LIST_ENTRIES_MAX}"
            ),
            Self::PublicAddress => format!(
                "nothing, host:port or a URL ws://.. or wss://.., at most \
                 {PUBLIC_ADDRESS_BYTES_MAX} bytes"
            ),
            Self::PublicAddresses => format!(
                "a list of host:port and of URLs ws://.. or wss://.., each of at most \
                 {PUBLIC_ADDRESS_BYTES_MAX} bytes, at most {PUBLIC_ADDRESSES_MAX}"
            ),
            Self::Names => format!(
                "a list of session kinds, each of 1 to {NAME_BYTES_MAX} bytes, at most \
                 {LIST_ENTRIES_MAX}"
            ),
            Self::Networks => format!(
                "a list of IP addresses or networks such as 10.0.0.0/8, at most {LIST_ENTRIES_MAX}"
            ),
            Self::Name => format!("a name of 1 to {NAME_BYTES_MAX} bytes"),
            Self::Path => format!("nothing, or a path of at most {PATH_BYTES_MAX} bytes"),
            Self::Store => "memory, sled:PATH, hub:unix:PATH, hub:tcp:127.0.0.1:PORT, \
                            postgres:host=HOST dbname=NAME user=USER or a postgresql:// URL, \
                            without a password"
                .to_owned(),
            Self::LogFilter => {
                format!("{}, or a list with modules such as info,game=debug", LOG_LEVELS.join(", "))
            }
        }
    }

    /// The range, for the comments of a printed configuration and for the help.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Count { least, most } => format!("{least} to {most}"),
            Self::Bytes { least, most } | Self::Time { least, most } => {
                format!("{least} to {most}")
            }
            Self::Switch => "true or false".to_owned(),
            Self::Addresses => "IP:PORT, several with commas or as an array".to_owned(),
            Self::PublicAddress => "HOST:PORT or a ws:// or wss:// URL".to_owned(),
            Self::PublicAddresses => {
                "HOST:PORT and ws:// or wss:// URLs, with commas or as an array".to_owned()
            }
            Self::Names => "names, several with commas or as an array".to_owned(),
            Self::Networks => "IP or IP/BITS, several with commas or as an array".to_owned(),
            Self::Name => "a name".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Store => "memory, sled:PATH, hub:unix:PATH, hub:tcp:IP:PORT, postgres:WORDS or \
                 postgresql://URL"
                .to_owned(),
            Self::LogFilter => LOG_LEVELS.join(", "),
        }
    }

    /// The placeholder in the help.
    pub(super) fn placeholder(self) -> &'static str {
        match self {
            Self::Count { .. } => "COUNT",
            Self::Bytes { .. } => "SIZE",
            Self::Time { .. } => "TIME",
            Self::Switch => "BOOL",
            Self::Addresses => "ADDRESSES",
            Self::PublicAddress => "ADDRESS",
            Self::PublicAddresses => "ADDRESSES",
            Self::Names => "NAMES",
            Self::Networks => "NETWORKS",
            Self::Name => "NAME",
            Self::Path => "PATH",
            Self::Store => "STORE",
            Self::LogFilter => "LEVEL",
        }
    }
}

fn bytes(text: &str) -> Result<u64, Unfit> {
    text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| Unfit)
}

fn time(text: &str) -> Result<Duration, Unfit> {
    humantime::parse_duration(text).map_err(|_| Unfit)
}

/// A duration that shows the right unit for a range that ends at `most`.
fn sample(most: &str) -> &'static str {
    match time(most) {
        Ok(most) if most <= Duration::from_secs(1) => "20ms",
        Ok(most) if most <= Duration::from_secs(60) => "2.5s",
        _ => "60s",
    }
}

fn is_public_address(text: &str) -> bool {
    let host_and_port = |text: &str| {
        text.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    let url = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
    text.len() <= PUBLIC_ADDRESS_BYTES_MAX
        && !text.chars().any(char::is_whitespace)
        && (text.is_empty() || url.map_or_else(|| host_and_port(text), |rest| !rest.is_empty()))
}

fn is_path(text: &str) -> bool {
    text.len() <= PATH_BYTES_MAX && !text.chars().any(char::is_control)
}

/// Whether this is the address of a store on PostgreSQL.
pub(crate) fn is_postgres(store: &str) -> bool {
    store.split_once(':').is_some_and(|(scheme, _)| matches!(scheme, "postgres" | "postgresql"))
}

/// The name of a cluster, where only the address of its store is looked at.
const SAMPLE_CLUSTER: &str = "any";

fn is_store(text: &str) -> bool {
    let rest = |prefix| text.strip_prefix(prefix);
    let is_place = |path: &str| !path.is_empty() && is_path(path);
    text == "memory"
        || rest("sled:").or_else(|| rest("hub:unix:")).is_some_and(is_place)
        || rest("hub:tcp:").is_some_and(|address| address.parse::<SocketAddr>().is_ok())
        || (is_postgres(text) && Postgres::of_address(text, SAMPLE_CLUSTER).is_ok())
}

fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

fn is_log_filter(text: &str) -> bool {
    text.split(',').all(|directive| {
        let (module, level) = directive.split_once('=').unwrap_or(("-", directive));
        let module_fits = !module.is_empty()
            && module.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c));
        module_fits && LOG_LEVELS.contains(&level)
    })
}
