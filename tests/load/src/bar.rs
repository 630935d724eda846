//! Bars: what a field of a report must reach for the run to pass.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// One bar: a field, and the number that it must reach or not exceed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    field: String,
    side: Side,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    AtLeast,
    AtMost,
}

/// The text is no bar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected FIELD>=NUMBER or FIELD<=NUMBER")]
pub(crate) struct NoBar;

impl FromStr for Bar {
    type Err = NoBar;

    fn from_str(text: &str) -> Result<Self, NoBar> {
        let sides = [(">=", Side::AtLeast), ("<=", Side::AtMost)];
        let split =
            |(sign, side)| text.split_once(sign).map(|(field, number)| (field, side, number));
        let (field, side, number) = sides.into_iter().find_map(split).ok_or(NoBar)?;
        let number: f64 = number.trim().parse().map_err(|_| NoBar)?;
        let field = field.trim().to_owned();
        if field.is_empty() || !number.is_finite() {
            return Err(NoBar);
        }
        Ok(Self { field, side, number })
    }
}

impl Bar {
    /// The field it is about.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with the field's value, if something is.
    pub(crate) fn missed(&self, found: Option<&Value>) -> Option<String> {
        let Some(found) = found else {
            return Some(format!("expected {self}, found no such field"));
        };
        let reached = found.as_f64().is_some_and(|found| match self.side {
            Side::AtLeast => found >= self.number,
            Side::AtMost => found <= self.number,
        });
        (!reached).then(|| format!("expected {self}, found {found}"))
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::AtLeast => "at least",
            Side::AtMost => "at most",
        };
        write!(f, "{} {side} {}", self.field, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(bar: &str, found: impl Into<Value>) -> Option<String> {
        bar.parse::<Bar>().unwrap().missed(Some(&found.into()))
    }

    #[test]
    fn a_bar_is_reached_at_its_number_and_missed_beyond_it() {
        assert_eq!(missed("cuts>=1000", 1000), None);
        assert_eq!(missed("p50_ms <= 50", 50.0), None);
        let low = missed("cuts>=1000", 999).unwrap();
        assert_eq!(low, "expected cuts at least 1000, found 999");
        let high = missed("p50_ms<=50", 50.001).unwrap();
        assert_eq!(high, "expected p50_ms at most 50, found 50.001");
        assert_eq!(missed("beyond_bare<=0", -7), None);
    }

    #[test]
    fn what_is_no_number_or_not_there_misses_every_bar() {
        assert!(missed("git>=0", "abc").is_some());
        let bar: Bar = "cust<=5".parse().unwrap();
        assert_eq!(bar.missed(None).unwrap(), "expected cust at most 5, found no such field");
    }

    #[test]
    fn what_is_no_bar_is_refused() {
        for wrong in ["", "cuts", "cuts=5", "cuts>5", ">=5", "cuts>=", "cuts>=many", "cuts<=NaN"] {
            assert_eq!(wrong.parse::<Bar>(), Err(NoBar), "{wrong}");
        }
    }
}
