//! What other nodes ask of one VActor in a row: it is looked for once, and gets all of it together.

use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use throughline_cluster::RecordId;

use super::{
    actor::{Failure, ToVActor, Work},
    table::{MessageOf, Usage, retry_after},
};
use crate::batch::Sender;

/// The calls of one batch: those in a row for one VActor wait until the row ends.
#[derive(Default)]
pub(super) struct Gathered {
    row: Option<Row>,
    /// Who was asked last: two in a row are the beginning of more.
    last: Vec<u8>,
}

/// Calls of one message of one VActor, which has it in its mailbox when this is dropped.
pub(super) struct Row {
    id: RecordId,
    name: Vec<u8>,
    pub(super) message: MessageOf,
    actor: Sender<ToVActor>,
    usage: Arc<Usage>,
    works: Vec<ToVActor>,
}

impl Gathered {
    /// The row that this call goes on with, if it does.
    pub(super) fn row(&mut self, id: &[u8], name: &[u8]) -> Option<&mut Row> {
        self.row.as_mut().filter(|row| row.name == name && row.id.as_bytes() == id)
    }

    /// The row has ended. Whether the call before was for this one, too.
    pub(super) fn break_off(&mut self, id: &[u8]) -> bool {
        self.row = None;
        if self.last == id {
            return true;
        }
        self.last.clear();
        self.last.extend_from_slice(id);
        false
    }

    pub(super) fn begin(&mut self, row: Row) -> &mut Row {
        self.row.insert(row)
    }

    /// The batch has ended.
    pub(super) fn end(&mut self) {
        self.row = None;
        self.last.clear();
    }
}

impl Row {
    pub(super) fn new(
        id: RecordId,
        name: Vec<u8>,
        message: MessageOf,
        (actor, usage): (Sender<ToVActor>, Arc<Usage>),
    ) -> Self {
        Self { id, name, message, actor, usage, works: Vec::new() }
    }

    /// Adds work. It comes back if as much waits there as is taken, with how long that is.
    pub(super) fn push(&mut self, limit: usize, work: Work) -> Result<(), (Work, Duration)> {
        if self.usage.waiting.load(Ordering::Relaxed) >= limit {
            return Err((work, retry_after(&self.usage)));
        }
        self.usage.waiting.fetch_add(1, Ordering::Relaxed);
        self.works.push(ToVActor::Work(work));
        Ok(())
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.works.is_empty() || self.actor.send_all(&mut self.works).is_ok() {
            return;
        }
        // It has just ended: who asks looks for it again.
        for work in self.works.drain(..) {
            if let ToVActor::Work(work) = work {
                self.usage.waiting.fetch_sub(1, Ordering::Relaxed);
                work.replier.reply(Err(Failure::NotHere(work.payload)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use throughline_link::Instant;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        batch,
        vactor::{Mode, Payload, actor::Replier},
    };

    const MESSAGE: MessageOf = (0, Mode::Turn);

    fn id(key: &str) -> RecordId {
        RecordId::vactor("match", key.as_bytes()).unwrap()
    }

    fn gathering(limit: usize) -> (Gathered, batch::Receiver<ToVActor>, Arc<Usage>) {
        let (actor, mailbox) = batch::queue();
        let usage = Arc::new(Usage::default());
        usage.waiting.store(limit, Ordering::Relaxed);
        let mut gathered = Gathered::default();
        let found = (actor, Arc::clone(&usage));
        gathered.begin(Row::new(id("a"), b"place".to_vec(), MESSAGE, found));
        (gathered, mailbox, usage)
    }

    fn work() -> (Work, oneshot::Receiver<Result<Payload, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        let payload = Payload::Bytes(bytes::Bytes::from_static(b"x"));
        let (replier, until, chain) = (Replier::Here(sender), Instant::ZERO, Vec::new());
        (Work { message: MESSAGE, payload, replier, until, chain }, receiver)
    }

    #[test]
    fn what_is_asked_in_a_row_comes_together_and_in_order() {
        let (mut gathered, mailbox, usage) = gathering(0);
        assert!(gathered.row(id("a").as_bytes(), b"leave").is_none());
        assert!(gathered.row(id("b").as_bytes(), b"place").is_none());
        for chain in [vec![id("x")], vec![id("y")]] {
            let row = gathered.row(id("a").as_bytes(), b"place").unwrap();
            row.push(10, Work { chain, ..work().0 }).unwrap();
        }
        let mut taken = Vec::new();
        assert!(!mailbox.take(&mut taken));
        gathered.end();
        assert!(mailbox.take(&mut taken));
        let chains = taken.iter().map(|message| match message {
            ToVActor::Work(work) => work.chain.clone(),
            other => panic!("{other:?}"),
        });
        assert_eq!(chains.collect::<Vec<_>>(), [[id("x")], [id("y")]]);
        assert_eq!(usage.waiting.load(Ordering::Relaxed), 2);
        assert!(gathered.row(id("a").as_bytes(), b"place").is_none());
    }

    #[test]
    fn more_than_the_mailbox_takes_comes_back() {
        let (mut gathered, _mailbox, _) = gathering(3);
        let row = gathered.row(id("a").as_bytes(), b"place").unwrap();
        assert!(row.push(4, work().0).is_ok());
        assert!(row.push(4, work().0).is_err());
    }

    #[test]
    fn what_is_gathered_for_one_that_ends_was_surely_not_run() {
        let (mut gathered, mailbox, usage) = gathering(0);
        let (work, mut answer) = work();
        gathered.row(id("a").as_bytes(), b"place").unwrap().push(10, work).unwrap();
        drop(mailbox);
        gathered.end();
        assert!(matches!(answer.try_recv(), Ok(Err(Failure::NotHere(_)))));
        assert_eq!(usage.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn two_in_a_row_are_the_beginning_of_more() {
        let mut gathered = Gathered::default();
        let asked = ["a", "b", "b", "a"].map(|key| gathered.break_off(id(key).as_bytes()));
        assert_eq!(asked, [false, false, true, false]);
    }
}
