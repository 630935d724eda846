//! Once faults stop, everything settles.

use throughline_cluster::NodeState;

use crate::{
    Bounds,
    actions::{Action, PartStep, is_fault, list, take},
    canonical::canonical,
    env::Env,
    member::{NodeStep, is_silent},
    memory::{Held, Op, Place, Stage},
    part::Session,
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
        let unserved = unserved(&state);
        if unserved.is_empty() {
            return Ok(());
        }
        for (part, record) in unserved {
            let servers = serving(&state.env);
            if !servers.is_empty() {
                let step = PartStep::Try(record, servers[round % servers.len()]);
                let tried = take(&patient, &mut state, Action::Part(part, step));
                debug_assert!(tried.is_some() || state.parts[part].is_full(&patient, record));
            }
        }
    }
    // With nobody left to serve, nothing can be asked for.
    if serving(&state.env).is_empty() { Ok(()) } else { Err(Box::new(state)) }
}

fn serving(env: &Env) -> Vec<usize> {
    (0..env.nodes.len())
        .filter(|&node| env.works(node) && env.nodes[node].standing == NodeState::Alive)
        .collect()
}

/// The sessions, by part and record, whose clients wait.
fn unserved(s: &State) -> Vec<(usize, usize)> {
    let sessions = s.parts.iter().enumerate().flat_map(|(part, of)| {
        of.sessions.iter().enumerate().map(move |(record, session)| (part, record, session))
    });
    let waiting = sessions.filter(|(.., session)| !is_served(&s.env, session));
    waiting.map(|(part, record, _)| (part, record)).collect()
}

fn is_served(env: &Env, session: &Session) -> bool {
    let c = session.client;
    c.over
        || c.attempt == 0
        || (0..env.nodes.len()).any(|node| {
            acts(env, session, node)
                && env.works(node)
                && session.held[node].is_some_and(|held| held.conn == c.attempt)
        })
}

/// Everything happens that can happen by itself, in a fixed order, each once per round.
fn calm(bounds: &Bounds, state: &mut State) {
    for node in 0..state.env.nodes.len() {
        for step in [NodeStep::Expire(node), NodeStep::Thaw(node)] {
            if state.env.nodes[node].frozen {
                let _ = take(bounds, state, Action::Nodes(step));
            }
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut actions = Vec::new();
        list(bounds, state, &mut actions);
        let before = state.clone();
        for action in actions.into_iter().filter(|action| is_own(*action)) {
            let mut next = state.clone();
            if still_there(state, action) && take(bounds, &mut next, action).is_some() {
                *state = canonical(bounds, next);
            }
        }
        if *state == before {
            break;
        }
    }
    for part in 0..state.parts.len() {
        for record in 0..state.parts[part].sessions.len() {
            for node in 0..state.env.nodes.len() {
                let step = PartStep::Timeout(node, record);
                let _ = take(bounds, state, Action::Part(part, step));
            }
        }
    }
}

/// Whether the system does it by itself, and at once.
fn is_own(action: Action) -> bool {
    let waits = matches!(
        action,
        Action::Part(_, PartStep::Try(..) | PartStep::Timeout(..))
            | Action::Nodes(NodeStep::Expire(_))
    );
    !waits && !is_fault(action)
}

/// Indexes move while a round goes on.
fn still_there(s: &State, action: Action) -> bool {
    match action {
        Action::Part(part, step) => part_still_there(s, part, step),
        Action::Nodes(step) => nodes_still_there(&s.env, step),
    }
}

fn part_still_there(s: &State, part: usize, step: PartStep) -> bool {
    let (env, part) = (&s.env, &s.parts[part]);
    match step {
        PartStep::Deliver(at) => at < part.net.len(),
        PartStep::Land(at) => at < part.flights.len(),
        PartStep::End(node, record)
        | PartStep::First(node, record)
        | PartStep::Counter(node, record)
        | PartStep::Turn(node, record)
        | PartStep::Park(node, record)
        | PartStep::Key(node, record) => {
            let idle = |held: Held| held.op == Op::Idle;
            env.works(node) && part.sessions[record].held[node].is_some_and(idle)
        }
        PartStep::Settle(node, record) => {
            env.works(node) && part.sessions[record].held[node].is_some()
        }
        PartStep::Read(node, record) => {
            let reads = |place: Place| place.stage == Stage::Read;
            env.works(node) && part.sessions[record].places[node].is_some_and(reads)
        }
        PartStep::Requests(node, _) | PartStep::Sweep(node, _) | PartStep::Remove(node, _) => {
            env.works(node)
        }
        PartStep::Try(..) | PartStep::Timeout(..) | PartStep::Unknown(_) | PartStep::Due(_) => {
            false
        }
    }
}

fn nodes_still_there(env: &Env, step: NodeStep) -> bool {
    match step {
        NodeStep::Land(at) => at < env.flights.len(),
        NodeStep::Beat(node) => {
            let n = &env.nodes[node];
            n.up && !n.frozen && !n.lease && !n.busy
        }
        NodeStep::Mark(node, other) => env.works(node) && is_silent(env, other),
        NodeStep::Forget(node, _) => env.works(node),
        NodeStep::Leave(node) => {
            let n = &env.nodes[node];
            env.works(node) && n.standing == NodeState::Draining && !n.busy
        }
        NodeStep::Thaw(node) => env.nodes[node].frozen,
        _ => false,
    }
}
