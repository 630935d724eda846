//! `throughline drain`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{
    Ending,
    admin::{AskError, Question},
    answer::{Drain, DrainReport},
    arguments::DrainCommand,
    error::Error,
    nodes::{self, Nodes},
    orders, output,
    status::milliseconds,
};

/// A question about the progress waits so long for the end of the drain before it is answered.
const LOOK: &str = "/drain?wait=250ms";

/// What is left is named; of more than so many records, only the number.
const LEFT_SHOWN_MAX: usize = 20;

pub(crate) async fn run(command: DrainCommand, nodes: &Nodes) -> Result<Ending, Error> {
    let path = match command {
        DrainCommand::Start { rate, deadline, wait } => {
            return start(rate, deadline, wait, nodes).await;
        }
        DrainCommand::Status => return nodes.order(&Question::get("/drain"), said).await,
        DrainCommand::Pause => "/drain/pause",
        DrainCommand::Resume => "/drain/resume",
        DrainCommand::Stop => "/drain/stop",
    };
    nodes.order(&Question::post(path), said).await
}

fn said(address: &str, drain: &Drain) -> String {
    let report = drain.report.as_ref().map(report).unwrap_or_default();
    [vec![format!("{address}: {}", describe(drain))], report].concat().join("\n")
}

/// A drain in a line.
pub(crate) fn describe(drain: &Drain) -> String {
    let counts = format!(
        "{} moved, {} parked, {} ended, {} VActors gone, {} to go",
        drain.moved,
        drain.parked,
        drain.ended,
        drain.vactors,
        drain.to_go()
    );
    match drain.state.as_str() {
        "none" => "no drain".to_owned(),
        "ordered" => "the drain begins".to_owned(),
        "running" => format!("draining: {counts}"),
        "paused" => format!("the drain is paused: {counts}"),
        "over" if drain.stopped => "the drain was stopped by an operator".to_owned(),
        "over" => "the drain is over".to_owned(),
        other => format!("{other}: {counts}"),
    }
}

/// A report in lines.
fn report(report: &DrainReport) -> Vec<String> {
    let unknown = if report.has_left { "" } else { "; the cluster does not know that it has left" };
    let mut lines = vec![format!(
        "{} moved, {} parked, {} ended, {} VActors gone, {} left, {} lost; \
         pause p50 {}, p99 {}, longest {}; took {:.1} s{unknown}",
        report.moved,
        report.parked,
        report.ended,
        report.vactors,
        report.left,
        report.lost,
        milliseconds(report.pause_p50_ms),
        milliseconds(report.pause_p99_ms),
        milliseconds(report.pause_max_ms),
        report.took_s,
    )];
    let named = report.left_sessions.iter().take(LEFT_SHOWN_MAX);
    lines.extend(named.map(|(record, why)| format!("  left: {record}: {why}")));
    let others = report.left.saturating_sub(lines.len() as u64 - 1);
    if others > 0 {
        lines.push(format!("  and {others} more; the node's log names them"));
    }
    lines
}

async fn start(
    rate: Option<u32>,
    deadline: Option<Duration>,
    wait: bool,
    nodes: &Nodes,
) -> Result<Ending, Error> {
    let address = nodes.only()?;
    let parts = [
        rate.map(|rate| format!("rate={rate}")),
        deadline.map(|deadline| format!("deadline={}", orders::as_query(deadline))),
    ];
    let query = parts.into_iter().flatten().collect::<Vec<_>>().join("&");
    let question = Question::post(format!("/drain?{query}"));
    let (drain, value) = nodes::ask::<Drain>(address, &question).await?;
    if wait {
        return wait_for(address, drain, nodes.is_json).await;
    }
    if nodes.is_json {
        output::document(&nodes::of(address, value))?;
    } else {
        output::line(&said(address, &drain))?;
    }
    Ok(Ending::Well)
}

/// Shows the progress until the report is there, or the node is gone.
async fn wait_for(address: &str, mut drain: Drain, is_json: bool) -> Result<Ending, Error> {
    let bar = if is_json { ProgressBar::hidden() } else { progress_bar() };
    loop {
        show(&bar, &drain);
        match nodes::ask::<Drain>(address, &Question::get(LOOK)).await {
            Ok((now, value)) => {
                drain = now;
                if drain.state == "over" {
                    bar.finish_and_clear();
                    return finish(address, &drain, value, is_json);
                }
            }
            Err(error) => {
                bar.finish_and_clear();
                return gone(address, &drain, error, is_json);
            }
        }
    }
}

fn progress_bar() -> ProgressBar {
    let template = "{msg} [{bar:32}] {pos}/{len}, {elapsed}, {eta} to go";
    // The template is a constant, and names fields that indicatif has.
    let style = ProgressStyle::with_template(template)
        .expect("the template names fields that indicatif has")
        .progress_chars("=> ");
    ProgressBar::new(0).with_style(style)
}

fn show(bar: &ProgressBar, drain: &Drain) {
    bar.set_length(drain.gone() + drain.to_go());
    bar.set_position(drain.gone());
    bar.set_message(if drain.state == "paused" { "paused" } else { "draining" });
}

fn finish(address: &str, drain: &Drain, value: Value, is_json: bool) -> Result<Ending, Error> {
    if is_json {
        output::document(&nodes::of(address, value))?;
    } else {
        output::line(&said(address, drain))?;
    }
    // As the node's own exit status has it.
    Ok(Ending::of(drain.report.as_ref().is_some_and(DrainReport::is_clean)))
}

/// The node no longer answers. One that is empty exits; what it held then tells whether it was.
fn gone(address: &str, drain: &Drain, error: AskError, is_json: bool) -> Result<Ending, Error> {
    if !error.is_gone() {
        return Err(error.into());
    }
    let to_go = drain.to_go();
    if is_json {
        let value = serde_json::json!({ "state": "gone", "last_seen_to_go": to_go });
        output::document(&nodes::of(address, value))?;
    } else {
        let text = format!(
            "{address}: the node has exited; when last seen: {}. Its log has the report",
            describe(drain)
        );
        output::line(&text)?;
    }
    Ok(was_emptied(drain))
}

/// Whether the node held nothing any more when it was last seen.
fn was_emptied(drain: &Drain) -> Ending {
    // A drain that was just ordered has counted nothing yet.
    Ending::of(drain.to_go() == 0 && drain.state != "ordered")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named_and_the_rest_counted() {
        let left = |n: u64| (format!("session {n}"), "its turn hangs".to_owned());
        let drained = DrainReport {
            left_sessions: (0..40).map(left).collect(),
            left: 45,
            took_s: 60.0,
            ..DrainReport::default()
        };
        let lines = report(&drained);
        assert!(lines[0].contains("45 left,") && lines[0].contains("60.0 s"), "{}", lines[0]);
        assert_eq!(lines.len(), 1 + LEFT_SHOWN_MAX + 1);
        assert_eq!(lines[1], "  left: session 0: its turn hangs");
        assert!(lines.last().is_some_and(|line| line.starts_with("  and 25 more")));
    }

    #[test]
    fn a_drain_that_lost_something_is_not_clean_as_its_node_says() {
        let mut report = DrainReport { has_left: true, moved: 3, ..DrainReport::default() };
        assert!(report.is_clean());
        report.lost = 1;
        assert!(!report.is_clean());
    }

    #[test]
    fn a_node_that_exits_empty_was_drained_and_one_that_dies_was_not() {
        let mut drain = Drain { state: "running".to_owned(), parked: 7, ..Drain::default() };
        assert_eq!(was_emptied(&drain), Ending::Well);
        drain.leaving = 1;
        assert_eq!(was_emptied(&drain), Ending::NotWell);
        let ordered = Drain { state: "ordered".to_owned(), ..Drain::default() };
        assert_eq!(was_emptied(&ordered), Ending::NotWell);
    }
}
