//! P6: an enqueue that returned survives; a message is delivered until it expires, in order, once.

mod outside;

use std::time::Duration;

use throughline::CloseCode;
use throughline_client::{Client, Event, TestClient};
use throughline_store::Batch;

use crate::{
    cluster::{Cluster, Gate, Plan, asks, enqueues, uses_up},
    journal,
    pigeon::{self, Do, Fact, GATE, LONG, To, answer, done, got},
    player, watch,
};

/// Comes back with this state, and keys what it gets.
async fn resume(cluster: &Cluster, node: u32, state: &[u8]) -> Client {
    let options = pigeon::options(cluster, node, "back");
    watch::soon("a resume", Client::resume(options, state)).await.unwrap()
}

/// The number of the next queued message.
async fn next_got(client: &mut Client) -> u64 {
    watch::soon("a queued message", async {
        loop {
            if let Event::Message(bytes) = client.next().await
                && let Fact::Got(_, number) = serde_json::from_slice(&bytes).unwrap()
            {
                return number;
            }
        }
    })
    .await
}

#[tokio::test]
async fn reliable_messages_come_in_order_and_once_by_id_and_by_key_on_any_node() {
    let cluster = Cluster::of(2).await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let to = ann.client().session_id();
    for node in [1, 2] {
        let mut bob = pigeon::join(&cluster, node, "bob").await;
        let from = bob.client().session_id();
        for number in 0..20 {
            done(&mut bob, Do::Send(To::Id(to), number, LONG)).await;
            assert_eq!(got(&mut ann).await, (Some(from), number));
        }
        done(&mut bob, Do::SendMany(To::Key("ann".into()), 20, 120)).await;
        for number in 20..120 {
            assert_eq!(got(&mut ann).await, (Some(from), number));
        }
    }
    // To itself, too.
    ann.send(&Do::Send(To::Id(to), 7, LONG)).await.unwrap();
    assert_eq!(got(&mut ann).await, (Some(to), 7));
}

#[tokio::test]
async fn reliable_messages_follow_a_session_that_moves_each_once_and_in_order() {
    const MESSAGES: u64 = 300;
    let cluster = Cluster::of(3).await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let (mut bob, cyd) =
        (pigeon::join(&cluster, 2, "bob").await, pigeon::join(&cluster, 3, "cyd").await);
    let to = ann.client().session_id();
    let bobs = bob.client().session_id();
    let send = |mut sender: TestClient, to: To| {
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                done(&mut sender, Do::Send(to.clone(), number, LONG)).await;
            }
        })
    };
    let sending = [send(bob, To::Id(to)), send(cyd, To::Key("ann".into()))];
    let (mut next, mut place) = ([0, 0], 1);
    while next != [MESSAGES; 2] {
        let (from, number) = got(&mut ann).await;
        let sender = usize::from(from != Some(bobs));
        assert_eq!(number, next[sender], "of sender {sender}");
        next[sender] += 1;
        if (next[0] + next[1]) % 40 == 0 {
            place = place % 3 + 1;
            ann.client().move_to(cluster.at(place)).unwrap();
        }
    }
    for sending in sending {
        sending.await.unwrap();
    }
    // Twice would be noted, wherever it was.
    let notes = journal::of(to);
    let queued = notes.iter().filter(|note| note.starts_with("queued")).count();
    assert_eq!(queued as u64, 2 * MESSAGES);
}

#[tokio::test]
async fn a_parked_session_gets_its_messages_when_it_comes_back() {
    let mut cluster = Cluster::of(2).await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let (to, state) = (ann.client().session_id(), ann.client().export());
    drop(ann);
    assert!(cluster.stop(1).await.is_clean());
    for number in 0..40 {
        let to = if number < 20 { To::Id(to) } else { To::Key("ann".into()) };
        done(&mut bob, Do::Send(to, number, LONG)).await;
    }
    let mut ann = resume(&cluster, 2, &state).await;
    let (mut own, mut keys) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let number = next_got(&mut ann).await;
        if number < 20 { own.push(number) } else { keys.push(number) }
    }
    assert_eq!((own, keys), ((0..20).collect(), (20..40).collect()));
}

#[tokio::test]
async fn a_poke_reaches_a_session_at_once_wherever_it_is() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let to = ann.client().session_id();
    // Without it a message would wait for a look, and none sees it.
    for node in 1..=2 {
        cluster.wall(node).set(Gate::blind());
    }
    for node in 1..=2 {
        let mut bob = pigeon::join(&cluster, node, "bob").await;
        for number in 0..10 {
            let to = if number % 2 == 0 { To::Id(to) } else { To::Key("ann".into()) };
            done(&mut bob, Do::Send(to, number, LONG)).await;
            assert_eq!(got(&mut ann).await.1, number);
        }
    }
}

#[tokio::test]
async fn nothing_of_a_turn_leaves_before_its_messages_are_written() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let mut cyd = pigeon::join(&cluster, 1, "cyd").await;
    let (to, heard) = (ann.client().session_id(), cyd.client().session_id());
    cluster.wall(1).set(Gate::before(enqueues));
    bob.send(&Do::SendBoth(to, heard, 7)).await.unwrap();
    cluster.wall(1).holds_something().await;
    // Served after whatever could have come from bob, whose turn has ended.
    done(&mut cyd, Do::Ping).await;
    done(&mut cyd, Do::Ping).await;
    assert_eq!(journal::count(heard, "heard 7"), 0, "it left before the commit");
    assert_eq!(pigeon::queued(to, 7), 0);
    cluster.wall(1).open();
    assert_eq!(bob.receive::<Fact>(watch::PATIENCE).await.unwrap(), Fact::Done);
    assert_eq!(pigeon::heard(&mut cyd).await, 7);
    assert_eq!(got(&mut ann).await.1, 7);
}

#[tokio::test]
async fn a_turn_whose_messages_cannot_be_written_has_failed_and_sends_nothing() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let mut cyd = pigeon::join(&cluster, 2, "cyd").await;
    let (to, heard) = (ann.client().session_id(), cyd.client().session_id());
    cluster.wall(1).set(Gate::refusing(enqueues));
    bob.send(&Do::SendBoth(to, heard, 7)).await.unwrap();
    assert_eq!(player::end_of(&mut bob).await, CloseCode::HandlerFailed);
    cluster.wall(1).open();
    // Another sender's messages come, and nothing before them.
    let mut dan = pigeon::join(&cluster, 1, "dan").await;
    done(&mut dan, Do::SendBoth(to, heard, 8)).await;
    assert_eq!((got(&mut ann).await.1, pigeon::heard(&mut cyd).await), (8, 8));
    assert_eq!((pigeon::queued(to, 7), journal::count(heard, "heard 7")), (0, 0));
}

#[tokio::test]
async fn a_failed_turn_sends_nothing() {
    let cluster = Cluster::of(1).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let to = ann.client().session_id();
    bob.send(&Do::SendAndFail(To::Id(to), 7)).await.unwrap();
    assert_eq!(player::end_of(&mut bob).await, CloseCode::HandlerFailed);
    let mut cyd = pigeon::join(&cluster, 1, "cyd").await;
    done(&mut cyd, Do::Send(To::Id(to), 8, LONG)).await;
    assert_eq!(got(&mut ann).await.1, 8);
    assert_eq!(pigeon::queued(to, 7), 0);
}

#[tokio::test]
async fn a_message_is_out_of_its_queue_before_its_turn_begins() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let to = ann.client().session_id();
    cluster.wall(1).set(Gate::before(uses_up));
    done(&mut bob, Do::Send(To::Id(to), 7, LONG)).await;
    cluster.wall(1).holds_something().await;
    assert_eq!(pigeon::queued(to, 7), 0, "its removal is not written");
    cluster.wall(1).open();
    assert_eq!(got(&mut ann).await.1, 7);
    assert_eq!(cluster.wall(1).rows(b"xm"), 0);
}

#[tokio::test]
async fn a_message_that_is_being_handled_is_not_handled_again_after_a_handover() {
    let cluster = Cluster::of(2).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let to = ann.client().session_id();
    done(&mut bob, Do::SendMany(To::Id(to), GATE, GATE + 3)).await;
    journal::noted(to, &format!("queued {GATE}")).await;
    // It is to leave while the turn waits; the turn ends before.
    ann.client().move_to(cluster.at(2)).unwrap();
    journal::gate(to).add_permits(9);
    for number in GATE..GATE + 3 {
        assert_eq!(got(&mut ann).await.1, number);
    }
    while cluster.sessions() != [0, 2] {
        // A client that came while it was busy may have gone back.
        ann.client().move_to(cluster.at(2)).unwrap();
        assert_eq!(answer(&mut ann, Do::Count).await, Fact::Number(3));
    }
    assert_eq!(answer(&mut ann, Do::Count).await, Fact::Number(3));
    assert_eq!(pigeon::queued(to, GATE), 1);
}

#[tokio::test]
async fn a_turn_that_sends_reliably_as_its_session_is_to_leave_sends_once() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 2, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let (to, from) = (ann.client().session_id(), bob.client().session_id());
    // Its commit is held up when it is asked for; then it goes, and what it has sent is there.
    cluster.wall(1).set(Gate::before(enqueues));
    bob.send(&Do::Send(To::Id(to), 7, LONG)).await.unwrap();
    cluster.wall(1).holds_something().await;
    bob.client().move_to(cluster.at(2)).unwrap();
    cluster.wall(1).open();
    assert_eq!(got(&mut ann).await, (Some(from), 7));
    assert_eq!(bob.receive::<Fact>(watch::PATIENCE).await.unwrap(), Fact::Done);
    done(&mut bob, Do::Send(To::Id(to), 8, LONG)).await;
    assert_eq!(got(&mut ann).await, (Some(from), 8));
    assert_eq!(pigeon::queued(to, 7), 1);
}

#[tokio::test]
async fn a_turn_that_runs_when_its_session_is_asked_for_sends_before_it_leaves() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 2, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let (to, from) = (ann.client().session_id(), bob.client().session_id());
    bob.send(&Do::SendBehindGate(To::Id(to), 7)).await.unwrap();
    journal::noted(from, "at the gate").await;
    bob.client().move_to(cluster.at(2)).unwrap();
    // A node that is not answered asks through the store; the owner knows for long, then.
    cluster.wall(2).set(Gate::before(asks));
    let asked = async {
        cluster.wall(2).holds_something().await;
        cluster.wall(2).open();
        journal::gate(from).add_permits(1);
    };
    let (answered, ()) = tokio::join!(bob.receive::<Fact>(watch::PATIENCE), asked);
    assert_eq!(answered.unwrap(), Fact::Done);
    assert_eq!(got(&mut ann).await, (Some(from), 7));
    done(&mut bob, Do::Send(To::Id(to), 8, LONG)).await;
    assert_eq!(got(&mut ann).await, (Some(from), 8));
    assert_eq!(pigeon::queued(to, 7), 1);
}

#[tokio::test]
async fn what_the_hooks_of_a_handover_send_arrives_once() {
    let cluster = Cluster::of(2).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let (to, from) = (ann.client().session_id(), bob.client().session_id());
    done(&mut bob, Do::Friend(to)).await;
    for node in [2, 1, 2] {
        bob.client().move_to(cluster.at(node)).unwrap();
        done(&mut bob, Do::Ping).await;
        assert_eq!(got(&mut ann).await, (Some(from), 14), "it leaves for node {node}");
        assert_eq!(got(&mut ann).await, (Some(from), 15), "it is at node {node}");
    }
    assert_eq!((pigeon::queued(to, 14), pigeon::queued(to, 15)), (3, 3));
}

#[tokio::test]
async fn expired_messages_are_never_delivered_and_their_space_comes_back() {
    let mut cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let (to, state) = (ann.client().session_id(), ann.client().export());
    drop(ann);
    assert!(cluster.stop(1).await.is_clean());
    let nobody = throughline::SessionId([9; 16]);
    for number in 0..50 {
        done(&mut bob, Do::Send(To::Id(if number < 25 { to } else { nobody }), number, 1)).await;
    }
    done(&mut bob, Do::Send(To::Id(to), 99, LONG)).await;
    let mut ann = resume(&cluster, 2, &state).await;
    assert_eq!(next_got(&mut ann).await, 99);
    // Also where nobody looks.
    let store = cluster.wall(2);
    watch::until("nothing is left of them", || store.rows(b"xm") + store.rows(b"q") == 0).await;
    assert!((0..50).all(|number| pigeon::queued(to, number) == 0));
}

#[tokio::test]
async fn a_keys_queue_is_read_at_the_next_login_that_registers_it() {
    let cluster = Cluster::of(2).await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let id = ann.client().session_id();
    ann.leave().await;
    journal::noted(id, "destroyed Left").await;
    done(&mut bob, Do::SendMany(To::Key("ann".into()), 0, 10)).await;
    let mut other = pigeon::join_keyed(&cluster, 2, "other").await;
    let mut ann = pigeon::join(&cluster, 2, "ann").await;
    ann.send(&Do::Key("ann".into())).await.unwrap();
    for number in 0..10 {
        assert_eq!(got(&mut ann).await.1, number);
    }
    assert_eq!(answer(&mut other, Do::Count).await, Fact::Number(0));
}

#[tokio::test]
async fn a_key_that_goes_from_session_to_session_loses_no_message_and_doubles_none() {
    const MESSAGES: u64 = 200;
    let cluster = Cluster::of(2).await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            done(&mut bob, Do::Send(To::Key("ann".into()), number, LONG)).await;
        }
    });
    let (mut holders, mut seen) = (Vec::new(), 0);
    // Whoever takes the key ends the one before.
    while seen < MESSAGES as usize {
        let node = holders.len() as u32 % 2 + 1;
        let mut ann = pigeon::join(&cluster, node, "ann").await;
        ann.send(&Do::Key("ann".into())).await.unwrap();
        holders.push(ann.client().session_id());
        let before = seen;
        let noted = || {
            let all = holders.iter().flat_map(|id| journal::of(*id));
            seen = all.filter(|note| note.starts_with("queued")).count();
            seen >= (before + 20).min(MESSAGES as usize)
        };
        watch::until("more messages", noted).await;
    }
    sending.await.unwrap();
    let all = holders.iter().flat_map(|id| journal::of(*id));
    let mut all: Vec<_> = all.filter(|note| note.starts_with("queued")).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len() as u64, MESSAGES);
    assert_eq!(seen as u64, MESSAGES, "each once");
}

#[tokio::test]
async fn a_full_queue_is_its_senders_error_and_nobody_elses() {
    let mut cluster = Plan::new(2)
        .with(|config| (config.queue.messages, config.queue.bytes) = (5, 4096))
        .start()
        .await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let mut cyd = pigeon::join_keyed(&cluster, 2, "cyd").await;
    let (to, state) = (ann.client().session_id(), ann.client().export());
    drop(ann);
    assert!(cluster.stop(1).await.is_clean());
    for number in 0..5 {
        done(&mut bob, Do::Send(To::Id(to), number, LONG)).await;
    }
    let full = Fact::Failed("full".to_owned());
    assert_eq!(answer(&mut bob, Do::Send(To::Id(to), 5, LONG)).await, full);
    // By bytes, too; and the sender goes on.
    done(&mut bob, Do::SendBig(To::Key("ann".into()), 6, 3_000)).await;
    assert_eq!(answer(&mut bob, Do::SendBig(To::Key("ann".into()), 7, 3_000)).await, full);
    let long = Duration::from_millis(LONG);
    let outside = cluster.node(2).send_reliable(to, &(8, ""), long).await;
    assert!(matches!(outside, Err(throughline::SendReliableError::Enqueue(_))), "{outside:?}");
    done(&mut bob, Do::Send(To::Key("cyd".into()), 9, LONG)).await;
    assert_eq!(got(&mut cyd).await.1, 9);
    let too_large = Fact::Failed("too large".to_owned());
    assert_eq!(answer(&mut bob, Do::SendBig(To::Id(to), 1, 300_000)).await, too_large);
    let mut ann = resume(&cluster, 2, &state).await;
    let mut all = Vec::new();
    while all.len() < 6 {
        all.push(next_got(&mut ann).await);
    }
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 6]);
}

#[tokio::test]
async fn p9_a_turn_sends_no_more_than_fits_into_its_commit() {
    let cluster = Cluster::of(1).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    let to = ann.client().session_id();
    let too_much = Fact::Failed("too much".to_owned());
    assert_eq!(answer(&mut bob, Do::SendMany(To::Id(to), 0, 1_025)).await, too_much);
    // What fits was sent, since the game went on without the rest.
    for number in 0..1_024 {
        assert_eq!(got(&mut ann).await.1, number);
    }
}

#[tokio::test]
async fn messages_to_a_session_that_has_ended_stay_until_they_expire() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let to = ann.client().session_id();
    // One is being handled when its session is kicked, and one waits behind it.
    done(&mut bob, Do::SendMany(To::Id(to), GATE, GATE + 2)).await;
    journal::noted(to, &format!("queued {GATE}")).await;
    assert!(cluster.node(1).kick(to));
    journal::gate(to).add_permits(9);
    assert_eq!(player::end_of(&mut ann).await, CloseCode::Kicked);
    journal::noted(to, "destroyed Kicked").await;
    done(&mut bob, Do::Send(To::Id(to), 5, LONG)).await;
    assert_eq!(cluster.wall(1).rows(b"xm"), 2);
    assert_eq!((pigeon::queued(to, GATE), pigeon::queued(to, GATE + 1)), (1, 0));
}

#[tokio::test]
async fn what_a_session_sends_in_its_last_turns_arrives() {
    let cluster = Cluster::of(2).await;
    let mut ann = pigeon::join(&cluster, 1, "ann").await;
    let mut bob = pigeon::join(&cluster, 2, "bob").await;
    let to = ann.client().session_id();
    done(&mut bob, Do::Heir(to)).await;
    bob.send(&Do::SendAndEnd(To::Id(to), 12)).await.unwrap();
    assert_eq!(player::end_of(&mut bob).await, CloseCode::Ended);
    assert_eq!(got(&mut ann).await.1, 12);
    assert_eq!(got(&mut ann).await.1, 13);
}

#[tokio::test]
async fn a_message_that_was_sent_survives_the_death_of_every_process() {
    let mut cluster = Plan::new(2).on_disk().quick().start().await;
    let mut bob = pigeon::join(&cluster, 1, "bob").await;
    done(&mut bob, Do::SendMany(To::Key("ann".into()), 0, 10)).await;
    drop(bob);
    for number in 1..=2 {
        cluster.kill(number).await;
    }
    cluster.lender().kill().await;
    cluster.lender().restart().await;
    for number in 1..=2 {
        cluster.start_node(number).await;
    }
    let mut ann = pigeon::join(&cluster, 2, "ann").await;
    ann.send(&Do::Key("ann".into())).await.unwrap();
    for number in 0..10 {
        assert_eq!(got(&mut ann).await.1, number);
    }
}

/// A commit that this wall knows.
#[test]
fn walls_know_enqueues_and_removals() {
    let put = Batch::new().put(&b"xm1"[..], &b"m"[..]);
    let delete = Batch::new().delete(&b"xm1"[..]);
    assert!(enqueues(&put) && !uses_up(&put));
    assert!(!enqueues(&delete) && uses_up(&delete));
}
