//! Inputs whose turn ends the process.
//!
//! In a crash-proof actor such an input stays where it is, since its turn was not committed, and
//! would end one node after the other. So an actor whose node has died writes down which input it
//! is about to handle, in a commit of its own before the turn. If that node dies, too, the next one
//! reads so; after `session.poison-tries` deaths the input is set aside.

use serde::{Deserialize, Serialize};
use throughline_queue::Position;

/// Inputs that are written down at the same time, at most: one whose turn ended a node may come
/// behind others that were new to the next one, and its count lasts meanwhile.
const TRYING_MAX: usize = 16;

/// An input, as the next node knows it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Which {
    /// The client's message of this number.
    Message(u64),
    /// A durable message, by where it stands in its queue: time, source, number.
    Queued(u64, [u8; 16], u64),
    /// The timer of this name.
    Timer(String),
    /// A hook that comes of itself.
    Hook(String),
}

impl From<Position> for Which {
    fn from(position: Position) -> Self {
        Self::Queued(position.time_ms, position.source.0, position.number)
    }
}

/// An input, and how often its turn began after a death.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trying {
    which: Which,
    deaths: u32,
    /// The death before them, of a node that wrote nothing down, may have been its, too.
    is_suspect: bool,
    /// Written down by the owner that wrote this: if that has not died, it counts for nothing.
    is_begun: bool,
}

/// What may have ended a node that had written nothing down: what was next then. Messages of a
/// client come in their order, so none behind one that has ended well; of the rest nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Suspects {
    messages: bool,
    others: bool,
}

impl Suspects {
    const ALL: Self = Self { messages: true, others: true };

    const fn of(self, which: &Which) -> bool {
        match which {
            Which::Message(_) => self.messages,
            Which::Queued(..) | Which::Timer(_) | Which::Hook(_) => self.others,
        }
    }

    /// The turn of this input has ended well.
    const fn clear(&mut self, which: &Which) {
        if matches!(which, Which::Message(_)) {
            self.messages = false;
        }
    }
}

/// What of the care of an actor travels with it: a node that it comes to without a death minds what
/// the one before did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    trying: Vec<Trying>,
    suspects: Suspects,
    turns_left: u32,
}

impl Noted {
    /// Nothing is to be minded.
    pub(crate) const fn is_none(&self) -> bool {
        self.turns_left == 0
    }
}

/// What becomes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// It is written down, and then begins.
    Note,
    /// Nodes have died of it, so many, with the one that nobody had written down if that may have
    /// been its: it is set aside.
    SetAside(u32),
}

/// What an actor minds that was taken from a dead node.
#[derive(Debug)]
pub(crate) struct Care {
    turns_left: u32,
    /// As the next commit writes it, the oldest first.
    trying: Vec<Trying>,
    suspects: Suspects,
    /// The one whose turn is under way: other commits that come meanwhile keep its note.
    running: Option<Which>,
    /// The one that was set aside last: it comes again if the commit of that fails.
    aside: Option<Trying>,
}

impl Care {
    /// Of an actor whose header counts so many crashes, for so many turns; without one, as long as
    /// the owner before would have been careful. `None`: no care is due.
    pub(crate) fn new(crashes: u8, noted: Noted, turns: u32) -> Option<Box<Self>> {
        let Noted { mut trying, suspects, turns_left } = noted;
        let suspects = match crashes {
            0 => suspects,
            // It died in the turn of that.
            _ if trying.iter().any(|trying| trying.is_begun) => Suspects::default(),
            _ => Suspects::ALL,
        };
        for trying in &mut trying {
            // Its turn was cut off by a handover, and ended nobody.
            trying.deaths -= u32::from(trying.is_begun && crashes == 0).min(trying.deaths);
            trying.is_begun = false;
        }
        trying.retain(|trying| trying.deaths > 0);
        let turns_left = if crashes > 0 { turns } else { turns_left };
        (turns_left > 0)
            .then(|| Box::new(Self { turns_left, trying, suspects, running: None, aside: None }))
    }

    /// What stands in the snapshot.
    pub(crate) fn noted(care: Option<&Self>) -> Noted {
        care.map_or_else(Noted::default, |care| Noted {
            trying: care.trying.clone(),
            suspects: care.suspects,
            turns_left: care.turns_left,
        })
    }

    /// This input is next.
    pub(crate) fn weigh(&mut self, which: &Which, tries_max: u32) -> Weighed {
        let found = self.take(which).or_else(|| self.aside.take_if(|aside| aside.which == *which));
        // What this owner has begun comes again when its commit failed: nobody died of it.
        let is_suspect =
            found.as_ref().map_or_else(|| self.suspects.of(which), |found| found.is_suspect);
        let deaths = found.map_or(0, |found| found.deaths - u32::from(found.is_begun));
        let tries = deaths + u32::from(is_suspect);
        // One death alone may have been another's: nobody had written down whose it was.
        if deaths > 0 && tries >= tries_max {
            self.aside = Some(Trying { which: which.clone(), deaths, is_suspect, is_begun: false });
            return Weighed::SetAside(tries);
        }
        if self.trying.len() >= TRYING_MAX {
            self.trying.remove(0);
        }
        let (which, deaths) = (which.clone(), deaths + 1);
        self.trying.push(Trying { which, deaths, is_suspect, is_begun: true });
        Weighed::Note
    }

    /// It is written down, and its turn begins.
    pub(crate) fn begins(&mut self, which: Which) {
        self.running = Some(which);
    }

    /// A turn has ended: its commit takes the note away. False if this was the last turn that
    /// needed care.
    pub(crate) fn ends(&mut self) -> bool {
        if let Some(which) = self.running.take() {
            self.take(&which);
            self.suspects.clear(&which);
            self.turns_left = self.turns_left.saturating_sub(1);
        }
        self.turns_left > 0
    }

    /// Forgets an input; what is known of it.
    fn take(&mut self, which: &Which) -> Option<Trying> {
        let at = self.trying.iter().position(|trying| trying.which == *which)?;
        Some(self.trying.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIES: u32 = 3;

    /// The next node, which reads what was written down.
    fn dies(care: &Care) -> Care {
        *Care::new(1, Care::noted(Some(care)), 8).unwrap()
    }

    #[test]
    fn p7_an_input_that_ends_two_nodes_after_the_first_is_set_aside() {
        let which = Which::Message(7);
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        assert_eq!(care.weigh(&which, TRIES), Weighed::Note);
        let mut care = dies(&care);
        assert_eq!(care.weigh(&which, TRIES), Weighed::Note);
        let mut care = dies(&care);
        assert_eq!(care.weigh(&which, TRIES), Weighed::SetAside(3));
        assert_eq!(Care::noted(Some(&care)).trying, []);
    }

    #[test]
    fn p7_a_message_that_cannot_have_ended_the_first_node_is_set_aside_after_one_death_more() {
        let (next, behind) = (Which::Message(7), Which::Message(8));
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        assert_eq!(care.weigh(&next, TRIES), Weighed::Note);
        care.begins(next);
        assert!(care.ends());
        for _ in 0..3 {
            assert_eq!(care.weigh(&behind, TRIES), Weighed::Note);
            care = dies(&care);
        }
        assert_eq!(care.weigh(&behind, TRIES), Weighed::SetAside(3));
        // Nor can anything that a death follows in a turn that was written down.
        let (hook, tick) = (Which::Hook("repaired".to_owned()), Which::Timer("tick".to_owned()));
        let mut first = *Care::new(1, Noted::default(), 8).unwrap();
        first.weigh(&hook, TRIES);
        let mut care = dies(&first);
        for _ in 0..3 {
            assert_eq!(care.weigh(&tick, TRIES), Weighed::Note);
            care = dies(&care);
        }
        assert_eq!(care.weigh(&tick, TRIES), Weighed::SetAside(3));
    }

    #[test]
    fn p7_a_death_before_anything_was_written_down_may_have_been_of_what_comes_then() {
        let which = Which::Queued(1, [0; 16], 1);
        // The next owner died, too, before it noted anything.
        let mut care = dies(&Care::new(1, Noted::default(), 8).unwrap());
        for expected in [Weighed::Note, Weighed::Note, Weighed::SetAside(3)] {
            assert_eq!(care.weigh(&which, TRIES), expected);
            care = dies(&care);
        }
    }

    #[test]
    fn p7_inputs_that_come_before_it_do_not_make_its_deaths_forgotten() {
        let (killer, timer) = (Which::Message(7), Which::Timer("tick".to_owned()));
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        for expected in [Weighed::Note, Weighed::Note, Weighed::SetAside(3)] {
            assert_eq!(care.weigh(&timer, TRIES), Weighed::Note);
            care.begins(timer.clone());
            assert!(care.ends());
            assert_eq!(care.weigh(&killer, TRIES), expected);
            care = dies(&care);
        }
    }

    #[test]
    fn p7_what_is_committed_while_the_turn_is_under_way_keeps_its_note() {
        let (first, killer) = (Which::Message(6), Which::Message(7));
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        care.weigh(&killer, TRIES);
        care.begins(killer.clone());
        // Its client comes back meanwhile, and that is committed.
        assert_eq!(Care::noted(Some(&care)).trying.len(), 1);
        let mut care = dies(&care);
        care.weigh(&first, TRIES);
        care.begins(first);
        assert!(care.ends());
        assert_eq!(Care::noted(Some(&care)).trying.len(), 1, "only what has ended is forgotten");
        assert_eq!(care.weigh(&killer, TRIES), Weighed::Note);
        let mut care = dies(&care);
        assert_eq!(care.weigh(&killer, TRIES), Weighed::SetAside(3));
    }

    #[test]
    fn p7_a_handover_in_between_ends_no_care_and_counts_as_no_death() {
        let killer = Which::Message(7);
        let handed = |care: &Care| *Care::new(0, Care::noted(Some(care)), 8).unwrap();
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        for _ in 0..5 {
            // Each time its turn is cut off.
            assert_eq!(care.weigh(&killer, TRIES), Weighed::Note);
            care = handed(&care);
            assert_eq!(care.trying, []);
        }
        assert_eq!(care.weigh(&killer, TRIES), Weighed::Note);
        let mut care = handed(&dies(&care));
        assert_eq!(care.weigh(&killer, TRIES), Weighed::Note);
        let mut care = handed(&dies(&care));
        assert_eq!(care.weigh(&killer, TRIES), Weighed::SetAside(3));
    }

    #[test]
    fn p7_an_input_whose_note_the_store_does_not_take_has_killed_nobody() {
        let which = Which::Timer("tick".to_owned());
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        for _ in 0..10 {
            assert_eq!(care.weigh(&which, TRIES), Weighed::Note);
        }
        // Nor is a death forgotten that way.
        let mut care = dies(&dies(&care));
        assert_eq!(care.weigh(&which, TRIES), Weighed::Note);
        assert_eq!(care.weigh(&which, TRIES), Weighed::Note);
        let mut care = dies(&care);
        assert_eq!(care.weigh(&which, TRIES), Weighed::SetAside(3));
    }

    #[test]
    fn p7_an_input_comes_to_no_turn_when_it_cannot_be_written_that_it_is_set_aside() {
        let killer = Which::Message(7);
        let mut care = *Care::new(1, Noted::default(), 8).unwrap();
        for expected in [Weighed::Note, Weighed::Note, Weighed::SetAside(3), Weighed::SetAside(3)] {
            assert_eq!(care.weigh(&killer, TRIES), expected);
            if expected == Weighed::Note {
                care = dies(&care);
            }
        }
        assert_eq!(Care::noted(Some(&care)).trying, []);
        assert_eq!(care.weigh(&Which::Message(8), TRIES), Weighed::Note);
    }

    #[test]
    fn what_is_written_down_is_bounded_and_care_ends() {
        let mut care = *Care::new(1, Noted::default(), 2).unwrap();
        for number in 0..100 {
            care.weigh(&Which::Message(number), TRIES);
        }
        assert_eq!(Care::noted(Some(&care)).trying.len(), TRYING_MAX);
        care.begins(Which::Message(99));
        assert!(care.ends());
        care.begins(Which::Message(98));
        assert!(!care.ends());
        assert!(Care::new(0, Noted::default(), 2).is_none());
    }
}
