//! `throughline sessions`.

use serde::Deserialize;
use serde_json::json;

use crate::{
    Ending,
    admin::{AskError, Question, encoded},
    answer::{SessionRow, Sessions},
    arguments::SessionsCommand,
    error::Error,
    nodes::{self, Nodes},
    output::{self, Table},
};

/// Sessions in one answer, at most: what a node gives.
const PAGE_MAX: u32 = 1_000;

pub(crate) async fn run(command: SessionsCommand, nodes: &Nodes) -> Result<Ending, Error> {
    match command {
        SessionsCommand::List { after, limit } => list(after, limit, nodes).await,
        SessionsCommand::Kick { id, reason } => kick(&id, &reason, nodes).await,
    }
}

async fn list(after: Option<String>, limit: u32, nodes: &Nodes) -> Result<Ending, Error> {
    let (mut table, mut more) = (Table::new(["session", "key", "admin"]), Vec::new());
    let (mut count, mut is_well) = (0_usize, true);
    for address in nodes.addresses() {
        let (rows, next, failure) = pages(address, after.clone(), limit).await;
        if nodes.is_json && failure.is_none() {
            output::document(&json!({ "admin": address, "sessions": rows, "next": next }))?;
        }
        count += rows.len();
        for SessionRow { id, key } in rows {
            // A key is the game's text: what a terminal would obey is written out.
            let key = key.map_or_else(|| "-".to_owned(), |key| key.escape_debug().to_string());
            table.row([id, key, address.clone()]);
        }
        more.extend(next.map(|next| format!("more at {address}: --after {next}")));
        if let Some(error) = failure {
            is_well = false;
            nodes.failure(address, &error)?;
        }
    }
    if !nodes.is_json {
        table.print()?;
        output::line(&format!("{count} sessions"))?;
        more.iter().try_for_each(|text| output::line(text))?;
    }
    Ok(Ending::of(is_well))
}

/// Up to `limit` sessions of one node, where the next ones begin, and why it was not asked for
/// them if it could not be.
async fn pages(
    address: &str,
    mut after: Option<String>,
    limit: u32,
) -> (Vec<SessionRow>, Option<String>, Option<AskError>) {
    let mut rows = Vec::new();
    loop {
        let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left == 0 {
            return (rows, after, None);
        }
        let mut path = format!("/sessions?limit={}", left.min(PAGE_MAX));
        if let Some(after) = &after {
            path += &format!("&after={}", encoded(after));
        }
        match nodes::ask::<Sessions>(address, &Question::get(path)).await {
            Ok((page, _)) => {
                let is_empty = page.sessions.is_empty();
                rows.extend(page.sessions);
                after = page.next;
                if after.is_none() || is_empty {
                    return (rows, after, None);
                }
            }
            Err(error) => return (rows, after, Some(error)),
        }
    }
}

/// What a node says of a session that it ended.
#[derive(Debug, Deserialize)]
struct Kicked {}

async fn kick(id: &str, reason: &str, nodes: &Nodes) -> Result<Ending, Error> {
    let question = Question::post(format!("/sessions/{}/kick?reason={reason}", encoded(id)));
    let mut is_known = false;
    for address in nodes.addresses() {
        match nodes::ask::<Kicked>(address, &question).await {
            Ok((_, value)) if nodes.is_json => {
                output::document(&nodes::of(address, value))?;
                return Ok(Ending::Well);
            }
            Ok(_) => {
                output::line(&format!("session {id} at {address} ends: {reason}"))?;
                return Ok(Ending::Well);
            }
            // It may be at the next one.
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                is_known = true;
                nodes.failure(address, &error)?;
            }
        }
    }
    if is_known {
        return Ok(Ending::NotWell);
    }
    let (id, asked) = (id.to_owned(), nodes.addresses().join(", "));
    Err(Error::NoSuchSession { id, asked })
}
