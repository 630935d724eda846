//! Durations in an HDR histogram, and how they travel between processes.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest duration kept apart; longer ones count as this one. No scenario waits longer for
/// anything.
const LONGEST: Duration = Duration::from_secs(600);

/// Every recorded value is exact to three digits.
const DIGITS: u8 = 3;

/// A histogram of durations, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

/// A histogram on its way: each recorded value with its count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recorded(Vec<(u64, u64)>);

impl Latency {
    /// Both together.
    pub(crate) fn sum(one: &Recorded, other: &Recorded) -> Recorded {
        let mut sum = Self::new();
        sum.add(one);
        sum.add(other);
        sum.recorded()
    }

    pub(crate) fn new() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        let histogram = Histogram::new_with_max(longest, DIGITS);
        Self(histogram.expect("3 digits up to 10 minutes are within the histogram's range"))
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, recorded: &Recorded) {
        for &(value, count) in &recorded.0 {
            self.0.saturating_record_n(value, count);
        }
    }

    pub(crate) fn recorded(&self) -> Recorded {
        let values = self.0.iter_recorded();
        Recorded(values.map(|at| (at.value_iterated_to(), at.count_at_value())).collect())
    }

    pub(crate) fn p50_ms(&self) -> f64 {
        millis(self.0.value_at_quantile(0.50))
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        millis(self.0.value_at_quantile(0.99))
    }

    pub(crate) fn max_ms(&self) -> f64 {
        millis(if self.0.is_empty() { 0 } else { self.0.max() })
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

/// The median; 0 if there is none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(&upper), Some(&lower)) if values.len().is_multiple_of(2) => {
            f64::midpoint(lower, upper)
        }
        (Some(&middle), _) => middle,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_travels_whole() {
        let mut here = Latency::new();
        for micros in [1, 500, 500, 1_000_000, u64::MAX] {
            here.record(Duration::from_micros(micros));
        }
        let text = serde_json::to_string(&here.recorded()).unwrap();
        let mut there = Latency::new();
        there.add(&serde_json::from_str(&text).unwrap());
        assert_eq!(there.0.len(), 5);
        let all = |latency: &Latency| [latency.p50_ms(), latency.p99_ms(), latency.max_ms()];
        assert_eq!(all(&here), all(&there));
        assert!((there.p50_ms() - 0.5).abs() < 0.001);
    }

    #[test]
    fn nothing_recorded_reads_as_zero() {
        let empty = Latency::new();
        assert_eq!((empty.p50_ms(), empty.max_ms()), (0.0, 0.0));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }
}
