//! What the suite answers.

use crate::conformance::Case;

/// A rule of the law that a store broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} is broken: {what} (case {case}, seed {seed})")]
#[non_exhaustive]
pub struct Breach {
    /// The rule's number in the documentation of `Store`.
    pub rule: u8,
    /// How it was broken.
    pub what: String,
    /// The case that found it.
    pub case: &'static str,
    /// The seed it found it with.
    pub seed: u64,
}

impl Breach {
    pub(crate) fn new(rule: u8, what: impl Into<String>) -> Self {
        Self { rule, what: what.into(), case: "", seed: 0 }
    }

    pub(crate) fn of(self, case: &Case, seed: u64) -> Self {
        Self { case: case.name, seed, ..self }
    }
}
