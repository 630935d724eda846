//! What is printed.

use std::time::Duration;

use crate::fault::{FaultKind, Fired};
use crate::run::Outcome;
use crate::truth::Counts;

/// From so many seeds on every kind of fault must have taken effect.
const SEEDS_FOR_ALL: u64 = 200;

/// So many messages at least, in so many seeds: fewer mean that hardly anything was played.
const MESSAGES_MIN: u64 = 100_000;

/// All runs together.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    seeds: u64,
    simulated: Duration,
    counts: Counts,
    fired: Fired,
    failed: u64,
}

/// Says what is wrong with a run, and how it is repeated.
pub(crate) fn failed(outcome: &Outcome, minutes: u64) {
    let seed = outcome.seed;
    eprintln!("seed {seed} failed:");
    for failure in &outcome.failures {
        eprintln!("    {failure}");
    }
    eprintln!(
        "  to repeat it: cargo run --profile sim -p throughline-sim -- --seeds 1 --from {seed} \
         --minutes {minutes} --trace"
    );
}

impl Totals {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.simulated += outcome.simulated;
        self.counts.add(outcome.counts);
        self.fired.add(&outcome.fired);
        self.failed += u64::from(!outcome.failures.is_empty());
    }

    /// Whether all that must be 0 is 0. A few seeds need not have met every kind of fault.
    pub(crate) fn is_right(&self, seeds: u64) -> bool {
        let Counts { lost, duplicated, reordered, double_owner, messages, .. } = self.counts;
        // Else games are told apart that are the same, and nothing is compared.
        let are_games_told = self.counts.half_told < self.counts.games;
        let is_whole = seeds < SEEDS_FOR_ALL || self.fired.never().is_empty();
        self.failed + lost + duplicated + reordered + double_owner == 0
            && messages > 0
            && is_whole
            && (seeds < SEEDS_FOR_ALL || are_games_told && messages >= MESSAGES_MIN)
    }

    fn fields(&self) -> Vec<(&'static str, f64)> {
        let Counts { messages, lost, duplicated, reordered, double_owner, games, half_told } =
            self.counts;
        let hours = (self.simulated.as_secs_f64() / 36.0).round() / 100.0;
        let whole = [
            ("messages", messages),
            ("lost", lost),
            ("duplicated", duplicated),
            ("reordered", reordered),
            ("double_owner", double_owner),
            ("failed_seeds", self.failed),
            ("kinds_never_fired", self.fired.never().len() as u64),
            ("omok_games", games),
            ("omok_games_half_told", half_told),
        ];
        let faults = FaultKind::ALL.map(|kind| (kind.field().0, self.fired.of(kind)));
        let mut fields = vec![("seeds", self.seeds as f64), ("simulated_hours", hours)];
        fields.extend(whole.into_iter().chain(faults).map(|(name, count)| (name, count as f64)));
        fields
    }

    pub(crate) fn json(&self) -> String {
        let number = |value: f64| match value.fract() {
            0.0 => serde_json::Value::from(value as u64),
            _ => serde_json::Value::from(value),
        };
        let fields = self.fields();
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), number(value)));
        serde_json::Value::Object(fields.collect()).to_string()
    }

    pub(crate) fn show(&self) {
        for (name, value) in self.fields().into_iter().take(2 + 8) {
            println!("{name:<18} {value:>12}");
        }
        println!("\nfaults that took effect");
        for kind in FaultKind::ALL {
            let (name, what) = kind.field();
            println!("{:>2} {name:<20} {:>8}  {what}", kind.number(), self.fired.of(kind));
        }
    }
}
