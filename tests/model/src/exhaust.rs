//! Every state within some bounds.

use std::io;

use stateright::{Checker, Model, report::WriteReporter};

use crate::Bounds;

/// Whether it is shown how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// On the standard error, every second.
    Shown,
    /// Not at all.
    Hidden,
}

/// Checks every state within the bounds; gives a line with them, and what was found.
///
/// # Panics
/// If something does not hold; what leads there is printed.
#[must_use]
pub fn exhaust(name: &str, bounds: Bounds, progress: Progress) -> String {
    let left = bounds.left;
    let text = format!(
        "{} nodes, {} clients, {} attempts each, {} messages each on their way, {left:?}",
        bounds.nodes.len(),
        bounds.clients.len(),
        bounds.attempts,
        bounds.messages,
    );
    let checker = bounds.checker().threads(2).spawn_bfs();
    let checker = match progress {
        Progress::Shown => checker.join_and_report(&mut WriteReporter::new(&mut io::stderr())),
        Progress::Hidden => checker.join(),
    };
    checker.assert_properties();
    assert!(checker.is_done(), "{name}: not exhaustive");
    format!(
        "{name}: {} states, {} transitions, depth {}; {text}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    )
}
