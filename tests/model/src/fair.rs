//! Once faults stop, everything settles.

use throughline_cluster::NodeState;

use crate::{
    Bounds,
    actions::{Action, is_fault, list, take},
    canonical::canonical,
    properties::acts,
    state::State,
};

/// More rounds than any state within the bounds needs.
const ROUNDS_MAX: usize = 60;

/// Whether the system settles from `state`, when no more goes wrong and every client keeps trying:
/// each client is served by one node, or knows that its session is over. Gives the state in which
/// it did not.
///
/// # Errors
/// The state after the last round.
pub fn settles(bounds: &Bounds, state: &State) -> Result<(), Box<State>> {
    let patient = Bounds { attempts: u8::MAX, ..bounds.clone() };
    let mut state = state.clone();
    for round in 0..ROUNDS_MAX {
        calm(&patient, &mut state);
        if (0..state.clients.len()).all(|client| is_served(&state, client)) {
            return Ok(());
        }
        for client in 0..state.clients.len() {
            let servers = serving(&state);
            if is_served(&state, client) || state.clients[client].over || servers.is_empty() {
                continue;
            }
            let node = servers[round % servers.len()];
            let tried = take(&patient, &mut state, Action::Try(client, node));
            debug_assert!(tried.is_some() || is_full(&state, &patient, client));
        }
    }
    // With nobody left to serve, nothing can be asked for.
    if serving(&state).is_empty() { Ok(()) } else { Err(Box::new(state)) }
}

fn is_full(s: &State, bounds: &Bounds, client: usize) -> bool {
    u8::try_from(client).is_ok_and(|record| s.is_full(bounds, record))
}

fn serving(s: &State) -> Vec<usize> {
    (0..s.nodes.len())
        .filter(|&node| s.works(node) && s.nodes[node].standing == NodeState::Alive)
        .collect()
}

fn is_served(s: &State, client: usize) -> bool {
    let c = s.clients[client];
    c.over
        || c.attempt == 0
        || (0..s.nodes.len()).any(|node| {
            acts(s, node, client)
                && s.works(node)
                && s.nodes[node].held[client].is_some_and(|held| held.conn == c.attempt)
        })
}

/// Everything happens that can happen by itself, in a fixed order, each once per round.
fn calm(bounds: &Bounds, state: &mut State) {
    for node in 0..state.nodes.len() {
        for action in [Action::Expire(node), Action::Thaw(node)] {
            if state.nodes[node].frozen {
                let _ = take(bounds, state, action);
            }
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut actions = Vec::new();
        list(bounds, state, &mut actions);
        let own = |a: &Action| {
            !is_fault(*a) && !matches!(a, Action::Try(..) | Action::Timeout(..) | Action::Expire(_))
        };
        let before = state.clone();
        for action in actions.into_iter().filter(own) {
            let mut next = state.clone();
            if still_there(state, action) && take(bounds, &mut next, action).is_some() {
                *state = canonical(bounds, next);
            }
        }
        if *state == before {
            break;
        }
    }
    for node in 0..state.nodes.len() {
        for record in 0..state.clients.len() {
            let _ = take(bounds, state, Action::Timeout(node, record));
        }
    }
}

/// Indexes move while a round goes on.
fn still_there(s: &State, action: Action) -> bool {
    match action {
        Action::Deliver(at) => at < s.net.len(),
        Action::Land(at) => at < s.flights.len(),
        Action::Beat(node) => {
            let n = &s.nodes[node];
            n.up && !n.frozen && !n.lease && !n.busy
        }
        Action::End(node, record)
        | Action::First(node, record)
        | Action::Counter(node, record)
        | Action::Turn(node, record)
        | Action::Park(node, record)
        | Action::Key(node, record) => {
            let idle = |held: crate::Held| held.op == crate::Op::Idle;
            s.works(node) && s.nodes[node].held[record].is_some_and(idle)
        }
        Action::Settle(node, record) => s.works(node) && s.nodes[node].held[record].is_some(),
        Action::Read(node, record) => {
            let reads = |place: crate::Place| place.stage == crate::Stage::Read;
            s.works(node) && s.nodes[node].places[record].is_some_and(reads)
        }
        Action::Mark(node, _)
        | Action::Requests(node, _)
        | Action::Sweep(node, _)
        | Action::Remove(node, _) => s.works(node),
        Action::Leave(node) => {
            s.works(node) && s.nodes[node].standing == NodeState::Draining && !s.nodes[node].busy
        }
        Action::Forget(node, _) => s.works(node),
        Action::Thaw(node) => s.nodes[node].frozen,
        _ => false,
    }
}
