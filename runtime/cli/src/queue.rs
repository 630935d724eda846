//! The commands for the queues in a store.

use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Value, json};
use throughline_queue::defaults::{LENGTH_BYTES_MAX, LENGTH_MESSAGES_MAX};
use throughline_queue::{Clock, Inbox, Length, Message, QueueName};
use throughline_store::Store;

use crate::arguments::{QueueArgument, QueueCommand, QueueStore};
use crate::output::{self, Table};
use crate::place::{Place, block_on};
use crate::{Ending, error::Error, queue_name::shown, spinner};

/// Of a payload so many bytes are shown in a table; JSON has all of it.
const SHOWN_BYTES_MAX: usize = 60;
/// Rows of one page.
const PAGE: usize = 256;

pub(crate) fn run(command: QueueCommand, is_json: bool) -> Result<Ending, Error> {
    match command {
        QueueCommand::List { store, limit } => {
            let place = find(store)?;
            let most = Most::of(&place);
            let found =
                with_store(place, async move |store| list(store, limit as usize, most).await)?;
            print_list(&found, is_json)
        }
        QueueCommand::Length { queue: QueueArgument { name, store } } => {
            let (place, named) = (find(store)?, name.clone());
            let most = Most::of(&place);
            let length = with_store(place, async move |store| most.measure(store, &named).await)?;
            print_length(&name, &length, is_json)
        }
        QueueCommand::Peek { queue: QueueArgument { name, store }, limit } => {
            let place = find(store)?;
            let found =
                with_store(place, async move |store| peek(store, &name, limit as usize).await)?;
            print_messages(&found, is_json)
        }
    }?;
    Ok(Ending::Well)
}

/// Opens the store for a while, beside a sign of life: a large one takes its time.
pub(crate) fn with_store<T: Send + 'static>(
    place: Place,
    work: impl AsyncFnOnce(&dyn Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let what = format!("reading {place}");
    spinner::beside(&what, move || {
        block_on(async {
            let store = place.open().await?;
            let found = work(&*store).await;
            store.close().await?;
            found
        })
    })?
}

fn find(QueueStore { address, access }: QueueStore) -> Result<Place, Error> {
    Place::find(address, &access)
}

#[derive(Debug, Default)]
struct Listed {
    queues: Vec<(QueueName, Length)>,
    more: bool,
}

async fn list(store: &dyn Store, limit: usize, most: Most) -> Result<Listed, Error> {
    let (mut listed, mut from) = (Listed::default(), None);
    loop {
        let page = Inbox::nonempty(store, from, PAGE).await?;
        for row in page.rows {
            if listed.queues.len() == limit {
                listed.more = true;
                return Ok(listed);
            }
            let length = most.measure(store, row.name()).await?;
            // A row may stay for a while after the last message.
            if length != Length::default() {
                listed.queues.push((row.name().clone(), length));
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(listed);
        }
    }
}

/// How much of a queue is counted, at most.
#[derive(Debug, Clone, Copy)]
struct Most {
    messages: u64,
    bytes: u64,
}

impl Most {
    /// All of it, of a store that nobody else has open. Where nodes read and write meanwhile, no
    /// more than they themselves read at once.
    const fn of(place: &Place) -> Self {
        match place {
            Place::Sled(_) => Self { messages: u64::MAX, bytes: u64::MAX },
            _ => Self { messages: LENGTH_MESSAGES_MAX, bytes: LENGTH_BYTES_MAX },
        }
    }

    async fn measure(self, store: &dyn Store, name: &QueueName) -> Result<Length, Error> {
        let now_ms = Clock::system().now_ms();
        Ok(Inbox::measure(store, name, now_ms, self.messages, self.bytes).await?)
    }
}

#[derive(Debug, Default)]
struct Peeked {
    messages: Vec<Message>,
    more: bool,
}

async fn peek(store: &dyn Store, name: &QueueName, limit: usize) -> Result<Peeked, Error> {
    let now_ms = Clock::system().now_ms();
    let (mut peeked, mut after) = (Peeked::default(), None);
    loop {
        let page = Inbox::read(store, name, after, PAGE).await?;
        after = page.messages.last().map(Message::position);
        for message in page.messages {
            if message.is_expired(now_ms) {
                continue;
            }
            if peeked.messages.len() == limit {
                peeked.more = true;
                return Ok(peeked);
            }
            peeked.messages.push(message);
        }
        if !page.more {
            return Ok(peeked);
        }
    }
}

fn print_list(listed: &Listed, is_json: bool) -> Result<(), Error> {
    if is_json {
        let queues = listed.queues.iter().map(|(name, length)| document(name, length));
        let queues = queues.collect::<Vec<_>>();
        return output::document(&json!({ "queues": queues, "more": listed.more }));
    }
    if listed.queues.is_empty() {
        return output::line("no queue has messages");
    }
    let mut table = Table::new(["queue", "#messages", "#bytes", "#expired", "#oldest"]);
    for (name, length) in &listed.queues {
        table.row([
            shown(name),
            counted(length),
            HumanBytes(length.size.bytes).to_string(),
            length.expired.messages.to_string(),
            length.oldest_ms.map_or_else(|| "-".to_owned(), age),
        ]);
    }
    table.print()?;
    if listed.more { output::line("and more: --limit shows them") } else { Ok(()) }
}

fn print_length(name: &QueueName, length: &Length, is_json: bool) -> Result<(), Error> {
    if is_json {
        return output::document(&document(name, length));
    }
    let (name, bytes) = (shown(name), HumanBytes(length.size.bytes));
    let oldest =
        length.oldest_ms.map_or_else(String::new, |ms| format!(", the oldest {}", age(ms)));
    let expired = match length.expired.messages {
        0 => String::new(),
        count => format!("; {count} have expired and are not removed yet"),
    };
    output::line(&format!("{name}: {} messages, {bytes}{oldest}{expired}", counted(length)))
}

fn print_messages(peeked: &Peeked, is_json: bool) -> Result<(), Error> {
    let now_ms = Clock::system().now_ms();
    if is_json {
        let messages = peeked.messages.iter().map(|message| {
            json!({
                "position": message.position().to_string(),
                "enqueued_ms": message.position().time_ms,
                "expires_ms": message.expires_ms(),
                "payload": hex(&message.payload()),
            })
        });
        let messages = messages.collect::<Vec<_>>();
        return output::document(&json!({ "messages": messages, "more": peeked.more }));
    }
    if peeked.messages.is_empty() {
        return output::line("no messages");
    }
    let mut table = Table::new(["position", "#age", "#expires in", "#bytes", "payload"]);
    for message in &peeked.messages {
        let payload = message.payload();
        let head = &payload[..payload.len().min(SHOWN_BYTES_MAX)];
        let more = if head.len() < payload.len() { ".." } else { "" };
        table.row([
            message.position().to_string(),
            age(now_ms.saturating_sub(message.position().time_ms)),
            age(message.expires_ms().saturating_sub(now_ms)),
            payload.len().to_string(),
            format!("{}{more}", head.escape_ascii()),
        ]);
    }
    table.print()?;
    if peeked.more { output::line("and more: --limit shows them") } else { Ok(()) }
}

/// The messages, with a sign that there are more.
fn counted(length: &Length) -> String {
    format!("{}{}", if length.more { "over " } else { "" }, length.size.messages)
}

fn document(name: &QueueName, length: &Length) -> Value {
    json!({
        "queue": shown(name),
        "messages": length.size.messages,
        "bytes": length.size.bytes,
        "expired": length.expired.messages,
        "oldest_ms": length.oldest_ms,
        "more": length.more,
    })
}

pub(crate) fn age(ms: u64) -> String {
    HumanDuration(Duration::from_millis(ms)).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
