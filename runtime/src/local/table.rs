//! The table: how everything is, in lines of text.

use super::{
    member::{Life, Member},
    role::Role,
    supervisor::Supervisor,
};

/// How a line is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Faint,
    Good,
    Warning,
    Bad,
}

/// One line, and how it looks.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) selected: bool,
}

impl Line {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone, selected: false }
    }
}

/// What stands above the table.
pub(super) fn heading(cluster: &Supervisor) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let nodes = cluster.options.nodes;
    let plural = if nodes == 1 { "node" } else { "nodes" };
    let (dir, url) = (cluster.layout.dir().display(), cluster.url());
    format!("throughline {version}   {nodes} {plural}, 1 hub, sled at {dir}   {url}")
}

pub(super) const KEYS: &str =
    "(q quits, 1-9 select, d drains, k kills, x stops, s starts, r restarts all in turn)";

/// The table, a line for each node, and one for what else does not serve.
pub(super) fn lines(cluster: &Supervisor) -> Vec<Line> {
    let head =
        ["node", "state", "sessions", "vactors", "turns/s", "handovers", "pause p99", "lost"];
    let mut lines = vec![Line::new(Tone::Faint, cells(head))];
    for member in &cluster.members {
        let line = match member.role {
            Role::Node(_) => Line::new(tone(member), cells(row(member).each_ref().map(|s| &**s))),
            Role::Hub | Role::Balancer => {
                let is_selected = member.role == cluster.selected;
                if matches!(member.life, Life::Serving | Life::Absent) && !is_selected {
                    continue;
                }
                let text = format!("{:<8} {}", member.role.to_string(), member.state());
                Line::new(tone(member), text)
            }
        };
        lines.push(Line { selected: member.role == cluster.selected, ..line });
    }
    lines
}

fn row(member: &Member) -> [String; 8] {
    let (name, state) = (member.role.to_string(), member.state().to_owned());
    let Some(status) = &member.status else {
        let mut row: [String; 8] = std::array::from_fn(|_| "-".to_owned());
        (row[0], row[1]) = (name, state);
        return row;
    };
    let sessions = match member.drained_from {
        Some(from) if status.state == "draining" => format!("{from} -> {}", status.sessions),
        _ => status.sessions.to_string(),
    };
    let pause = match status.pause_p99_ms {
        Some(pause) if pause < 9.95 => format!("{pause:.1} ms"),
        Some(pause) => format!("{pause:.0} ms"),
        None => "-".to_owned(),
    };
    let turns = format!("{:.0}", member.turns_per_s);
    let (handovers, lost) = (status.handovers_in.to_string(), status.lost.to_string());
    let vactors = status.vactors.to_string();
    [name, state, sessions, vactors, turns, handovers, pause, lost]
}

fn cells([name, state, sessions, vactors, turns, handovers, pause, lost]: [&str; 8]) -> String {
    format!(
        "{name:<6} {state:<10} {sessions:>10} {vactors:>9} {turns:>9} {handovers:>11} {pause:>11} \
         {lost:>6}"
    )
}

fn tone(member: &Member) -> Tone {
    match (&member.life, member.state()) {
        (Life::Serving, "serving") => Tone::Good,
        (Life::Ended(_), "stopped" | "drained") | (Life::Absent, _) => Tone::Faint,
        (Life::Ended(_), _) | (_, "fenced" | "lapsed") => Tone::Bad,
        _ => Tone::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::Status;
    use super::*;

    #[test]
    fn a_draining_node_shows_what_it_had_and_has() {
        let mut member = Member::new(Role::Node(2));
        member.life = Life::Serving;
        let pause_p99_ms = Some(6.6);
        let serving = Status {
            state: "serving".into(),
            sessions: 27,
            handovers_in: 131,
            pause_p99_ms,
            ..Status::default()
        };
        member.learn(serving.clone());
        member.learn(Status { state: "draining".into(), sessions: 9, ..serving });
        let cells = row(&member);
        assert_eq!(cells[..3], ["n2", "draining", "27 -> 9"]);
        assert_eq!(cells[5..], ["131", "6.6 ms", "0"]);
        assert_eq!(tone(&member), Tone::Warning);
    }
}
