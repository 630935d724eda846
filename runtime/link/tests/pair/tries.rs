//! How long a try may take before the client goes on to the next address.

use throughline_link::{ClientEvent, LinkConfig};

use crate::{
    fixture::{HOME, live},
    pair::{Pair, SECOND},
    places::{OWN, advertised, break_all, client_of, fall_silent, goes_on, live_as},
};

#[test]
fn after_silence_a_try_at_one_of_several_addresses_is_given_up_soon_and_later_each_round() {
    let mut pair = live_as(client_of(&["a:1", "b:1", "c:1"]), LinkConfig::default());
    // No way leads to these any more, as if their nodes stood still.
    pair.net.silent.extend(["b:1", "c:1", "a:1"]);
    fall_silent(&mut pair);
    assert_eq!(pair.client.dials, ["a:1", "b:1"]);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[2..], ["c:1"]);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[3..], ["a:1"]);
    // All were tried: now each has more time.
    pair.run(SECOND);
    assert_eq!(pair.client.dials[4..], ["b:1"]);
    pair.run(3 * SECOND / 4);
    assert_eq!(pair.client.dials.len(), 5);
    pair.net.silent.clear();
    pair.run(SECOND);
    assert_eq!(pair.client.dials[5..], ["c:1"]);
    goes_on(&mut pair);
}

#[test]
fn a_login_has_the_whole_time_and_a_repair_two_seconds_where_there_is_another_address() {
    let mut pair = Pair::new(client_of(&["a:1", "b:1"]), LinkConfig::default());
    pair.net.silent.push("a:1");
    pair.connect();
    pair.run(5 * SECOND - 1);
    assert_eq!(pair.client.dials, ["a:1"]);
    pair.run(SECOND);
    assert_eq!(pair.client.dials[1..], ["b:1"]);
    goes_on(&mut pair);
    pair.net.silent.push("b:1");
    break_all(&mut pair);
    pair.run(2 * SECOND - 1);
    assert_eq!(pair.client.dials[2..], ["b:1"]);
    pair.run(SECOND / 2);
    assert_eq!(pair.client.dials[3..], ["a:1"]);
    pair.net.silent.clear();
    pair.settle();
    goes_on(&mut pair);
}

#[test]
fn tries_that_were_given_up_early_for_the_next_address_are_not_used_up() {
    let mut pair = live_as(client_of(&["a:1", "b:1", "c:1"]), LinkConfig::default());
    // A tunnel.
    pair.net.silent.extend(["a:1", "b:1", "c:1"]);
    fall_silent(&mut pair);
    pair.run(40 * SECOND);
    assert_eq!(pair.client.saw(&ClientEvent::RepairFailed), 0);
    pair.net.silent.clear();
    pair.run(10 * SECOND);
    goes_on(&mut pair);
    // But it does not go on for longer than the session may last.
    pair.net.silent.extend(["a:1", "b:1", "c:1"]);
    fall_silent(&mut pair);
    pair.run(75 * SECOND);
    assert_eq!(pair.client.saw(&ClientEvent::RepairFailed), 1);
}

#[test]
fn after_silence_a_try_at_the_only_address_has_its_whole_time() {
    let mut pair = live();
    pair.net.silent.push(HOME);
    fall_silent(&mut pair);
    pair.run(5 * SECOND - SECOND / 10);
    assert_eq!(pair.client.dials, [HOME, HOME]);
    pair.net.silent.clear();
    pair.run(SECOND);
    goes_on(&mut pair);
}

#[test]
fn after_silence_a_try_over_a_slow_network_has_the_round_trips_it_needs() {
    let mut pair = Pair::new(client_of(&["a:1", "b:1"]), LinkConfig::default());
    pair.net.latency = SECOND / 5;
    pair.connect();
    pair.run(3 * SECOND);
    pair.net.silent.push("b:1");
    fall_silent(&mut pair);
    // Eight round trips of 400 ms are more than the two seconds that such a try has at most.
    pair.run(2 * SECOND - SECOND / 10);
    assert_eq!(pair.client.dials, ["a:1", "b:1"]);
    pair.run(SECOND / 2);
    assert_eq!(pair.client.dials[2..], ["a:1"]);
    pair.run(SECOND);
    goes_on(&mut pair);
}

#[test]
fn a_try_has_its_time_from_opening_the_connection_to_the_answer() {
    let mut pair = live();
    pair.net.latency = 2 * SECOND;
    break_all(&mut pair);
    // Opened after two seconds; the answer would come after six.
    pair.run(5 * SECOND - 1);
    assert_eq!(pair.client.dials.len(), 2);
    pair.net.latency = 5_000;
    pair.run(SECOND / 5);
    assert_eq!(pair.client.dials.len(), 3);
    goes_on(&mut pair);
}

#[test]
fn a_silent_advertised_address_holds_a_client_up_for_its_own_time_only() {
    let mut pair = advertised();
    pair.net.silent.push(OWN);
    break_all(&mut pair);
    pair.run(2 * SECOND - 1);
    assert_eq!(pair.client.dials, [HOME, OWN]);
    pair.run(SECOND / 5);
    assert_eq!(pair.client.dials, [HOME, OWN, HOME]);
    assert!(pair.client.link.is_live());
    goes_on(&mut pair);
}
