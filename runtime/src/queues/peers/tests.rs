use super::*;

fn vactor(n: usize) -> QueueName {
    let id = RecordId::vactor("match", n.to_string().as_bytes()).unwrap();
    QueueName::record(id.as_bytes()).unwrap()
}

fn session() -> QueueName {
    QueueName::record(RecordId::session(SessionId([7; 16])).as_bytes()).unwrap()
}

fn life(life: u64) -> Option<Life> {
    Some(Life { holder: None, life })
}

fn met(peers: &mut Peers, queue: &QueueName, found: Option<Life>) {
    peers.send(queue, found);
    peers.keep();
}

fn lives(peers: &Peers) -> Vec<u64> {
    let travelling = peers.export().into_iter();
    travelling.map(|peer| peer.life.map_or(0, |life| life.life)).collect()
}

fn news(queue: &QueueName, was: Option<Life>, now: Option<Life>, is_lost: bool) -> News {
    News { queue: queue.clone(), was, now, is_lost }
}

/// A turn that hears of a loss.
fn hears(peers: &mut Peers, news: News) -> PeerLost {
    let Heard::Lost(loss) = peers.hear(news, true) else { panic!("a loss is heard of") };
    peers.tell(&loss);
    peers.keep();
    loss.lost
}

#[test]
fn who_has_met_nobody_takes_the_room_of_a_pointer() {
    assert_eq!(size_of::<Peers>(), size_of::<usize>());
    let mut peers = Peers::default();
    met(&mut peers, &vactor(1), None);
    assert!(peers.0.is_none() && peers.export().is_empty());
}

#[test]
fn p9_of_too_many_peers_the_least_recently_met_is_forgotten_and_none_that_is_watched() {
    let mut peers = Peers::default();
    peers.watch(vactor(1), true).unwrap();
    for n in 1..=PEERS_MAX {
        met(&mut peers, &vactor(n), life(n as u64));
    }
    assert_eq!(lives(&peers).len(), PEERS_MAX);
    // 2 is met again, so 3 goes.
    met(&mut peers, &vactor(2), None);
    met(&mut peers, &vactor(1000), life(1000));
    let after = lives(&peers);
    assert_eq!(after.len(), PEERS_MAX);
    assert!(after.contains(&1) && after.contains(&2) && !after.contains(&3));
    assert_eq!(after[PEERS_MAX - 2..], [2, 1000], "the last one was met last");
}

#[test]
fn p9_a_turn_meets_no_more_than_are_kept_and_watches_no_more_than_the_limit() {
    let mut peers = Peers::default();
    for n in 0..2 * PEERS_MAX {
        assert_eq!(peers.asks_who(&vactor(n)), n < PEERS_MAX);
        peers.send(&vactor(n), life(9));
    }
    peers.unstage();
    for n in 0..WATCHES_MAX {
        assert_eq!(peers.watch(vactor(n), true), Ok(()));
    }
    assert_eq!(peers.watch(vactor(0), true), Ok(()), "it is watched already");
    assert_eq!(peers.watch(vactor(WATCHES_MAX), true), Err(WATCHES_MAX));
    peers.unstage();
    for n in 0..1000 {
        peers.watch(vactor(n), true).unwrap();
        peers.watch(vactor(n), false).unwrap();
    }
    assert!(!peers.is_staged(), "it is as it was");
}

#[test]
fn what_a_failed_turn_has_staged_is_forgotten_and_the_rest_travels() {
    let mut peers = Peers::default();
    met(&mut peers, &vactor(1), life(1));
    peers.send(&vactor(2), life(2));
    peers.watch(vactor(3), true).unwrap();
    assert_eq!(lives(&peers), [1, 2, 0], "the commit of the turn has it");
    let travelled = Peers::import(peers.export());
    assert_eq!(lives(&travelled), [1, 2, 0]);
    assert_eq!(travelled.watched(), [(vactor(3), None)]);
    peers.unstage();
    assert_eq!(lives(&peers), [1]);
}

#[test]
fn a_loss_waits_once_and_is_known_when_its_turn_has_succeeded() {
    let mut peers = Peers::default();
    let queue = vactor(1);
    met(&mut peers, &queue, life(1));
    let lost = news(&queue, life(1), life(2), true);
    assert_eq!(peers.hear(lost.clone(), false), Heard::Nothing, "there is no room");
    let Heard::Lost(loss) = peers.hear(lost.clone(), true) else { panic!("it is lost") };
    let peer = Address::VActor { kind: "match".to_owned(), key: "1".to_owned() };
    assert_eq!(loss.lost, PeerLost { peer, life: 1 });
    assert_eq!(peers.hear(lost.clone(), true), Heard::Nothing, "one waits");
    // Its turn fails, and is tried again.
    peers.tell(&loss);
    peers.unstage();
    assert_eq!(lives(&peers), [1]);
    peers.tell(&loss);
    assert_eq!(lives(&peers), [2], "in the commit of that turn");
    peers.keep();
    assert_eq!(lives(&peers), [2]);
    assert_eq!(peers.hear(lost, true), Heard::Nothing, "old news");
    assert_eq!(hears(&mut peers, news(&queue, life(2), life(3), true)).life, 2);
}

#[test]
fn who_is_lost_and_not_back_is_forgotten_unless_it_is_watched() {
    let mut peers = Peers::default();
    met(&mut peers, &vactor(1), life(1));
    peers.watch(vactor(2), true).unwrap();
    met(&mut peers, &vactor(2), life(2));
    hears(&mut peers, news(&vactor(1), life(1), None, true));
    hears(&mut peers, news(&vactor(2), life(2), None, true));
    assert_eq!(peers.watched(), [(vactor(2), None)]);
    assert_eq!(peers.hear(news(&vactor(2), None, life(3), false), true), Heard::Changed);
    assert_eq!(lives(&peers), [3]);
}

#[test]
fn the_end_of_a_session_ends_the_watch_of_it() {
    let mut peers = Peers::default();
    for (was, is_lost) in [(life(1), false), (life(1), true), (None, false)] {
        peers.watch(session(), true).unwrap();
        met(&mut peers, &session(), was);
        assert_eq!(peers.watched().len(), 1, "also before it was met");
        let news = news(&session(), was, None, is_lost);
        if is_lost {
            hears(&mut peers, news);
        } else {
            assert_eq!(peers.hear(news, true), Heard::Changed);
        }
        assert!(peers.watched().is_empty() && peers.export().is_empty());
    }
}

#[test]
fn who_had_no_life_when_a_message_left_is_met_quietly_and_a_key_goes_on() {
    let mut peers = Peers::default();
    met(&mut peers, &vactor(1), None);
    assert_eq!(peers.hear(news(&vactor(1), None, life(1), false), true), Heard::Nothing);
    assert_eq!(lives(&peers), [1]);
    let (key, held) = (QueueName::key("ann").unwrap(), |n: u8, life: u64| {
        Some(Life { holder: Some(SessionId([n; 16])), life })
    });
    met(&mut peers, &key, held(1, 5));
    // The key is another session's, whose predecessor was not lost.
    assert_eq!(peers.hear(news(&key, held(1, 5), held(2, 6), false), true), Heard::Changed);
    let lost = hears(&mut peers, news(&key, held(2, 6), None, true));
    assert_eq!(lost, PeerLost { peer: Address::Key("ann".to_owned()), life: 6 });
    assert_eq!(lives(&peers), [1]);
}

#[test]
fn a_receiver_is_met_by_whom_the_turn_sends_to_and_by_no_one_else() {
    let mut peers = Peers::default();
    met(&mut peers, &vactor(1), life(1));
    peers.send(&vactor(1), None);
    peers.send(&vactor(2), None);
    let who = RecordId::session(SessionId([7; 16]));
    let pokes = peers.pokes(&who, vec![vactor(1), vactor(2), vactor(3)]);
    let was: Vec<_> = pokes.iter().map(|poke| poke.meeting.as_ref().map(|m| m.was)).collect();
    assert_eq!(was, [Some(life(1)), Some(None), None], "3 is a member of a group");
}
