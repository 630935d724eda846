//! `throughline dead-letters`.

use std::time::Duration;

use indicatif::HumanDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use throughline_queue::{Clock, DeadLetterError, DeadLetters, FiledLetter};
use throughline_store::Store;

use crate::{
    Ending,
    admin::{AskError, Question, encoded},
    arguments::{DeadLettersCommand, Which},
    error::Error,
    nodes::{self, Nodes},
    output::{self, Table},
    place::Place,
    queue::{age, with_store},
    queue_name::shown,
};

/// Dead letters of one page: what a node gives.
const PAGE: usize = 1_000;
/// `--all` is so many at most; who has more says it again.
const ALL_MAX: usize = 10_000;
/// Of a reason so many characters are shown in the table.
const WHY_MAX: usize = 60;

/// A dead letter, as a node says it and `--json` shows it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Letter {
    id: String,
    to: String,
    kind: String,
    hook: String,
    tries: u32,
    why: String,
    dead_ms: u64,
    kept_until_ms: u64,
    bytes: usize,
    /// In hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// `GET /dead-letters`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Listed {
    dead_letters: Vec<Letter>,
    next: Option<String>,
}

/// What is done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Retry,
    Drop,
}

impl Deed {
    fn said(self, count: usize) -> String {
        match self {
            Self::Retry => format!("{count} messages are back in the queues that they came from"),
            Self::Drop => format!("{count} dead letters are dropped"),
        }
    }
}

impl Letter {
    fn of(filed: &FiledLetter) -> Self {
        let (id, kept_until_ms) = (filed.id(), filed.expires_ms());
        match filed.letter() {
            Ok(letter) => Self {
                id,
                to: shown(&letter.to),
                kind: letter.kind.clone(),
                hook: letter.hook.clone(),
                tries: letter.tries,
                why: letter.why.clone(),
                dead_ms: letter.dead_ms,
                kept_until_ms,
                bytes: letter.payload.len(),
                payload: Some(letter.payload.iter().map(|byte| format!("{byte:02x}")).collect()),
            },
            Err(error) => {
                let why = format!("this letter cannot be read: {error}");
                Self { id, why, kept_until_ms, ..Self::default() }
            }
        }
    }
}

/// Does it in a store that nobody has open.
pub(crate) fn in_store(command: DeadLettersCommand, is_json: bool) -> Result<Ending, Error> {
    let Some(path) = command.store().cloned() else { return Ok(Ending::NotWell) };
    let place = Place::Sled(path);
    match command {
        DeadLettersCommand::List { after, limit, .. } => {
            let listed = with_store(place, async move |store| {
                list(store, after.as_deref(), limit as usize).await
            })?;
            print_list(&listed, is_json)
        }
        DeadLettersCommand::Show { id, .. } => {
            let letter = with_store(place, async move |store| {
                Ok(Letter::of(&DeadLetters::find(store, &id).await?))
            })?;
            print_letter(&letter, &json!(letter), is_json)
        }
        DeadLettersCommand::Retry { which, .. } => {
            let done = with_store(place, async move |store| deal(store, which, Deed::Retry).await)?;
            print_done(Deed::Retry, done, is_json)
        }
        DeadLettersCommand::Drop { which, .. } => {
            let done = with_store(place, async move |store| deal(store, which, Deed::Drop).await)?;
            print_done(Deed::Drop, done, is_json)
        }
    }?;
    Ok(Ending::Well)
}

async fn list(store: &dyn Store, after: Option<&str>, limit: usize) -> Result<Listed, Error> {
    let now_ms = Clock::system().now_ms();
    let page = DeadLetters::page(store, after, limit, now_ms).await?;
    let next = page.letters.last().filter(|_| page.more).map(FiledLetter::id);
    let letters = page.letters.iter().map(|filed| Letter { payload: None, ..Letter::of(filed) });
    Ok(Listed { dead_letters: letters.collect(), next })
}

/// Does it with all that are there now, since one that is tried again may come back. How many there
/// were: some may go meanwhile.
async fn all<E>(
    page: impl AsyncFn(Option<String>) -> Result<Listed, E>,
    one: impl AsyncFn(&str) -> Result<bool, E>,
) -> Result<usize, E> {
    let (mut ids, mut after) = (Vec::new(), None);
    while ids.len() < ALL_MAX {
        let listed = page(after).await?;
        ids.extend(listed.dead_letters.into_iter().map(|letter| letter.id));
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    let mut count = 0;
    for id in &ids {
        count += usize::from(one(id).await?);
    }
    Ok(count)
}

async fn deal(store: &dyn Store, which: Which, deed: Deed) -> Result<usize, Error> {
    let Some(id) = which.id else {
        let page = async |after: Option<String>| list(store, after.as_deref(), PAGE).await;
        let one = async |id: &str| match deal_one(store, id, deed).await {
            Err(DeadLetterError::NoSuch { .. }) => Ok(false),
            done => Ok(done.map(|()| true)?),
        };
        return all(page, one).await;
    };
    deal_one(store, &id, deed).await?;
    Ok(1)
}

async fn deal_one(store: &dyn Store, id: &str, deed: Deed) -> Result<(), DeadLetterError> {
    match deed {
        Deed::Retry => DeadLetters::retry(store, id, Clock::system().now_ms()).await.map(drop),
        Deed::Drop => DeadLetters::drop(store, id).await,
    }
}

/// Has a node do it. The dead letters are the cluster's, so the first one will do.
pub(crate) async fn at_node(command: DeadLettersCommand, nodes: &Nodes) -> Result<Ending, Error> {
    let Some(address) = nodes.addresses().first() else { return Ok(Ending::NotWell) };
    match command {
        DeadLettersCommand::List { after, limit, .. } => {
            let listed = page(address, after.as_deref(), limit as usize).await?;
            print_list(&listed, nodes.is_json)
        }
        DeadLettersCommand::Show { id, .. } => {
            let question = Question::get(format!("/dead-letters/{}", encoded(&id)));
            let (letter, value) = nodes::ask::<Letter>(address, &question).await?;
            print_letter(&letter, &value, nodes.is_json)
        }
        DeadLettersCommand::Retry { which, .. } => {
            let done = order(address, which, Deed::Retry).await?;
            print_done(Deed::Retry, done, nodes.is_json)
        }
        DeadLettersCommand::Drop { which, .. } => {
            let done = order(address, which, Deed::Drop).await?;
            print_done(Deed::Drop, done, nodes.is_json)
        }
    }?;
    Ok(Ending::Well)
}

async fn page(address: &str, after: Option<&str>, limit: usize) -> Result<Listed, AskError> {
    let mut path = format!("/dead-letters?limit={limit}");
    if let Some(after) = after {
        path += &format!("&after={}", encoded(after));
    }
    Ok(nodes::ask::<Listed>(address, &Question::get(path)).await?.0)
}

async fn order(address: &str, which: Which, deed: Deed) -> Result<usize, AskError> {
    let Some(id) = which.id else {
        let page = async |after: Option<String>| page(address, after.as_deref(), PAGE).await;
        let one = async |id: &str| match order_one(address, id, deed).await {
            Err(error) if error.is_not_found() => Ok(false),
            done => done.map(|()| true),
        };
        return all(page, one).await;
    };
    order_one(address, &id, deed).await?;
    Ok(1)
}

async fn order_one(address: &str, id: &str, deed: Deed) -> Result<(), AskError> {
    let path = format!("/dead-letters/{}", encoded(id));
    let question = match deed {
        Deed::Retry => Question::post(format!("{path}/retry")),
        Deed::Drop => Question::delete(path),
    };
    nodes::ask::<Value>(address, &question).await.map(drop)
}

fn print_list(listed: &Listed, is_json: bool) -> Result<(), Error> {
    if is_json {
        return output::document(&json!(listed));
    }
    if listed.dead_letters.is_empty() {
        return output::line("no dead letters");
    }
    let now_ms = Clock::system().now_ms();
    let mut table = Table::new(["id", "to", "kind", "hook", "#tries", "#age", "#bytes", "why"]);
    for letter in &listed.dead_letters {
        // The game's texts: what a terminal would obey is written out.
        let why: String = letter.why.chars().take(WHY_MAX).collect();
        table.row([
            letter.id.clone(),
            letter.to.clone(),
            letter.kind.escape_debug().to_string(),
            letter.hook.escape_debug().to_string(),
            letter.tries.to_string(),
            age(now_ms.saturating_sub(letter.dead_ms)),
            letter.bytes.to_string(),
            why.escape_debug().to_string(),
        ]);
    }
    table.print()?;
    match &listed.next {
        Some(next) => output::line(&format!("and more: --after {next}")),
        None => Ok(()),
    }
}

fn print_letter(letter: &Letter, value: &Value, is_json: bool) -> Result<(), Error> {
    if is_json {
        return output::document(value);
    }
    let now_ms = Clock::system().now_ms();
    let left = Duration::from_millis(letter.kept_until_ms.saturating_sub(now_ms));
    let (kind, hook) = (letter.kind.escape_debug(), letter.hook.escape_debug());
    output::line(&format!("{} for {}", letter.id, letter.to))?;
    output::line(&format!("kind {kind}, hook {hook}, tried {} times", letter.tries))?;
    let died = age(now_ms.saturating_sub(letter.dead_ms));
    output::line(&format!("given up {died} ago; kept for another {}", HumanDuration(left)))?;
    output::line(&format!("why: {}", letter.why.escape_debug()))?;
    let payload = letter.payload.as_deref().unwrap_or("-");
    output::line(&format!("payload, {} bytes in hexadecimal: {payload}", letter.bytes))
}

fn print_done(deed: Deed, count: usize, is_json: bool) -> Result<(), Error> {
    if !is_json {
        return output::line(&deed.said(count));
    }
    output::document(&match deed {
        Deed::Retry => json!({ "retried": count }),
        Deed::Drop => json!({ "dropped": count }),
    })
}
