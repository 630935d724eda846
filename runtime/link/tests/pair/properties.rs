//! Random conversations over a random network, against the model: each side has sent so many
//! messages, and the other handles exactly these, in order, or both know why not.
//!
//! That each message handled is the next is checked as it is handled (`message::check`); here it
//! is checked that nothing is missing in the end, and that no session ends without a reason.

use proptest::prelude::*;
use throughline_link::{CloseCode, LinkConfig};

use crate::{
    fixture::{HOME, client},
    host::Refusal,
    net::Side,
    pair::{Pair, SECOND},
};

/// What happens.
#[derive(Debug, Clone)]
enum Operation {
    ClientSends(u8),
    NodeSends(u8),
    Passes(u64),
    Cut,
    CutAfter {
        to_node: bool,
        bytes: usize,
    },
    Hole([bool; 2]),
    Down(bool),
    Heal,
    Handover,
    Reload,
    ClientHolds(bool),
    NodeHolds(bool),
    Restarting(u32),
    /// The client goes to this address first; nothing listens at `dead`.
    Move(&'static str),
    /// The next nodes asked know another one, or ask to wait.
    Refuses(Refusal),
    /// From here on only in rough conversations: what ends sessions.
    Remember,
    FallBackHost,
    End,
    Leave,
}

/// Operations after which every session must still be there.
fn gentle() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (1..20_u8).prop_map(Operation::ClientSends),
        4 => (1..20_u8).prop_map(Operation::NodeSends),
        8 => (0..300_000_u64).prop_map(Operation::Passes),
        1 => (0..8 * SECOND).prop_map(Operation::Passes),
        3 => Just(Operation::Cut),
        3 => (any::<bool>(), 0..600_usize)
            .prop_map(|(to_node, bytes)| Operation::CutAfter { to_node, bytes }),
        1 => any::<[bool; 2]>().prop_map(Operation::Hole),
        1 => any::<bool>().prop_map(Operation::Down),
        2 => Just(Operation::Heal),
        2 => Just(Operation::Handover),
        2 => Just(Operation::Reload),
        1 => any::<bool>().prop_map(Operation::ClientHolds),
        1 => any::<bool>().prop_map(Operation::NodeHolds),
        1 => (0..3_000_u32).prop_map(Operation::Restarting),
        2 => prop_oneof![Just("other"), Just("dead")].prop_map(Operation::Move),
        2 => refusal().prop_map(Operation::Refuses),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let codes = [CloseCode::NotYet, CloseCode::GoElsewhere, CloseCode::StoreDown];
    let addresses = prop_oneof![Just(vec![]), Just(vec!["dead", "other"]), Just(vec!["other"])];
    let code = proptest::sample::select(codes.to_vec());
    (code, 0..500_u32, addresses).prop_map(|(code, retry_after_ms, elsewhere)| Refusal {
        code,
        retry_after_ms,
        elsewhere,
    })
}

fn rough() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => gentle(),
        1 => (0..90 * SECOND).prop_map(Operation::Passes),
        1 => (200..255_u8).prop_map(Operation::NodeSends),
        1 => Just(Operation::Remember),
        1 => Just(Operation::FallBackHost),
        1 => Just(Operation::End),
        1 => Just(Operation::Leave),
    ]
}

/// How the network and the drivers behave throughout.
#[derive(Debug, Clone)]
struct Manner {
    latency: u64,
    chunk: usize,
    notice: [u64; 2],
    ends_first: bool,
    timeouts_first: bool,
    lag: u64,
    echoes: bool,
}

fn manner() -> impl Strategy<Value = Manner> {
    let times = (0..80_000_u64, [0..SECOND, 0..SECOND], 0..30_000_u64);
    (times, 1..200_usize, any::<[bool; 3]>()).prop_map(|(times, chunk, flags)| {
        let ((latency, notice, lag), [ends_first, timeouts_first, echoes]) = (times, flags);
        Manner { latency, chunk, notice, ends_first, timeouts_first, lag, echoes }
    })
}

/// Small limits, so that they are met.
fn limits() -> LinkConfig {
    LinkConfig { window_messages: 24, window_bytes: 600, ..LinkConfig::default() }
}

fn begun(manner: &Manner) -> Pair {
    let mut pair = Pair::new(client(), limits());
    pair.net.latency = manner.latency;
    pair.net.chunk = manner.chunk;
    pair.net.notice = manner.notice;
    pair.net.ends_first = manner.ends_first;
    pair.timeouts_first = manner.timeouts_first;
    pair.lag = manner.lag;
    pair.host.echoes = manner.echoes;
    pair.net.dead.push("dead");
    pair.connect();
    pair
}

fn perform(pair: &mut Pair, operation: &Operation, saved: &mut Option<crate::host::Saved>) {
    match *operation {
        Operation::ClientSends(count) => (0..count).for_each(|_| {
            let _ = pair.client.send();
        }),
        Operation::NodeSends(count) => (0..count).for_each(|_| {
            pair.host.send();
        }),
        Operation::Passes(time) => pair.run(time),
        Operation::Cut => pair.net.break_all(pair.now),
        Operation::CutAfter { to_node, bytes } => {
            let to = if to_node { Side::Node } else { Side::Client };
            pair.net.cut = Some((to, pair.net.carried[to as usize] + bytes));
        }
        Operation::Hole(sides) => pair.net.hole = sides,
        Operation::Down(down) => pair.net.down = down,
        Operation::Heal => pair.net.heal(),
        Operation::ClientHolds(holds) => pair.client.holds = holds,
        Operation::NodeHolds(holds) => pair.host.holds = holds,
        Operation::Move(to) => {
            let now = pair.time();
            pair.client.link.move_to(to, now);
        }
        Operation::Refuses(ref refusal) => {
            for address in [HOME, "other"] {
                let queue = pair.host.others.entry(address.to_owned()).or_default();
                queue.push_back(refusal.clone());
            }
        }
        Operation::Leave => pair.client.link.leave(),
        Operation::Reload => {
            if let Some(saved) = pair.client.save().filter(|_| pair.client.end().is_none()) {
                pair.load_client(&saved);
            }
        }
        _ if pair.host.last.is_none() => {}
        Operation::Handover => pair.handover(),
        Operation::Restarting(ms) => pair.host.session().link.announce_restart(ms, &[]),
        Operation::Remember => *saved = Some(pair.host.session().save()),
        Operation::FallBackHost => {
            if let Some(saved) = saved.as_ref().filter(|_| pair.host.sessions.len() == 1) {
                pair.load_host(saved);
            }
        }
        Operation::End => pair.host.session().link.end(CloseCode::Ended),
    }
    pair.drain();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn p1_whatever_the_network_does_all_is_handled_once_and_in_order(
        manner in manner(),
        operations in proptest::collection::vec(gentle(), 1..40),
    ) {
        let mut pair = begun(&manner);
        let mut away = 0;
        for operation in &operations {
            // Bounded, so that no limit but those of the network is met.
            if let Operation::Passes(time) = operation {
                away += time;
            }
            if away > 25 * SECOND {
                away = 0;
                pair.settle();
            }
            perform(&mut pair, operation, &mut None);
        }
        pair.settle();
        prop_assert!(pair.is_all_through());
        prop_assert_eq!(pair.client.end(), None);
        prop_assert_eq!(pair.host.session().end, None);
    }

    #[test]
    fn p2_a_session_goes_on_without_a_gap_or_ends_with_a_reason_on_both_sides(
        manner in manner(),
        operations in proptest::collection::vec(rough(), 1..50),
    ) {
        let mut pair = begun(&manner);
        let mut saved = None;
        for operation in &operations {
            perform(&mut pair, operation, &mut saved);
        }
        pair.settle();
        let reason = pair.client.end();
        if reason.is_none() {
            prop_assert!(pair.is_all_through());
            prop_assert_eq!(pair.host.session().end, None);
        } else if pair.host.last.is_some() {
            let end = pair.host.session().end;
            prop_assert!(end.is_some(), "ended at the client only, with {:?}", reason);
        }
    }
}
