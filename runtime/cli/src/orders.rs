//! `throughline announce` and `throughline maintenance`.

use std::time::Duration;

use serde::Deserialize;

use crate::{Ending, admin::Question, arguments::MaintenanceCommand, error::Error, nodes::Nodes};

/// How many sessions were told.
#[derive(Debug, Deserialize)]
struct Announced {
    told: u64,
}

/// What a node says of its maintenance.
#[derive(Debug, Deserialize)]
struct Maintenance {}

pub(crate) async fn announce(nodes: &Nodes, text: &str) -> Result<Ending, Error> {
    let question = Question { body: text.to_owned(), ..Question::post("/announce") };
    let said = |address: &str, announced: &Announced| {
        format!("{address}: {} sessions are told", announced.told)
    };
    nodes.order(&question, said).await
}

pub(crate) async fn maintenance(
    command: MaintenanceCommand,
    nodes: &Nodes,
) -> Result<Ending, Error> {
    match command {
        MaintenanceCommand::On { retry_after } => {
            let path = format!("/maintenance?retry-after={}", as_query(retry_after));
            let time = humantime::format_duration(retry_after);
            let said = |address: &str, _: &Maintenance| {
                format!(
                    "{address}: logins are refused and told to come back after {time}; sessions \
                     go on"
                )
            };
            nodes.order(&Question::post(path), said).await
        }
        MaintenanceCommand::Off => {
            let said = |address: &str, _: &Maintenance| format!("{address}: logins are taken");
            nodes.order(&Question::delete("/maintenance"), said).await
        }
    }
}

/// A time in one unit, without a blank.
pub(crate) fn as_query(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
