//! What other nodes ask of one VActor in a row: it is looked for once, and gets all of it together.

use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use throughline_cluster::RecordId;

use super::{
    actor::{Failure, ToVActor, Work},
    table::{MessageOf, Usage, retry_after},
};
use crate::batch::Sender;

/// The calls of one batch for one VActor; between batches nothing.
#[derive(Default)]
pub(super) struct Gathered {
    of: Option<Of>,
    works: Vec<ToVActor>,
    /// Who was asked last: two in a row are the beginning of more.
    last: Vec<u8>,
}

/// Of whom, and what.
pub(super) struct Of {
    pub(super) id: RecordId,
    pub(super) name: Vec<u8>,
    pub(super) message: MessageOf,
    pub(super) actor: Sender<ToVActor>,
    pub(super) usage: Arc<Usage>,
}

impl Gathered {
    /// The message, if this is what is being gathered.
    pub(super) fn message(&self, id: &[u8], name: &[u8]) -> Option<MessageOf> {
        let of = self.of.as_ref()?;
        (of.name == name && of.id.as_bytes() == id).then_some(of.message)
    }

    /// Adds work for it. It comes back if as much waits there as is taken, with how long that is.
    pub(super) fn push(&mut self, limit: usize, work: Work) -> Result<(), (Work, Duration)> {
        if let Some(of) = &self.of {
            if of.usage.waiting.load(Ordering::Relaxed) >= limit {
                return Err((work, retry_after(&of.usage)));
            }
            of.usage.waiting.fetch_add(1, Ordering::Relaxed);
        }
        self.works.push(ToVActor::Work(work));
        Ok(())
    }

    /// This is none of what is being gathered, which is handed over. Whether the call before was
    /// for the same one.
    pub(super) fn break_off(&mut self, id: &[u8]) -> bool {
        self.flush();
        self.of = None;
        if self.last == id {
            return true;
        }
        self.last.clear();
        self.last.extend_from_slice(id);
        false
    }

    /// What comes next for it is gathered.
    pub(super) fn begin(&mut self, of: Of) {
        self.of = Some(of);
    }

    /// Hands over what was gathered, and gathers no more.
    pub(super) fn end(&mut self) {
        self.flush();
        self.of = None;
        self.last.clear();
    }

    fn flush(&mut self) {
        let Self { of: Some(of), works, .. } = self else { return };
        if works.is_empty() || of.actor.send_all(works).is_ok() {
            return;
        }
        // It has just ended: who asks looks for it again.
        for work in works.drain(..) {
            if let ToVActor::Work(work) = work {
                of.usage.waiting.fetch_sub(1, Ordering::Relaxed);
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
        let name = b"place".to_vec();
        let mut gathered = Gathered::default();
        let usage_of = Arc::clone(&usage);
        gathered.begin(Of { id: id("a"), name, message: MESSAGE, actor, usage: usage_of });
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
        assert_eq!(gathered.message(id("a").as_bytes(), b"place"), Some(MESSAGE));
        assert_eq!(gathered.message(id("a").as_bytes(), b"leave"), None);
        assert_eq!(gathered.message(id("b").as_bytes(), b"place"), None);
        for chain in [vec![id("x")], vec![id("y")]] {
            gathered.push(10, Work { chain, ..work().0 }).unwrap();
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
        assert_eq!(gathered.message(id("a").as_bytes(), b"place"), None);
    }

    #[test]
    fn more_than_the_mailbox_takes_comes_back() {
        let (mut gathered, _mailbox, _) = gathering(3);
        assert!(gathered.push(4, work().0).is_ok());
        assert!(gathered.push(4, work().0).is_err());
    }

    #[test]
    fn what_is_gathered_for_one_that_ends_was_surely_not_run() {
        let (mut gathered, mailbox, usage) = gathering(0);
        let (work, mut answer) = work();
        gathered.push(10, work).unwrap();
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
