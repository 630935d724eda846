//! What a scenario found: flat fields, as one JSON object or as a table.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::bar::Bar;
use crate::git;
use crate::latency::Latency;
use crate::numbers::Counts;
use crate::options::Common;

/// Digits behind the point of every number that has any: microseconds of a millisecond.
const SCALE: f64 = 1e3;

/// The fields of a finished run, in the order they were added.
#[derive(Debug)]
pub(crate) struct Report {
    fields: Vec<(String, Value)>,
    wrong: Vec<String>,
}

impl Report {
    /// With the fields that every scenario has.
    pub(crate) fn new(scenario: &str, seconds: u64, nodes: u64, clients: u64) -> Self {
        let mut report = Self { fields: Vec::new(), wrong: Vec::new() };
        report.add("scenario", scenario);
        report.add("seconds", seconds);
        report.add("nodes", nodes);
        report.add("clients", clients);
        report.add("store", "none");
        report.add("git", git::state());
        report.add("cores", cores());
        report
    }

    /// With the store that the nodes use.
    pub(crate) fn on_store(mut self, store: &str) -> Self {
        for (name, value) in &mut self.fields {
            if name == "store" {
                *value = store.into();
            }
        }
        self
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.fields.push((name.into(), value.into()));
    }

    /// A number, rounded to three digits behind the point.
    pub(crate) fn add_number(&mut self, name: impl Into<String>, number: f64) {
        self.add(name, (number * SCALE).round() / SCALE);
    }

    /// A counter that must be 0, or the run has failed.
    pub(crate) fn add_zero(&mut self, name: impl Into<String>, count: u64) {
        let name = name.into();
        if count != 0 {
            self.wrong.push(name.clone());
        }
        self.add(name, count);
    }

    /// What we reach, what is possible here, and their ratio.
    pub(crate) fn add_ratio(&mut self, value: f64, limit: f64) {
        self.add_number("value", value);
        self.add_number("limit", limit);
        self.add_number("ratio", if limit > 0.0 { value / limit } else { 0.0 });
    }

    /// What became of messages; `prefix` is empty or ends with `_`.
    pub(crate) fn add_counts(&mut self, prefix: &str, counts: &Counts) {
        self.add_directions(prefix, &[*counts]);
    }

    /// What became of the messages of several directions together. Each direction's lost ones
    /// count, whatever the others have.
    pub(crate) fn add_directions(&mut self, prefix: &str, directions: &[Counts]) {
        let mut counts = Counts::default();
        directions.iter().for_each(|direction| counts += *direction);
        let lost = directions.iter().map(Counts::lost).sum();
        self.add(format!("{prefix}sent"), counts.sent);
        self.add(format!("{prefix}delivered"), counts.delivered);
        self.add_zero(format!("{prefix}lost"), lost);
        self.add_zero(format!("{prefix}duplicated"), counts.duplicated);
        self.add_zero(format!("{prefix}reordered"), counts.reordered);
        self.add_zero(format!("{prefix}corrupted"), counts.corrupted);
    }

    pub(crate) fn add_latency(&mut self, name: &str, latency: &Latency) {
        self.add_number(format!("{name}_p50_ms"), latency.p50_ms());
        self.add_number(format!("{name}_p99_ms"), latency.p99_ms());
        self.add_number(format!("{name}_max_ms"), latency.max_ms());
    }

    /// Prints it and says whether every counter that must be 0 is, and every bar is reached. Each
    /// bar that was missed has a line on standard error.
    pub(crate) fn finish(&self, common: &Common) -> io::Result<ExitCode> {
        let mut output = io::stdout().lock();
        if common.json {
            serde_json::to_writer(&mut output, self)?;
            writeln!(output)?;
        } else {
            output.write_all(self.table().as_bytes())?;
        }
        output.flush()?;
        let missed = self.missed(&common.bars);
        for line in &missed {
            eprintln!("load: bar missed: {line}");
        }
        Ok(if self.wrong.is_empty() && missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn missed(&self, bars: &[Bar]) -> Vec<String> {
        let find = |name: &str| self.fields.iter().find(|(field, _)| field == name);
        let missed = |bar: &Bar| bar.missed(find(bar.field()).map(|(_, value)| value));
        bars.iter().filter_map(missed).collect()
    }

    fn table(&self) -> String {
        let width = self.fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for (name, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            table.push_str(&format!("{name:<width$}  {value:>16}\n"));
        }
        for name in &self.wrong {
            table.push_str(&format!("{name} must be 0\n"));
        }
        table
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

/// Cores this process may use.
pub(crate) fn cores() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u64::try_from(cores).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_flat_and_numbers_are_numbers() {
        let mut report = Report::new("echo", 10, 1, 100);
        report.add_ratio(1.0, 3.0);
        report.add_counts("", &Counts { sent: 2, delivered: 2, ..Counts::default() });
        let value: Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!((&value["scenario"], &value["seconds"]), (&"echo".into(), &10.into()));
        assert_eq!((&value["ratio"], &value["lost"]), (&0.333.into(), &0.into()));
        assert!(value.as_object().unwrap().values().all(|field| !field.is_object()));
        assert!(report.wrong.is_empty());
    }

    #[test]
    fn a_counter_that_must_be_zero_fails_the_run() {
        let mut report = Report::new("cut", 1, 1, 1);
        report.add_counts("up_", &Counts { sent: 2, delivered: 1, ..Counts::default() });
        assert_eq!(report.wrong, ["up_lost"]);
        assert!(report.table().contains("up_lost must be 0"));
    }
}
