//! Mail for players, by a backend that is no node: a store and a name are all it needs.
//!
//!     cargo run -p throughline-queue --example mail -- DIR send ann "Your reward: 10 gems"
//!     cargo run -p throughline-queue --example mail -- DIR read ann
//!     cargo run -p throughline-queue --example mail -- DIR
//!
//! `send` is durable when it says so. `read` shows each message once: it asks under a token that it
//! keeps in a file until it has shown what came, so that a crash in between loses nothing. The last
//! one says who has mail.
//!
//! On a machine with nodes, open the hub's store instead of the files: one process alone may have
//! those.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use throughline_queue::{Inbox, Queue, QueueName, QueueOptions};
use throughline_store::Store;
use throughline_store_sled::SledStore;

/// Nobody wants a reward of last month.
const TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A reader's name in hexadecimal, at most: it is in the name of a file, which has 255 bytes on
/// most systems, the store's name among them.
const HEX_MAX: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [directory, rest @ ..] = &words[..] else {
        return Err("usage: mail DIR [send WHO TEXT | read WHO]".into());
    };
    let directory = Path::new(directory);
    let store: Arc<dyn Store> = Arc::new(SledStore::open(directory)?);
    let queue = Queue::open(store.clone(), "mail", QueueOptions::default()).await?;
    match rest {
        ["send", who, text] => {
            let position = queue.enqueue(&QueueName::key(who)?, (*text).to_owned(), TTL).await?;
            println!("sent to {who}: {position}");
        }
        ["read", who] => read(&queue, who, &token_file(directory, who)?).await?,
        [] => list(&queue, &store).await?,
        _ => return Err("usage: mail DIR [send WHO TEXT | read WHO]".into()),
    }
    store.close().await?;
    Ok(())
}

/// Each reader of each store has one, beside the store; in hexadecimal, since a name may have any
/// character.
fn token_file(directory: &Path, who: &str) -> Result<PathBuf, String> {
    let who: String = who.bytes().map(|byte| format!("{byte:02x}")).collect();
    if who.len() > HEX_MAX {
        return Err(format!("the name of a reader has {} bytes at most", HEX_MAX / 2));
    }
    // Behind the whole name: what it has behind a dot is part of it.
    let mut file = directory.as_os_str().to_owned();
    file.push(format!(".{who}.token"));
    Ok(file.into())
}

async fn read(queue: &Queue, who: &str, token_file: &Path) -> Result<(), Box<dyn Error>> {
    // The token of a call that was not finished, or a new one.
    let token = match fs::read_to_string(token_file) {
        Ok(token) => token,
        Err(_) => format!("{:016x}", fastrand::u64(..)),
    };
    fs::write(token_file, &token)?;
    let messages = queue.dequeue_all_with(&QueueName::key(who)?, token).await?;
    for message in &messages {
        println!("{}", String::from_utf8_lossy(&message.payload()));
    }
    if messages.more() {
        println!("(and more: read again)");
    }
    // Shown: what is asked for next is something else.
    fs::remove_file(token_file)?;
    Ok(())
}

async fn list(queue: &Queue, store: &Arc<dyn Store>) -> Result<(), Box<dyn Error>> {
    let mut from = None;
    loop {
        let page = Inbox::nonempty(&**store, from, 100).await?;
        for row in &page.rows {
            let size = queue.length(row.name()).await?.size;
            // One that was emptied a moment ago is looked at once more, and then forgotten.
            if size.messages > 0 {
                println!("{}: {size}", row.name());
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}
