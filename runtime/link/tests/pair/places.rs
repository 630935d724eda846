//! Where a client goes after a break: the node's own address, those that nodes name, and those of
//! its options. All addresses lead to the same cluster unless a test says otherwise.

use core::time::Duration;

use throughline_link::{AddressOrder, ClientConfig, ClientEvent, CloseCode, LinkConfig};

use crate::{
    fixture::{HOME, client, live, live_with},
    host::Refusal,
    pair::{Pair, SECOND},
};

pub(crate) const OWN: &str = "node-3:7778";
const OTHER: &str = "other:7778";

/// A session with a node that advertises its own address.
pub(crate) fn advertised() -> Pair {
    live_with(advertising())
}

fn advertising() -> LinkConfig {
    LinkConfig { advertise: Some(OWN.to_owned()), ..LinkConfig::default() }
}

pub(crate) fn live_as(client: ClientConfig, node: LinkConfig) -> Pair {
    let mut pair = Pair::new(client, node);
    pair.connect();
    pair.run(SECOND);
    assert!(pair.client.link.is_live());
    pair
}

/// A client of several balancers.
pub(crate) fn client_of(addresses: &[&str]) -> ClientConfig {
    let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
    ClientConfig { addresses, ..client() }
}

pub(crate) fn break_all(pair: &mut Pair) {
    pair.net.break_all(pair.now);
}

/// The connection stays, and says nothing, until the client has noticed and tries again.
pub(crate) fn fall_silent(pair: &mut Pair) {
    let dials = pair.client.dials.len();
    pair.net.hole = [true; 2];
    while pair.client.dials.len() == dials {
        pair.run(SECOND / 100);
    }
    pair.net.hole = [false; 2];
}

/// What nodes at an address answer next.
fn refuses(pair: &mut Pair, address: &str, refusals: impl IntoIterator<Item = Refusal>) {
    pair.host.others.entry(address.to_owned()).or_default().extend(refusals);
}

fn elsewhere(addresses: &[&'static str]) -> Refusal {
    Refusal { elsewhere: addresses.to_vec(), ..Refusal::of(CloseCode::GoElsewhere) }
}

/// Messages go both ways, once, and the session is still there.
pub(crate) fn goes_on(pair: &mut Pair) {
    pair.client.send().unwrap();
    pair.host.send();
    pair.settle();
    assert!(pair.is_all_through());
    assert_eq!((pair.client.end(), pair.host.session().end), (None, None));
    let attempts = &pair.host.attempts;
    assert!(attempts.is_sorted_by(|a, b| a < b), "the counter grows: {attempts:?}");
}

#[test]
fn the_advertised_address_is_tried_before_the_configured_ones() {
    let mut pair = advertised();
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, OWN]);
    goes_on(&mut pair);
}

#[test]
fn a_dead_advertised_address_is_tried_once_and_not_counted() {
    let mut pair = live_as(ClientConfig { tries: 1, ..client() }, advertising());
    pair.net.dead.push(OWN);
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, OWN, HOME]);
    goes_on(&mut pair);
}

#[test]
fn a_client_of_configured_addresses_only_ignores_what_nodes_advertise() {
    let order = AddressOrder::ConfiguredOnly;
    let mut pair = live_as(ClientConfig { address_order: order, ..client() }, advertising());
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, HOME]);
    // And goes where a node sends it all the same.
    refuses(&mut pair, HOME, [elsewhere(&[OTHER])]);
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[2..], [HOME, OTHER]);
    goes_on(&mut pair);
}

#[test]
fn of_several_configured_addresses_a_repair_begins_at_the_one_that_worked() {
    let mut pair = Pair::new(client_of(&["a:1", "b:1", "c:1"]), LinkConfig::default());
    pair.net.dead.push("a:1");
    pair.connect();
    pair.run(SECOND);
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, ["a:1", "b:1", "b:1"]);
    // One that restarts is not the first to go to.
    pair.host.session().link.announce_restart(0, &[]);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[3..], ["c:1"]);
    goes_on(&mut pair);
}

#[test]
fn of_several_configured_addresses_the_one_that_fell_silent_is_not_the_first() {
    let mut pair = live_as(client_of(&["a:1", "b:1", "c:1"]), LinkConfig::default());
    fall_silent(&mut pair);
    assert_eq!(pair.client.dials, ["a:1", "b:1"]);
    pair.settle();
    goes_on(&mut pair);
}

#[test]
fn what_the_one_that_fell_silent_advertised_is_not_the_first_either() {
    let mut pair = live_as(client_of(&["a:1", "b:1"]), advertising());
    fall_silent(&mut pair);
    assert_eq!(pair.client.dials, ["a:1", "b:1"]);
    pair.settle();
    goes_on(&mut pair);
}

#[test]
fn a_node_without_its_store_is_left_at_once_for_an_address_that_was_not_tried() {
    let mut pair = live_as(client_of(&["a:1", "b:1"]), LinkConfig::default());
    let down = Refusal { retry_after_ms: 3_000, ..Refusal::of(CloseCode::StoreDown) };
    refuses(&mut pair, "a:1", [down.clone(), down.clone()]);
    break_all(&mut pair);
    pair.run(SECOND / 2);
    assert_eq!(pair.client.dials, ["a:1", "a:1", "b:1"]);
    goes_on(&mut pair);
    // Where no address is left the wait is kept.
    refuses(&mut pair, "b:1", [down]);
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[3..], ["b:1", "a:1"]);
    pair.run(4 * SECOND);
    assert_eq!(pair.client.dials[5..], ["b:1"]);
    goes_on(&mut pair);
}

#[test]
fn p1_a_handover_with_restarting_goes_to_the_named_node_when_it_is_time() {
    let mut pair = advertised();
    pair.host.session().link.announce_restart(3_000, &[OTHER.to_owned()]);
    pair.host.send();
    pair.run(2 * SECOND);
    let told = ClientEvent::Restarting { reconnect_in: Duration::from_secs(3) };
    assert_eq!(pair.client.saw(&told), 1);
    assert_eq!(pair.client.dials, [HOME], "it stays connected until the time has come");
    assert_eq!(pair.client.handled, 1);
    pair.run(SECOND + pair.net.latency);
    assert_eq!(pair.client.dials, [HOME, OTHER]);
    // The node asked yields the session before it answers.
    pair.handover();
    pair.run(SECOND);
    assert_eq!(pair.client.saw(&ClientEvent::Repaired), 1);
    goes_on(&mut pair);
}

#[test]
fn p1_a_restarting_node_without_addresses_is_left_for_the_configured_ones() {
    let mut pair = advertised();
    pair.host.session().link.announce_restart(500, &[]);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, HOME], "not to the address of the node that leaves");
    goes_on(&mut pair);
}

#[test]
fn p1_a_session_that_its_restarting_node_parks_is_fetched_at_once() {
    for addresses in [vec![], vec![OTHER.to_owned()]] {
        let expected = addresses.first().map_or(HOME, |_| OTHER);
        let mut pair = advertised();
        pair.host.session().link.announce_restart(10_000, &addresses);
        pair.run(SECOND);
        pair.host.send();
        pair.client.send().unwrap();
        // The connection closes with everything on its way lost.
        pair.handover();
        pair.run(SECOND / 10);
        assert_eq!(pair.client.dials, [HOME, expected]);
        assert!(pair.client.link.is_live());
        pair.run(20 * SECOND);
        assert_eq!(pair.client.dials.len(), 2, "the time told before has no meaning any more");
        goes_on(&mut pair);
    }
}

#[test]
fn dead_named_addresses_do_not_count_and_the_configured_ones_follow() {
    let mut pair = live_as(ClientConfig { tries: 1, ..client() }, advertising());
    pair.net.dead.extend(["x:1", "y:1", "z:1"]);
    let named = ["x:1", "y:1", "z:1"].map(str::to_owned);
    pair.host.session().link.announce_restart(0, &named);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, "x:1", "y:1", "z:1", HOME]);
    goes_on(&mut pair);
}

#[test]
fn p1_go_elsewhere_is_followed_at_once_and_does_not_count() {
    let mut pair = live_as(ClientConfig { tries: 1, ..client() }, LinkConfig::default());
    refuses(&mut pair, HOME, [elsewhere(&["x:1", OTHER])]);
    pair.net.dead.push("x:1");
    break_all(&mut pair);
    pair.run(15_000);
    assert_eq!(pair.client.dials, [HOME, HOME, "x:1"], "as fast as the network is");
    pair.run(SECOND);
    assert_eq!(pair.client.dials[3..], [OTHER]);
    goes_on(&mut pair);
}

#[test]
fn go_elsewhere_comes_before_what_was_named_earlier() {
    let mut pair = live();
    refuses(&mut pair, HOME, [elsewhere(&["x:1", "y:1"])]);
    refuses(&mut pair, "x:1", [elsewhere(&[OTHER, "y:1"])]);
    break_all(&mut pair);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, HOME, "x:1", OTHER]);
    goes_on(&mut pair);
}

#[test]
fn p9_nodes_that_send_a_client_in_a_circle_are_left_after_the_total_time() {
    let mut pair = live();
    refuses(&mut pair, HOME, std::iter::repeat_n(elsewhere(&[OTHER]), 10_000));
    refuses(&mut pair, OTHER, std::iter::repeat_n(elsewhere(&[HOME]), 10_000));
    break_all(&mut pair);
    pair.run(70 * SECOND);
    assert!(pair.client.link.is_resting());
    assert_eq!(pair.client.saw(&ClientEvent::RepairFailed), 1);
    let dials = pair.client.dials.len();
    assert!(dials < 80, "{dials} tries");
    // The player asks, and the cluster is well again.
    pair.host.others.clear();
    pair.connect();
    pair.run(SECOND);
    assert_eq!(pair.client.saw(&ClientEvent::Repaired), 1);
}

#[test]
fn p9_nodes_that_name_dead_addresses_for_ever_are_left_after_bounded_tries() {
    let mut pair = live();
    pair.net.dead.push("dead:1");
    refuses(&mut pair, HOME, std::iter::repeat_n(elsewhere(&["dead:1"]), 10_000));
    break_all(&mut pair);
    pair.run(70 * SECOND);
    assert!(pair.client.link.is_resting());
    let dials = pair.client.dials.len();
    assert!(dials < 60, "{dials} tries");
}

#[test]
fn p9_a_node_that_welcomes_only_to_send_away_is_left_after_bounded_tries() {
    let mut pair = live();
    for _ in 0..1_000 {
        if !pair.client.link.is_resting() {
            pair.host.session().link.announce_restart(0, &[]);
        }
        // Nothing but Welcome and Restarting arrives before the client has left.
        pair.run(SECOND / 100);
    }
    pair.run(60 * SECOND);
    assert!(pair.client.dials.len() < 20, "{} tries", pair.client.dials.len());
}

#[test]
fn p1_the_wrong_node_is_asked_again_as_it_says_and_no_try_is_used_up() {
    for code in [
        CloseCode::NotYet,
        CloseCode::StoreDown,
        CloseCode::Overloaded,
        CloseCode::LoadFailed,
        CloseCode::HandshakeTimeout,
    ] {
        let mut pair = live_as(ClientConfig { tries: 1, ..client() }, LinkConfig::default());
        let not_yet = Refusal { retry_after_ms: 2_000, ..Refusal::of(code) };
        refuses(&mut pair, HOME, std::iter::repeat_n(not_yet, 9));
        break_all(&mut pair);
        pair.run(2 * SECOND);
        assert_eq!(pair.client.dials.len(), 2, "{code}: not before its time");
        pair.handover();
        pair.run(28 * SECOND);
        assert!(pair.client.link.is_live(), "{code}");
        assert_eq!(pair.client.dials.len(), 11);
        goes_on(&mut pair);
    }
}

#[test]
fn a_refusal_without_a_time_is_waited_for_longer_and_longer() {
    let mut pair = live();
    refuses(&mut pair, HOME, std::iter::repeat_n(Refusal::of(CloseCode::NotYet), 10_000));
    break_all(&mut pair);
    pair.run(70 * SECOND);
    assert!(pair.client.link.is_resting());
    let dials = pair.client.dials.len();
    assert!((10..50).contains(&dials), "{dials} tries in a minute");
}

#[test]
fn refusals_go_on_for_the_timeout_that_welcome_told_and_no_longer() {
    let node = LinkConfig { session_timeout: Duration::from_secs(20), ..LinkConfig::default() };
    let own = ClientConfig { total_time: Some(Duration::from_secs(7)), ..client() };
    for (client, total) in [(client(), 20), (own, 7)] {
        let mut pair = live_as(client, node.clone());
        let busy = Refusal { retry_after_ms: 3_000, ..Refusal::of(CloseCode::Overloaded) };
        refuses(&mut pair, HOME, std::iter::repeat_n(busy, 1_000));
        break_all(&mut pair);
        pair.run((total - 1) * SECOND);
        assert!(!pair.client.link.is_resting());
        // The last try is made at the end of the time, whatever the node asked for.
        pair.run(SECOND + SECOND / 10);
        assert!(pair.client.link.is_resting(), "{total} s");
        assert_eq!(pair.client.saw(&ClientEvent::RepairFailed), 1);
    }
}

#[test]
fn p2_a_final_refusal_of_a_resume_ends_the_session_with_its_reason() {
    let expected = |code: CloseCode| code.advice() == throughline_link::Advice::Ended;
    for &code in CloseCode::ALL.iter().filter(|code| expected(**code)) {
        let mut pair = live();
        refuses(&mut pair, HOME, [Refusal::of(code)]);
        break_all(&mut pair);
        pair.run(60 * SECOND);
        assert_eq!(pair.client.end(), Some(code));
        assert_eq!(pair.client.dials.len(), 2, "{code}: there is nothing to try again");
        assert_eq!(pair.client.saw(&ClientEvent::RepairFailed), 0);
    }
}

#[test]
fn p1_a_move_takes_a_live_session_to_that_address() {
    let mut pair = advertised();
    for number in 0..20 {
        pair.client.send().unwrap();
        pair.host.send();
        let (now, to) = (pair.time(), format!("node-{number}:1"));
        pair.client.link.move_to(&to, now);
        pair.handover();
        pair.run(SECOND / 10);
        assert_eq!(pair.client.dials.last(), Some(&to));
        assert!(pair.client.link.is_live());
    }
    assert_eq!(pair.client.dials.len(), 21, "one try each");
    assert_eq!(pair.client.saw(&ClientEvent::Repaired), 20);
    goes_on(&mut pair);
}

#[test]
fn a_move_to_a_dead_address_ends_where_a_repair_would() {
    let mut pair = live_as(ClientConfig { tries: 1, ..client() }, advertising());
    pair.net.dead.push("dead:1");
    let now = pair.time();
    pair.client.link.move_to("dead:1", now);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME, "dead:1", OWN]);
    goes_on(&mut pair);
}

#[test]
fn a_move_replaces_the_try_under_way_and_waits_for_the_player_who_was_asked() {
    let mut pair = live();
    pair.net.silent.extend([HOME, "silent:1"]);
    break_all(&mut pair);
    pair.run(SECOND / 10);
    for to in ["silent:1", OTHER] {
        let now = pair.time();
        pair.client.link.move_to(to, now);
        pair.run(SECOND / 10);
    }
    assert_eq!(pair.client.dials, [HOME, HOME, "silent:1", OTHER]);
    assert!(pair.client.link.is_live());
    pair.net.silent.push(OTHER);
    break_all(&mut pair);
    pair.run(120 * SECOND);
    assert!(pair.client.link.is_resting());
    let (now, dials) = (pair.time(), pair.client.dials.len());
    pair.client.link.move_to("back:1", now);
    pair.run(60 * SECOND);
    assert_eq!(pair.client.dials.len(), dials);
    pair.connect();
    pair.run(SECOND);
    assert_eq!(pair.client.dials[dials..], ["back:1"]);
}

#[test]
fn a_session_that_was_left_or_has_ended_does_not_move() {
    let mut pair = live();
    let now = pair.time();
    pair.client.link.leave();
    pair.client.link.move_to(OTHER, now);
    pair.run(SECOND);
    assert_eq!(pair.client.end(), Some(CloseCode::Left));
    pair.client.link.move_to(OTHER, now);
    pair.run(SECOND);
    assert_eq!(pair.client.dials, [HOME]);
}
