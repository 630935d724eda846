//! The subcommand `node`: configuration, log, start, Ctrl-C.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use crate::{
    config::{ConfigSources, Loaded},
    node::{NodeBuilder, RunningNode, Signals, StopReport, say, start_log},
};

/// Runs a node of `builder`'s parts until Ctrl-C or SIGTERM.
pub(super) fn run(
    mut builder: NodeBuilder,
    defaults: &[(&'static str, String)],
    args: Vec<OsString>,
) -> ExitCode {
    let sources = ConfigSources { args, ..ConfigSources::of_process(defaults) };
    let config = match sources.load() {
        Ok(Loaded::Node { config, .. }) => *config,
        Ok(Loaded::Answer(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    start_log(&config.log.level);
    builder.configure(config);
    match builder.start() {
        Ok(node) => serve(node),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(node: RunningNode) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(until_stopped(node))) {
        Ok(report) => {
            for (id, why) in report.left_sessions.iter().take(LEFT_NAMED_MAX) {
                eprintln!("left behind: {id}: {why}");
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("cannot wait for a signal: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The log names all that is left; whoever reads the terminal sees so many.
const LEFT_NAMED_MAX: usize = 20;

/// How often a node is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A drain tells how far it is, at most so often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Serves until a signal comes or an operator has drained the node, and stops it.
async fn until_stopped(node: RunningNode) -> std::io::Result<StopReport> {
    // Before anybody can know that the node is there.
    let mut signals = Signals::new()?;
    say(&greeting(&node));
    let is_drained = loop {
        if tokio::time::timeout(LOOK_EVERY, signals.next()).await.is_ok() {
            break false;
        }
        if node.has_drained() {
            break true;
        }
    };
    let (links, sessions) = node.counts();
    let is_durable = node.is_durable();
    if !is_drained {
        let fate = if is_durable { "handed over or parked" } else { "told" };
        say(&format!(
            "stopping: {sessions} sessions, {links} of them connected, are {fate}; \
             once more ends it now"
        ));
    }
    let progress = node.progress();
    let stopping = std::thread::spawn(move || node.stop());
    let (mut told, mut looks) = (None, 0);
    while !stopping.is_finished() {
        // A second signal does not wait for sessions that hang.
        if tokio::time::timeout(LOOK_EVERY, signals.next()).await.is_ok() {
            say("stopped at once: sessions were left");
            std::process::exit(1);
        }
        looks += 1;
        let now = progress();
        if LOOK_EVERY * looks >= TELL_EVERY && is_durable && !is_drained && now != told {
            if let Some((left, gone)) = now {
                say(&format!("draining: {gone} sessions are gone, {left} are left"));
            }
            (told, looks) = (now, 0);
        }
    }
    // A panic of the stop is ours, and its message is in the log.
    let report = stopping.join().map_err(|_| std::io::Error::other("the stop has panicked"))?;
    if is_durable {
        // For machines; people read the last line.
        let json = serde_json::to_string(&report).map_err(std::io::Error::other)?;
        say(&format!("drain report: {json}"));
    }
    say(&last_words(&report, is_durable));
    Ok(report)
}

fn last_words(report: &StopReport, is_durable: bool) -> String {
    let StopReport { moved, parked, ended, left, lost, pause_p99_ms, pause_max_ms, .. } = report;
    if !is_durable {
        return format!("stopped: {ended} sessions ended, {left} left");
    }
    let pause = if moved + parked + report.vactors == 0 {
        String::new()
    } else {
        format!(", pause p99 {pause_p99_ms:.1} ms, longest {pause_max_ms:.1} ms")
    };
    let has_left = if report.has_left { "" } else { "; the cluster does not know yet" };
    let mut all = format!("{moved} sessions moved, {parked} parked, {ended} ended");
    if report.vactors > 0 {
        all += &format!(", {} VActors gone", report.vactors);
    }
    all += &format!(", {left} left, {lost} lost");
    format!("stopped: {all}{pause}{has_left}")
}

fn greeting(node: &RunningNode) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let http: Vec<_> = node.http_addresses().iter().map(|at| format!("http://{at}")).collect();
    let link: Vec<_> = node.link_addresses().iter().map(|at| format!("tcp://{at}")).collect();
    let places = [http, link].concat().join("   ");
    format!("throughline {version}   1 node   {places}   (Ctrl-C stops)")
}
