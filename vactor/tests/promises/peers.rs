//! Who has lost what was sent to it durably, and who hears of that.

mod game;

use std::time::Duration;

use throughline::Session;
use throughline_testing::{Player, TestCluster};
use throughline_vactor::{AskError, Message, Move, Rejection, VActor, Vactors};

use game::*;

/// Longer than it takes to find that a node is dead, and to look at what it had.
const FOUND: Duration = Duration::from_secs(10);

const SECOND: Duration = Duration::from_secs(1);

const TILL: &str = "VActor till/t";

fn cluster() -> TestCluster {
    cluster_of(1)
}

fn cluster_of(seed: u64) -> TestCluster {
    TestCluster::builder(3).seed(seed).start(|node| {
        node.sessions::<Ann>().vactors::<Till>().vactors::<Writer>().vactors::<Clerk>()
    })
}

pub(crate) fn asked<V, M>(
    cluster: &TestCluster,
    n: usize,
    key: &str,
    message: M,
) -> Result<M::Reply, AskError>
where
    V: throughline_vactor::Accepts<M>,
    M: Message,
{
    use throughline_vactor::Ask as _;
    let (node, to) = (cluster.node(n), V::at(key));
    cluster.run(async move { node.ask(&to, message).await })
}

fn pay(cluster: &TestCluster, n: usize, by: i64) -> i64 {
    asked::<Till, _>(cluster, n, "t", Pay { by }).unwrap()
}

fn writes(cluster: &TestCluster, n: usize, to: To) {
    asked::<Writer, _>(cluster, n, "w", Write { to }).unwrap();
}

fn watches(cluster: &TestCluster, n: usize, to: To) {
    asked::<Writer, _>(cluster, n, "w", Watch { to: vec![to] }).unwrap();
}

fn heard(cluster: &TestCluster, n: usize) -> Losses {
    asked::<Writer, _>(cluster, n, "w", Heard {}).unwrap()
}

pub(crate) fn moves<V: VActor>(cluster: &TestCluster, key: &str, to: usize) {
    let (node, to) = (cluster.node(to), u32::try_from(to).unwrap() + 1);
    let address = V::at(key);
    cluster.run(async move { node.move_vactor(&address, to).await });
    cluster.advance(SECOND);
}

/// A player whose session is at this node.
fn ann(cluster: &TestCluster, n: usize) -> Player {
    let mut player = cluster.player_of(Ann::KIND, "ann");
    if player.node() != Some(n) {
        player.move_to(n);
    }
    player
}

fn says(player: &mut Player, ask: &Ask) {
    player.send(ask);
    assert_eq!(player.receive::<Told>(), Told::Done);
}

/// The lives whose loss a player has heard of since it was last asked; nothing else has come.
fn losses(player: &mut Player, peer: &str) -> Vec<u64> {
    let told = player.received::<Told>().into_iter();
    told.map(|told| match told {
        Told::Lost(who, life) if who == peer => life,
        other => panic!("{other:?}, where the loss of {peer} was expected"),
    })
    .collect()
}

/// Its node is killed, and another one has found that out.
fn is_killed(cluster: &TestCluster, n: usize) {
    cluster.kill(n);
    cluster.advance(FOUND);
}

#[test]
fn who_sent_to_a_peer_that_lost_it_hears_so_once_with_the_next_message() {
    let cluster = cluster();
    assert_eq!(pay(&cluster, 0, 0), 0);
    let mut ann = ann(&cluster, 1);
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    cluster.advance(SECOND);
    assert_eq!(pay(&cluster, 0, 0), 2, "both were handled");
    is_killed(&cluster, 0);
    assert!(heard(&cluster, 1).is_empty(), "it has met nobody since");
    assert!(losses(&mut ann, TILL).is_empty());
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    cluster.advance(SECOND * 2);
    let life = losses(&mut ann, TILL);
    assert_eq!(life.len(), 1);
    assert_eq!(heard(&cluster, 1), [(TILL.to_owned(), life[0])]);
    assert_eq!(pay(&cluster, 1, 0), 2, "the other life has what was sent to it");
    for _ in 0..2 {
        writes(&cluster, 1, till());
        says(&mut ann, &Ask::Write(till()));
        cluster.advance(SECOND * 2);
    }
    assert!(losses(&mut ann, TILL).is_empty());
    assert_eq!(heard(&cluster, 1).len(), 1);
}

#[test]
fn each_life_that_is_lost_is_heard_of_once() {
    let cluster = cluster();
    let mut all = Vec::new();
    for round in 0..3 {
        let killed = round % 2 * 2;
        // The till is at the node that is killed next, and the writer at the one that stays.
        pay(&cluster, killed, 0);
        writes(&cluster, 1, till());
        moves::<Till>(&cluster, "t", killed);
        moves::<Writer>(&cluster, "w", 1);
        is_killed(&cluster, killed);
        writes(&cluster, 1, till());
        cluster.advance(SECOND * 2);
        all = heard(&cluster, 1);
        assert_eq!(all.len(), round + 1);
        cluster.start(killed);
        cluster.advance(SECOND * 2);
    }
    all.dedup();
    assert_eq!(all.len(), 3, "each has a number of its own");
}

#[test]
fn a_message_to_a_peer_whose_node_has_just_died_is_a_meeting_too() {
    let cluster = cluster();
    pay(&cluster, 0, 0);
    let mut ann = ann(&cluster, 1);
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    cluster.advance(SECOND);
    cluster.kill(0);
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    cluster.advance(FOUND);
    assert_eq!(pay(&cluster, 1, 0), 2, "another life has handled them");
    assert_eq!(losses(&mut ann, TILL).len(), 1);
    assert_eq!(heard(&cluster, 1).len(), 1);
}

#[test]
fn who_did_not_exist_when_it_was_sent_to_is_met_when_it_begins() {
    let cluster = cluster();
    writes(&cluster, 1, till());
    cluster.advance(SECOND * 3);
    assert_eq!(pay(&cluster, 1, 0), 1, "it has begun for its message");
    moves::<Till>(&cluster, "t", 0);
    is_killed(&cluster, 0);
    writes(&cluster, 1, till());
    cluster.advance(SECOND * 2);
    assert_eq!(heard(&cluster, 1).len(), 1);
}

#[test]
fn a_watcher_hears_of_a_loss_without_sending_anything() {
    let cluster = cluster();
    pay(&cluster, 0, 0);
    let mut ann = ann(&cluster, 1);
    watches(&cluster, 1, till());
    says(&mut ann, &Ask::Watch(till()));
    cluster.advance(SECOND);
    is_killed(&cluster, 0);
    pay(&cluster, 2, 0);
    cluster.advance(SECOND * 2);
    let life = losses(&mut ann, TILL);
    assert_eq!(life.len(), 1);
    assert_eq!(heard(&cluster, 1), [(TILL.to_owned(), life[0])]);
    asked::<Writer, _>(&cluster, 1, "w", Unwatch { to: till() }).unwrap();
    moves::<Till>(&cluster, "t", 2);
    is_killed(&cluster, 2);
    pay(&cluster, 1, 0);
    cluster.advance(SECOND * 2);
    assert_eq!(losses(&mut ann, TILL).len(), 1, "it watches on");
    assert_eq!(heard(&cluster, 1).len(), 1, "this one does not");
}

#[test]
fn a_player_who_is_lost_is_heard_of_by_id_and_by_key_and_one_who_leaves_is_not() {
    let cluster = cluster();
    let (mut bob, mut cid) = (ann(&cluster, 0), ann(&cluster, 0));
    let mut ann = ann(&cluster, 1);
    says(&mut bob, &Ask::Key("bob".to_owned()));
    says(&mut cid, &Ask::Key("cid".to_owned()));
    for to in [bob.session_id(), cid.session_id()] {
        watches(&cluster, 1, To::Session(to));
    }
    says(&mut ann, &Ask::Write(To::Key("bob".to_owned())));
    says(&mut ann, &Ask::Write(To::Key("cid".to_owned())));
    cluster.advance(SECOND);
    assert_eq!(bob.received::<Told>(), [Told::Paid]);
    cid.leave();
    cluster.advance(SECOND);
    is_killed(&cluster, 0);
    let is_bob = |all: Losses| {
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].0, format!("session {}", bob.session_id()));
    };
    is_bob(heard(&cluster, 1));
    // The player is back, as another session, and gets what is sent now.
    let mut bob_again = cluster.player_of(Ann::KIND, "bob");
    says(&mut bob_again, &Ask::Key("bob".to_owned()));
    let mut lost = Vec::new();
    for key in ["bob", "cid", "bob"] {
        says(&mut ann, &Ask::Write(To::Key(key.to_owned())));
        cluster.advance(SECOND * 2);
        lost.push(losses(&mut ann, "the session of key `bob`").len());
    }
    assert_eq!(lost, [1, 0, 0]);
    assert_eq!(bob_again.received::<Told>(), [Told::Paid, Told::Paid]);
    is_bob(heard(&cluster, 1));
}

#[test]
fn a_sender_that_was_handed_over_or_swapped_out_still_knows_whom_it_has_met() {
    let cluster = cluster();
    pay(&cluster, 0, 0);
    let mut ann = ann(&cluster, 1);
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    watches(&cluster, 1, To::Till("other".to_owned()));
    asked::<Till, _>(&cluster, 0, "other", Pay { by: 0 }).unwrap();
    cluster.advance(SECOND * 2);
    ann.move_to(2);
    moves::<Writer>(&cluster, "w", 2);
    asked::<Writer, _>(&cluster, 2, "w", Leave {}).unwrap();
    cluster.advance(SECOND);
    is_killed(&cluster, 0);
    pay(&cluster, 1, 0);
    asked::<Till, _>(&cluster, 1, "other", Pay { by: 0 }).unwrap();
    assert!(heard(&cluster, 1).is_empty(), "it comes out of the store");
    cluster.advance(SECOND * 2);
    let others = heard(&cluster, 1);
    assert_eq!(others.len(), 1, "its watch has come with it");
    assert_eq!(others[0].0, "VActor till/other");
    writes(&cluster, 1, till());
    says(&mut ann, &Ask::Write(till()));
    cluster.advance(SECOND * 2);
    assert_eq!(losses(&mut ann, TILL).len(), 1);
    assert_eq!(heard(&cluster, 1)[1].0, TILL);
}

#[test]
fn a_peer_that_only_moved_or_was_swapped_out_is_not_lost() {
    let cluster = cluster();
    pay(&cluster, 0, 0);
    let mut ann = ann(&cluster, 1);
    let mut bob = self::ann(&cluster, 0);
    says(&mut bob, &Ask::Key("bob".to_owned()));
    let id = bob.session_id();
    let all = || [till(), To::Session(id), To::Key("bob".to_owned())];
    for to in all() {
        watches(&cluster, 1, to.clone());
        writes(&cluster, 1, to.clone());
        says(&mut ann, &Ask::Write(to));
    }
    cluster.advance(SECOND * 2);
    moves::<Till>(&cluster, "t", 2);
    asked::<Till, _>(&cluster, 1, "t", Leave {}).unwrap();
    bob.move_to(2);
    cluster.advance(SECOND * 2);
    assert!(cluster.drain(2).is_clean());
    for to in all() {
        writes(&cluster, 1, to.clone());
        says(&mut ann, &Ask::Write(to));
    }
    cluster.advance(SECOND * 5);
    assert_eq!(pay(&cluster, 1, 0), 4, "it is the same one");
    assert_eq!(bob.received::<Told>().len(), 8);
    assert!(losses(&mut ann, TILL).is_empty() && heard(&cluster, 1).is_empty());
}

#[test]
fn a_crash_proof_sender_hears_of_a_loss_once_through_the_kill_of_its_own_node() {
    for late in 0..12 {
        let cluster = cluster_of(late);
        let clerk = |n: usize| asked::<Clerk, _>(&cluster, n, "c", Heard {});
        pay(&cluster, 0, 0);
        asked::<Clerk, _>(&cluster, 1, "c", Write { to: till() }).unwrap();
        asked::<Clerk, _>(&cluster, 1, "c", Watch { to: vec![till()] }).unwrap();
        cluster.advance(SECOND);
        cluster.kill(0);
        cluster.advance(Duration::from_secs(3));
        let _ = asked::<Till, _>(&cluster, 2, "t", Pay { by: 0 });
        cluster.advance(Duration::from_millis(late * 150));
        let before = clerk(1).unwrap();
        cluster.kill(1);
        cluster.advance(FOUND);
        let _ = clerk(2);
        cluster.advance(SECOND * 3);
        let after = clerk(2).unwrap();
        // Its till may have begun again at the same node.
        let mut lives = after.clone();
        lives.sort();
        lives.dedup();
        assert!(lives.len() == after.len(), "killed {late} times 150 ms later: {after:?}");
        assert!(!after.is_empty() && after.starts_with(&before), "{before:?}, then {after:?}");
        asked::<Clerk, _>(&cluster, 2, "c", Write { to: till() }).unwrap();
        cluster.advance(SECOND * 3);
        assert_eq!(clerk(2).unwrap(), after);
    }
}

#[test]
fn a_turn_that_fails_to_hear_of_a_loss_is_tried_again() {
    let cluster = cluster();
    pay(&cluster, 0, 0);
    for key in ["patient", "poor"] {
        let fails = if key == "poor" { 9 } else { 2 };
        asked::<Writer, _>(&cluster, 1, key, Watch { to: vec![till()] }).unwrap();
        asked::<Writer, _>(&cluster, 1, key, Fail { times: fails }).unwrap();
    }
    cluster.advance(SECOND);
    is_killed(&cluster, 0);
    pay(&cluster, 1, 0);
    cluster.advance(SECOND * 5);
    let heard = |key| asked::<Writer, _>(&cluster, 1, key, Heard {}).unwrap().len();
    assert_eq!((heard("patient"), heard("poor")), (1, 0), "three times, then it is set aside");
}

#[test]
fn p9_who_watches_more_than_the_limit_fails_and_watches_none_of_them() {
    let cluster = cluster();
    let tills = |count: usize| (0..count).map(|n| To::Till(n.to_string())).collect();
    asked::<Till, _>(&cluster, 0, "0", Pay { by: 0 }).unwrap();
    let watch = |count| asked::<Writer, _>(&cluster, 1, "w", Watch { to: tills(count) });
    assert_eq!(watch(33), Err(Rejection::HandlerFailed.into()));
    cluster.advance(SECOND);
    is_killed(&cluster, 0);
    asked::<Till, _>(&cluster, 1, "0", Pay { by: 0 }).unwrap();
    cluster.advance(SECOND * 2);
    assert!(heard(&cluster, 1).is_empty(), "a failed turn has staged nothing");
    assert_eq!(watch(32), Ok(()));
}
