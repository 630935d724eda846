//! Options that scenarios share.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bar::Bar;
use crate::error::Error;

/// Options of every scenario.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// How long to measure, in seconds
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,

    /// Print one JSON object of flat fields and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// A number that a field of the report must reach or not exceed; may be repeated
    #[arg(long = "bar", value_name = "FIELD>=X or FIELD<=X")]
    pub(crate) bars: Vec<Bar>,

    /// Where everything random starts from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The longest run: a day. A soak is another scenario's.
const SECONDS_MAX: u64 = 86_400;

impl Common {
    /// Refuses what cannot be measured.
    pub(crate) fn check(&self) -> Result<(), Error> {
        within("--seconds", self.seconds, 1, SECONDS_MAX)
    }

    /// A progress bar of so many steps, on standard error; hidden with `--json`.
    pub(crate) fn progress(&self, steps: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{elapsed:>5} [{bar:40}] {msg}")
            .expect("the template names fields that indicatif has")
            .progress_chars("=> ");
        let target =
            if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        ProgressBar::with_draw_target(Some(steps), target).with_style(style)
    }
}

/// Refuses a number outside of its range, by the name of its option.
pub(crate) fn within(option: &'static str, found: u64, from: u64, to: u64) -> Result<(), Error> {
    if (from..=to).contains(&found) {
        return Ok(());
    }
    Err(Error::Option { option, from, to, found })
}

/// Options for a child, each with its value.
pub(crate) fn pass(options: &[(&str, &dyn ToString)]) -> Vec<String> {
    options.iter().flat_map(|(name, value)| [format!("--{name}"), value.to_string()]).collect()
}

/// How long one slice of a comparison takes.
pub(crate) const SLICE: Duration = Duration::from_secs(1);
