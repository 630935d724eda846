//! `throughline status`.

use std::time::Duration;

use crate::{
    Ending,
    admin::Question,
    answer::{Queues, Status, Swept},
    drain,
    error::Error,
    nodes::Nodes,
    output,
    output::Table,
};

const HEAD: [&str; 11] = [
    "node",
    "state",
    "#sessions",
    "#connected",
    "#vactors",
    "#came/went",
    "#parked",
    "#pause p99",
    "#lost",
    "up",
    "admin",
];

pub(crate) async fn run(nodes: &Nodes) -> Result<Ending, Error> {
    let answers = nodes.ask::<Status>(&Question::get("/status")).await;
    if !nodes.is_json {
        let mut table = Table::new(HEAD);
        for (address, answer) in &answers {
            table.row(match answer {
                Ok((status, _)) => row(address, status),
                Err(_) => silent(address),
            });
        }
        table.print()?;
        for (_, answer) in &answers {
            if let Ok((Status { node, store_trouble: Some(trouble), .. }, _)) = answer {
                output::line(&format!("n{node}: the store: {trouble}"))?;
            }
            if let Ok((Status { node, queues, .. }, _)) = answer
                && *queues != Queues::default()
            {
                output::line(&format!("n{node}: {}", messages(queues)))?;
            }
            if let Ok((Status { node, swept, .. }, _)) = answer
                && *swept != Swept::default()
            {
                output::line(&format!("n{node}: {}", cleared(swept)))?;
            }
            if let Ok((Status { node, drain: Some(drain), .. }, _)) = answer {
                output::line(&format!("n{node}: {}", drain::describe(drain)))?;
            }
        }
    }
    nodes.report(&answers)?;
    Ok(Ending::of(answers.iter().all(|(_, answer)| answer.is_ok())))
}

fn row(address: &str, status: &Status) -> [String; HEAD.len()] {
    let pause = status.pause_p99_ms.map_or_else(|| "-".to_owned(), milliseconds);
    let up = humantime::format_duration(Duration::from_secs(status.uptime_s)).to_string();
    // The two largest units are enough: 3days 4h.
    let up = up.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let maintenance = if status.maintenance { ", maintenance" } else { "" };
    [
        format!("n{}", status.node),
        format!("{}{maintenance}", status.state),
        status.sessions.to_string(),
        status.connected.to_string(),
        status.vactors.to_string(),
        format!("{}/{}", status.handovers_in, status.handovers_out),
        status.parked.to_string(),
        pause,
        status.lost.to_string(),
        up,
        address.to_owned(),
    ]
}

/// What became of durable messages.
fn messages(queues: &Queues) -> String {
    let Queues { enqueued, full, handled, pokes_lost, swept, swept_bytes, .. } = queues;
    let mut text = format!("messages: {enqueued} enqueued, {handled} handled");
    let mut also = |count: u64, what: &str| {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    };
    also(*full, "refused at a limit");
    also(*pokes_lost, "pokes lost");
    also(queues.dead_letters, "dead letters");
    also(queues.dead_letters_dropped, "dead letters dropped to make room");
    also(queues.dead_letters_lost, "dead letters lost");
    also(*swept, &format!("expired and removed ({swept_bytes} bytes)"));
    text
}

/// What sweeps have cleared away.
fn cleared(swept: &Swept) -> String {
    let Swept { ended, expired, of_the_dead, nodes, members } = swept;
    format!(
        "cleared away: {ended} ended records, {expired} expired sessions, {of_the_dead} records \
         of dead nodes, {nodes} entries of nodes, {members} members of groups"
    )
}

fn silent(address: &str) -> [String; HEAD.len()] {
    let mut row: [String; HEAD.len()] = std::array::from_fn(|_| "-".to_owned());
    row[1] = "no answer".to_owned();
    row[HEAD.len() - 1] = address.to_owned();
    row
}

/// `7 ms`, and with a decimal below 10.
pub(crate) fn milliseconds(milliseconds: f64) -> String {
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_a_node_does() {
        let text = r#"{"node":2,"state":"serving","sessions":41,"connected":40,
            "vactors":12,"handovers_in":12,
            "handovers_out":3,"pause_p99_ms":6.25,"lost":0,"uptime_s":97200,"maintenance":true,
            "later":"unknown fields are passed over"}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        let row = row("127.0.0.1:7722", &status);
        assert_eq!(row[..2], ["n2", "serving, maintenance"]);
        assert_eq!(row[2..9], ["41", "40", "12", "12/3", "0", "6.2 ms", "0"]);
        assert_eq!(row[9..], ["1day 3h", "127.0.0.1:7722"]);
        assert_eq!(status.queues, Queues::default());
    }

    #[test]
    fn what_sweeps_have_cleared_away_has_a_line_of_its_own() {
        let swept: Swept = serde_json::from_str(r#"{"ended":7,"nodes":1}"#).unwrap();
        let line = "cleared away: 7 ended records, 0 expired sessions, 0 records of dead nodes, 1 \
                    entries of nodes, 0 members of groups";
        assert_eq!(cleared(&swept), line);
    }

    #[test]
    fn durable_messages_have_a_line_of_their_own() {
        let text = r#"{"enqueued":7,"handled":5,"missed":1,"swept":2,"swept_bytes":300}"#;
        let queues: Queues = serde_json::from_str(text).unwrap();
        let line = "messages: 7 enqueued, 5 handled, 2 expired and removed (300 bytes)";
        assert_eq!(messages(&queues), line);
        let lost = Queues { full: 3, pokes_lost: 1, dead_letters: 2, ..Queues::default() };
        let line = "messages: 0 enqueued, 0 handled, 3 refused at a limit, 1 pokes lost, 2 dead \
                    letters";
        assert_eq!(messages(&lost), line);
    }
}
