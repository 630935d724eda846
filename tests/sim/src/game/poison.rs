//! Inputs whose turn always fails, and how often they are tried.

use std::collections::{BTreeMap, BTreeSet};

use throughline::Config;
use throughline_vactor::prelude::*;

/// A message that no virtual actor can handle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Poison {
    pub(crate) from: String,
    pub(crate) number: u64,
}

impl Poison {
    /// Its name among the messages of a kind.
    pub(crate) const NAME: &'static str = "poison";
}

impl Message for Poison {
    type Reply = ();
}

/// What is known of all of them.
#[derive(Debug, Default)]
pub(crate) struct Poisons {
    /// Of each record, the input that was tried last, and how often since the last commit for it.
    tries: BTreeMap<String, (String, u32)>,
    /// Those of the messages that were tried: each becomes a dead letter.
    messages: BTreeSet<Poison>,
}

impl Poisons {
    /// A turn with this input is about to fail. What is wrong with that.
    pub(crate) fn tried(&mut self, who: &str, input: &str) -> Option<String> {
        let entry = self.tries.entry(who.to_owned()).or_default();
        if entry.0 != input {
            *entry = (input.to_owned(), 0);
        }
        entry.1 += 1;
        let tries_max = Config::default().session.poison_tries;
        // Told once.
        let is_wrong = entry.1 == tries_max + 1;
        is_wrong.then(|| format!("{who}: {input} is tried for the {}. time in a row", entry.1))
    }

    pub(crate) fn tried_message(&mut self, who: &str, poison: &Poison) -> Option<String> {
        let wrong = self.tried(who, &format!("{poison:?}"));
        self.messages.insert(poison.clone());
        wrong
    }

    /// A commit for this record took effect: whoever goes on with it may begin anew.
    pub(crate) fn committed(&mut self, who: &str) {
        self.tries.remove(who);
    }

    /// The messages that are to be dead letters.
    pub(crate) fn messages(&self) -> BTreeSet<Poison> {
        self.messages.clone()
    }
}
