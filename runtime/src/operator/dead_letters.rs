//! The dead letters of the cluster, as operators see them.

use std::sync::Arc;

use serde::Serialize;
use throughline_queue::{DeadLetterError, DeadLetters, FiledLetter, QueueName, ReadError};

use crate::{
    cluster,
    node::Shared,
    queues::{Address, address_of, record_of},
};

/// One dead letter.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DeadLetterRow {
    id: String,
    /// The queue that it came from, as the command line calls it.
    to: String,
    kind: String,
    hook: String,
    tries: u32,
    why: String,
    dead_ms: u64,
    /// When it goes by itself.
    kept_until_ms: u64,
    bytes: usize,
    /// In hexadecimal; of a list it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// Dead letters, the oldest first.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DeadLetterRows {
    dead_letters: Vec<DeadLetterRow>,
    /// Behind which id the next page begins; `None` if this is the last one.
    next: Option<String>,
}

impl DeadLetterRow {
    fn of(filed: &FiledLetter, has_payload: bool) -> Self {
        let (id, kept_until_ms) = (filed.id(), filed.expires_ms());
        match filed.letter() {
            Ok(letter) => Self {
                id,
                to: typed(&letter.to),
                kind: letter.kind.clone(),
                hook: letter.hook.clone(),
                tries: letter.tries,
                why: letter.why.clone(),
                dead_ms: letter.dead_ms,
                kept_until_ms,
                bytes: letter.payload.len(),
                payload: has_payload.then(|| hex(&letter.payload)),
            },
            Err(error) => Self {
                id,
                to: String::new(),
                kind: String::new(),
                hook: String::new(),
                tries: 0,
                why: format!("this letter cannot be read: {error}"),
                dead_ms: 0,
                kept_until_ms,
                bytes: 0,
                payload: None,
            },
        }
    }
}

impl Shared {
    /// Up to `limit` dead letters behind `after`.
    pub(crate) async fn dead_letters(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<DeadLetterRows, ReadError> {
        let (store, now_ms) = (&*self.cluster.store, self.cluster.wall_ms());
        let page = DeadLetters::page(store, after, limit, now_ms).await?;
        let next = page.letters.last().filter(|_| page.more).map(FiledLetter::id);
        let rows = page.letters.iter().map(|filed| DeadLetterRow::of(filed, false));
        Ok(DeadLetterRows { dead_letters: rows.collect(), next })
    }

    /// One dead letter, with its payload.
    pub(crate) async fn dead_letter(&self, id: &str) -> Result<DeadLetterRow, DeadLetterError> {
        let filed = DeadLetters::find(&*self.cluster.store, id).await?;
        Ok(DeadLetterRow::of(&filed, true))
    }

    /// Puts the message of a dead letter back into the queue that it came from, and says so to who
    /// reads that; which queue it is.
    pub(crate) async fn retry_dead_letter(
        self: &Arc<Self>,
        id: &str,
    ) -> Result<String, DeadLetterError> {
        let now_ms = self.cluster.wall_ms();
        let to = DeadLetters::retry(&*self.cluster.store, id, now_ms).await?;
        let typed = typed(&to);
        log::info!("operator: dead letter {id} goes back to {typed}");
        cluster::poke(self, vec![to.into()]);
        Ok(typed)
    }

    /// Drops a dead letter.
    pub(crate) async fn drop_dead_letter(&self, id: &str) -> Result<(), DeadLetterError> {
        DeadLetters::drop(&*self.cluster.store, id).await?;
        log::info!("operator: dead letter {id} is dropped");
        Ok(())
    }
}

/// A queue as it is called on the command line.
fn typed(queue: &QueueName) -> String {
    match (record_of(queue).as_ref().and_then(address_of), queue.session_key()) {
        (Some(Address::Session(id)), _) => format!("session:{id}"),
        (Some(Address::VActor { kind, key }), _) => {
            format!("vactor:{kind}/{}", key.escape_default())
        }
        (_, Some(key)) => format!("key:{}", key.escape_default()),
        _ => queue.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
