//! Dead letters, as the nodes show them: what no virtual actor could handle is there, once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use throughline::RunningNode;
use throughline_queue::FiledLetter;

use crate::game::Poison;
use crate::place::{Order, Place};
use crate::truth;

/// What a message of an actor begins with in its queue.
const MARK: u8 = 0xff;

/// More than there are in any run.
const LETTERS_MAX: usize = 1_000;

/// What was shown last, until it has been looked at. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Letters(Rc<RefCell<Option<Vec<Poison>>>>);

impl Letters {
    /// What is not there yet, as far as this node has shown; it is asked again for the next time.
    pub(crate) fn missing(&self, place: &Place) -> Option<String> {
        let shown = self.0.borrow_mut().take();
        let letters = self.clone();
        place.order(Order::Run(Box::new(move |node| Box::pin(letters.look(node)))));
        let Some(shown) = shown else { return Some("no dead letters were shown".to_owned()) };
        let mut once = BTreeSet::new();
        for poison in shown {
            if let Some(twice) = once.replace(poison) {
                truth::count(|counts| counts.duplicated += 1);
                truth::fail(format_args!("{twice:?} is a dead letter twice"));
            }
        }
        let tried = truth::poisons(|poisons| poisons.messages());
        let missing = tried.difference(&once).next()?;
        Some(format!("{missing:?} was tried and is no dead letter"))
    }

    async fn look(self, node: Rc<RunningNode>) {
        if let Ok(page) = node.dead_letters(None, LETTERS_MAX).await {
            let found = page.letters.iter().filter_map(poison_of).collect();
            *self.0.borrow_mut() = Some(found);
        }
    }
}

fn poison_of(filed: &FiledLetter) -> Option<Poison> {
    let payload = &filed.letter().ok()?.payload;
    // A mark, a form byte, and who sent it, behind its length.
    let [MARK, 1, length, rest @ ..] = &payload[..] else { return None };
    let body = rest.get(usize::from(*length)..)?;
    let (name, poison): (String, Poison) = ciborium::from_reader(body).ok()?;
    (name == Poison::NAME).then_some(poison)
}
