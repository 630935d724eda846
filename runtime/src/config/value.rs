//! Values on their way between text and the typed fields of a configuration.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::kind::Kind;

/// A value of some kind. Byte sizes are `Count`s that show differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Count(u64),
    Bytes(u64),
    Time(Duration),
    Switch(bool),
    Text(String),
    Addresses(Vec<SocketAddr>),
    Names(Vec<String>),
}

/// As TOML, which is also what a user reads. Parsing it again gives the same value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let array = |entries: Vec<String>| format!("[{}]", entries.join(", "));
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Bytes(size) => f.write_str(&quoted(&show_bytes(*size))),
            Self::Time(span) => f.write_str(&quoted(&show_time(*span))),
            Self::Switch(on) => write!(f, "{on}"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Addresses(list) => {
                f.write_str(&array(list.iter().map(|one| quoted(&one.to_string())).collect()))
            }
            Self::Names(list) => {
                f.write_str(&array(list.iter().map(|name| quoted(name)).collect()))
            }
        }
    }
}

/// A type a field of the configuration may have. The table pairs each with a kind of its own; a
/// mismatch panics in `Config::default()`, so in every test.
pub(super) trait Field: Sized {
    fn from_value(value: Value) -> Self;
    fn to_value(&self, kind: Kind) -> Value;
}

macro_rules! number_field {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn from_value(value: Value) -> Self {
                let (Value::Count(number) | Value::Bytes(number)) = value else {
                    unreachable!("the table gives this field a kind of another type")
                };
                // Values were checked against the range of their setting, which fits the type.
                number.try_into().expect("the range of the table fits the field's type")
            }

            fn to_value(&self, kind: Kind) -> Value {
                // A field wider than u64 does not exist; the bound is for usize alone.
                let number = u64::try_from(*self).unwrap_or(u64::MAX);
                match kind {
                    Kind::Bytes { .. } => Value::Bytes(number),
                    _ => Value::Count(number),
                }
            }
        }
    )+};
}
number_field!(u32, u64, usize);

macro_rules! plain_field {
    ($($type:ty: $variant:ident),+) => {$(
        impl Field for $type {
            fn from_value(value: Value) -> Self {
                let Value::$variant(value) = value else {
                    unreachable!("the table gives this field a kind of another type")
                };
                value
            }

            fn to_value(&self, _: Kind) -> Value {
                Value::$variant(self.clone())
            }
        }
    )+};
}
plain_field!(
    Duration: Time, bool: Switch, String: Text, Vec<SocketAddr>: Addresses, Vec<String>: Names
);

/// The largest unit in which the size is a whole number.
fn show_bytes(size: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = |&&(_, bits): &&(&str, u32)| size > 0 && size.trailing_zeros() >= bits;
    match UNITS.iter().find(whole) {
        Some((unit, bits)) => format!("{}{unit}", size >> bits),
        None => format!("{size}B"),
    }
}

/// The largest unit in which the time is a whole number, but milliseconds as part of a second.
fn show_time(span: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let nanos = span.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let whole_seconds = nanos.is_multiple_of(1_000_000_000);
    if span.as_secs() > 0 && !whole_seconds && nanos.is_multiple_of(1_000_000) {
        let fraction = format!("{:03}", span.subsec_millis());
        return format!("{}.{}s", span.as_secs(), fraction.trim_end_matches('0'));
    }
    let whole = |&&(_, size): &&(&str, u128)| nanos.is_multiple_of(size);
    let (unit, size) = UNITS.iter().find(whole).unwrap_or(&("ns", 1));
    format!("{}{unit}", nanos / size)
}
