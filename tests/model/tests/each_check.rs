//! Each check of the law, left out once: the model fails, and with it, within the same bounds,
//! the model holds. So every check is needed, and the model can see what each is for.

use stateright::{Checker, Model};
use throughline_cluster::{Law, Rule};
use throughline_model::Bounds;

/// `OnSwapOut`: state is written at swap-out.
const R: bool = false;
/// `EveryTurn`: every turn is committed.
const C: bool = true;

/// Small, and large enough to show what the check is for.
fn bounds(law: Law, rule: Rule) -> Bounds {
    let calm = |clients: &[bool]| Bounds::calm(law, 2, clients);
    let mut bounds = calm(&[R]);
    match rule {
        Rule::CreateAlive | Rule::ClaimAlive | Rule::YieldAlive | Rule::LeaveEmpty => {
            bounds.left.drains = 1;
        }
        Rule::SeizeAlive => {
            bounds.clients = vec![C];
            bounds.left.drains = 1;
        }
        Rule::TakeAlive => {
            bounds = calm(&[C]).faults(1);
            bounds.freeze = false;
            bounds.left.drains = 1;
        }
        Rule::DrainAlive => {
            bounds = bounds.faults(1);
            bounds.attempts = 0;
            bounds.left.drains = 1;
        }
        Rule::YieldReads | Rule::ClaimReads => bounds.nodes = vec![2, 1],
        Rule::ParkHeader => {
            bounds.clients = vec![C];
            bounds.left.unknown = 1;
        }
        Rule::SeizeHeader => bounds.clients = vec![C],
        Rule::SeizeCommitted => {}
        Rule::Attempt | Rule::ClaimHeader => bounds.attempts = 3,
        Rule::KeyHolder | Rule::KeyLoser | Rule::KeyDead | Rule::EndKey => {
            bounds = calm(&[R, R]);
            bounds.attempts = if rule == Rule::KeyLoser { 2 } else { 1 };
            bounds.turns = 0;
            bounds.messages = 2;
            bounds.keys = true;
        }
        Rule::KeyHeader => {
            bounds.left.unknown = 1;
            bounds.keys = true;
        }
        Rule::RemoveHeader | Rule::RemoveDue => bounds.left.dues = 1,
        Rule::JoinNode | Rule::JoinGone => {
            bounds = bounds.faults(2);
            bounds.freeze = false;
            bounds.attempts = 0;
            bounds.left.joins = 2;
        }
        Rule::MarkStanding => {
            bounds.attempts = 0;
            bounds.left.drains = 1;
        }
        Rule::ForgetGone => bounds.sweep = true,
        Rule::RequestOwner => {
            bounds = bounds.faults(1);
            bounds.freeze = false;
            bounds.requests = true;
            bounds.sweep = true;
        }
        Rule::EndHeader => {
            bounds = bounds.faults(1);
            bounds.ends = true;
        }
        Rule::TurnHeader => {
            bounds = bounds.faults(1);
            bounds.left.unknown = 1;
        }
        _ => bounds = bounds.faults(1),
    }
    bounds
}

/// States, and the properties that do not hold.
fn check(law: Law, rule: Rule) -> (usize, Vec<&'static str>) {
    let checker = bounds(law, rule).checker().threads(2).spawn_bfs().join();
    let mut broken: Vec<_> = checker.discoveries().into_keys().collect();
    broken.sort_unstable();
    (checker.unique_state_count(), broken)
}

/// Checks that others imply: they are made nevertheless, as second locks.
///
/// `EndKey`: a live header has a key exactly if the key's record points to it, so a commit that
/// checks the header has checked the key.
const IMPLIED: &[Rule] = &[Rule::EndKey];

#[test]
fn the_model_holds_with_every_check_and_fails_without_any_one_of_them() {
    for rule in Rule::ALL {
        let (states, broken) = check(Law::default(), rule);
        assert_eq!(broken, Vec::<&str>::new(), "with every check, in the bounds of {rule:?}");
        let (_, broken) = check(Law::without(rule), rule);
        println!("{rule:?}: {states} states hold; without it: {}", broken.join(", "));
        assert_eq!(broken.is_empty(), IMPLIED.contains(&rule), "without {rule:?}");
    }
}
