//! Messages whose turn ends the process.
//!
//! Such a message stays in the inbox, since its turn was not committed, and would end one node
//! after the other. So a VActor whose node has died writes down which message it is about to
//! handle, until it has been through what waited for it. If that node dies, too, the next one reads
//! so; after `session.poison-tries` deaths the message goes to the dead letters.

use serde::{Deserialize, Serialize};
use throughline_queue::{Pieces, Position};

use super::{VActorActor, commit::Committing, queued::QueuedTurn};

/// A message, and how often its turn began after a death.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trying {
    /// Where it stands in the inbox: time, source, number.
    position: (u64, [u8; 16], u64),
    deaths: u32,
}

impl Trying {
    fn is(&self, position: Position) -> bool {
        self.position == (position.time_ms, position.source.0, position.number)
    }
}

/// What one that was taken from a dead node minds.
#[derive(Debug, Default)]
pub(super) struct Care {
    is_careful: bool,
    /// As the next commit writes it.
    trying: Option<Trying>,
}

impl Care {
    pub(super) const fn new(crashes: u8, trying: Option<Trying>) -> Self {
        Self { is_careful: crashes > 0, trying }
    }

    pub(super) const fn is_careful(&self) -> bool {
        self.is_careful
    }

    pub(super) const fn noted(&self) -> Option<&Trying> {
        self.trying.as_ref()
    }

    /// How often a turn of this message began before, after which its node died.
    fn deaths(&self, position: Position) -> u32 {
        self.trying.as_ref().filter(|trying| trying.is(position)).map_or(0, |t| t.deaths)
    }
}

impl VActorActor {
    /// What waited when the node before died has been handled.
    pub(super) fn end_care(&mut self) {
        if self.care.is_careful && self.inboxes.is_read() {
            self.care = Care::default();
        }
    }

    /// Begins with a message, once it is written down which one it is.
    pub(super) fn take_carefully(&mut self, queued: QueuedTurn) {
        let position = queued.message.position();
        let deaths = self.care.deaths(position);
        // The first death may have been another's: nobody had written down whose it was.
        if deaths > 0 && deaths + 1 >= self.worker.node.config.session.poison_tries {
            self.care.trying = None;
            let why = "the nodes where its turn began have died";
            return self.set_aside(QueuedTurn { tries: deaths + 1, ..queued }, why);
        }
        let position = (position.time_ms, position.source.0, position.number);
        self.care.trying = Some(Trying { position, deaths: deaths + 1 });
        if self.commit(Pieces::default()).is_ok() {
            self.committing = Some(Committing::Noting(queued));
        } else {
            self.inboxes.again();
        }
    }

    /// It is written down.
    pub(super) fn begin_noted(&mut self, queued: QueuedTurn) {
        // The commit of its turn, or whatever comes instead, takes the note away.
        self.care.trying = None;
        self.begin_queued(queued.message, queued.used_up, queued.tries);
    }
}
