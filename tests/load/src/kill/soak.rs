//! What a long run takes, and whether that grows.

use crate::report::Report;

/// Samples that are kept: a week of them. What comes beyond is not looked at.
const SAMPLES_MAX: usize = 100_000;

/// Memory and disk of a run, sample by sample.
#[derive(Debug, Default)]
pub(super) struct Soak {
    samples: Vec<Sample>,
}

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Seconds since the start.
    pub(super) at_s: f64,
    /// Resident memory of the nodes and the hub together.
    pub(super) memory: u64,
    /// What the store's files take.
    pub(super) disk: u64,
}

impl Soak {
    pub(super) fn add(&mut self, sample: Sample) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        }
    }

    pub(super) fn add_to(&self, report: &mut Report) {
        // What begins fills caches, which is no growth: the first fifth is left out.
        let steady = &self.samples[self.samples.len() / 5..];
        let max = |of: fn(&Sample) -> u64| self.samples.iter().map(of).max().unwrap_or(0);
        report.add("memory_max_bytes", max(|sample| sample.memory));
        report.add("disk_max_bytes", max(|sample| sample.disk));
        let hourly = |of: fn(&Sample) -> u64| (slope(steady, of) * 3_600.0).round();
        report.add("memory_bytes_per_hour", hourly(|sample| sample.memory));
        report.add("disk_bytes_per_hour", hourly(|sample| sample.disk));
    }
}

/// Bytes per second, by least squares; 0 of less than two samples.
fn slope(samples: &[Sample], of: fn(&Sample) -> u64) -> f64 {
    let count = samples.len() as f64;
    let mean = |each: &dyn Fn(&Sample) -> f64| samples.iter().map(each).sum::<f64>() / count;
    let at = mean(&|sample| sample.at_s);
    let bytes = mean(&|sample| of(sample) as f64);
    let mut above = 0.0;
    let mut below = 0.0;
    for sample in samples {
        above += (sample.at_s - at) * (of(sample) as f64 - bytes);
        below += (sample.at_s - at) * (sample.at_s - at);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_found_and_what_wavers_is_none() {
        let samples = |bytes: fn(u64) -> u64| -> Vec<_> {
            let sample = |s| Sample { at_s: s as f64, memory: bytes(s), disk: 0 };
            (0..1_000).map(sample).collect()
        };
        let slope = |samples: Vec<Sample>| slope(&samples, |sample| sample.memory).round();
        assert_eq!(slope(samples(|s| 500 + 3 * s)), 3.0);
        assert_eq!(slope(samples(|s| 500 + s % 2)), 0.0);
        assert_eq!(slope(Vec::new()), 0.0);
    }
}
