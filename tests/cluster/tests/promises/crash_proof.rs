//! Sessions whose every turn is committed go on when their node is killed.

use throughline::prelude::*;
use throughline_testing::{Player, TestCluster};

/// Sums what it is told, and numbers what it says.
#[derive(Serialize, Deserialize)]
struct Saver {
    sum: u64,
    said: u64,
    /// How often it was restored.
    restored: u64,
    weight: String,
    /// Whom it sends something durably when it leaves a node.
    heir: Option<SessionId>,
}

#[derive(Serialize, Deserialize)]
enum Ask {
    Add(u64),
    /// The turn fails when it is run for the first so many times in a node.
    Fail,
    /// To the session of this key, durably.
    Pass(String, u64),
    /// To this session, durably.
    PassTo(SessionId, u64),
    Key(String),
    /// Its state grows to so many bytes.
    Grow(usize),
    /// So many messages of so many bytes.
    Say(usize, usize),
    /// So many words to this session, best effort.
    Whisper(usize, SessionId),
    Heir(SessionId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    number: u64,
    sum: u64,
    weight: String,
}

impl Saver {
    fn tell(&mut self, ctx: &mut Context<Self>) {
        self.said += 1;
        ctx.send(Told { number: self.said, sum: self.sum, weight: String::new() });
    }
}

impl Session for Saver {
    const KIND: &'static str = "saver";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = Ask;
    type Out = Told;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { sum: 0, said: 0, restored: 0, weight: String::new(), heir: None })
    }

    async fn swap_out(&mut self, ctx: &mut Context<Self>) -> Outcome {
        if let Some(heir) = self.heir {
            ctx.send_reliable(heir, &1_u64, Duration::from_secs(86_400)).await?;
        }
        Ok(())
    }

    async fn restored(&mut self, _: &mut Context<Self>) -> Outcome {
        self.restored += 1;
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask {
            Ask::Add(number) => self.sum += number,
            Ask::Fail => {
                self.sum += 1_000_000;
                return Err(HandlerError::new("it was to fail"));
            }
            Ask::Pass(key, number) => {
                ctx.send_reliable(key, &number, Duration::from_secs(86_400)).await?;
            }
            Ask::PassTo(id, number) => {
                ctx.send_reliable(id, &number, Duration::from_secs(86_400)).await?;
            }
            Ask::Key(key) => ctx.register_key(&key),
            Ask::Grow(bytes) => self.weight = "x".repeat(bytes),
            Ask::Whisper(count, to) => {
                for _ in 0..count {
                    ctx.send_to_session(to, &());
                }
            }
            Ask::Heir(heir) => self.heir = Some(heir),
            Ask::Say(count, bytes) => {
                for _ in 0..count {
                    self.said += 1;
                    let weight = "x".repeat(bytes);
                    ctx.send(Told { number: self.said, sum: self.sum, weight });
                }
                return Ok(());
            }
        }
        self.tell(ctx);
        Ok(())
    }

    async fn queued(
        &mut self,
        message: throughline::QueuedMessage,
        ctx: &mut Context<Self>,
    ) -> Outcome {
        self.sum += message.decode::<u64>()?;
        self.tell(ctx);
        Ok(())
    }
}

/// A player that checks each number.
struct Careful {
    player: Player,
    heard: u64,
    last: Told,
}

impl Careful {
    fn new(cluster: &TestCluster, name: &str) -> Self {
        let last = Told { number: 0, sum: 0, weight: String::new() };
        Self { player: cluster.player_of(Saver::KIND, name), heard: 0, last }
    }

    fn hear(&mut self) -> Told {
        self.last = self.player.receive::<Told>();
        self.heard += 1;
        assert_eq!(self.last.number, self.heard, "every message comes once and in order");
        self.last.clone()
    }

    fn add(&mut self, number: u64) -> u64 {
        self.player.send(&Ask::Add(number));
        self.hear().sum
    }
}

fn cluster() -> TestCluster {
    TestCluster::new(3, |node| node.sessions::<Saver>())
}

#[test]
fn p7_a_session_plays_on_when_its_node_is_killed_and_no_turn_is_lost_or_runs_twice() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    let id = ann.player.session_id();
    let mut sum = 0;
    for round in 0..6 {
        for number in 1..=5 {
            sum += number;
            assert_eq!(ann.add(number), sum);
        }
        let node = ann.player.node().expect("it is somewhere");
        // Something is under way when the node dies.
        sum += 7;
        ann.player.send(&Ask::Add(7));
        cluster.kill(node);
        assert_eq!(ann.hear().sum, sum, "round {round}");
        assert_eq!(ann.player.session_id(), id);
        assert_ne!(ann.player.node(), Some(node));
        cluster.start(node);
    }
}

/// What is sent is part of a snapshot until the client has it.
#[test]
fn p7_a_turn_that_says_more_than_a_snapshot_has_room_for_is_set_aside_and_the_session_goes_on() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    assert_eq!(ann.add(1), 1);
    let node = ann.player.node();
    for _ in 0..2 {
        // 256 KiB is the limit, and 64 KiB that of a message.
        ann.player.send(&Ask::Say(5, 60_000));
        let before = ann.last.sum;
        assert_eq!(ann.add(2), before + 2, "nothing of it has left");
        ann.player.send(&Ask::Say(4, 60_000));
        for _ in 0..4 {
            assert_eq!(ann.hear().weight.len(), 60_000);
        }
    }
    assert_eq!(ann.player.node(), node, "its connection has not broken");
}

#[test]
fn a_turn_that_fits_is_not_set_aside_however_much_it_does() {
    let cluster = cluster();
    let (mut ann, bob) = (Careful::new(&cluster, "ann"), Careful::new(&cluster, "bob"));
    // What is said to others is no part of a snapshot.
    ann.player.send(&Ask::Whisper(3_000, bob.player.session_id()));
    assert_eq!(ann.hear().number, 1);
    // One that is nearly full may shrink, and say much.
    ann.player.send(&Ask::Grow(200_000));
    assert_eq!(ann.hear().number, 2);
    assert_eq!(ann.add(1), 1);
    ann.player.send(&Ask::Grow(0));
    assert_eq!(ann.hear().number, 4);
    ann.player.send(&Ask::Say(4, 60_000));
    for _ in 0..4 {
        assert_eq!(ann.hear().weight.len(), 60_000);
    }
}

#[test]
fn p7_what_a_session_sends_durably_when_it_leaves_comes_once_and_it_leaves() {
    let cluster = cluster();
    let (mut ann, mut bob) = (Careful::new(&cluster, "ann"), Careful::new(&cluster, "bob"));
    ann.player.send(&Ask::Heir(bob.player.session_id()));
    assert_eq!(ann.hear().number, 1);
    for (hop, node) in [1, 2, 0].into_iter().enumerate() {
        ann.player.move_to(node);
        let sum = hop as u64 + 1;
        assert_eq!(ann.add(1), sum);
        assert_eq!(ann.player.node(), Some(node));
        assert_eq!(bob.hear().sum, sum, "at hop {hop}");
    }
    assert!(cluster.drain(0).is_clean());
}

#[test]
fn p7_a_turn_whose_state_is_too_large_is_set_aside_and_the_session_goes_on() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    assert_eq!(ann.add(1), 1);
    ann.player.send(&Ask::Grow(300_000));
    // The state before it is there, and so is the connection: what can never be committed is not
    // tried for ever.
    assert_eq!(ann.add(2), 3);
    assert_eq!((ann.player.repairs(), ann.player.node().is_some()), (0, true));
}

#[test]
fn p7_a_session_is_handed_over_and_then_its_new_node_is_killed() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    assert_eq!(ann.add(1), 1);
    ann.player.move_to(1);
    assert_eq!(ann.add(1), 2);
    cluster.kill(1);
    assert_eq!(ann.add(1), 3);
    assert!(cluster.drain(ann.player.node().expect("it is somewhere")).is_clean());
    assert_eq!(ann.add(1), 4);
}

#[test]
fn p7_a_session_is_handed_over_in_the_midst_of_its_commits() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    for round in 0..10 {
        // One commit after the other, while it comes to another node.
        (0..30).for_each(|_| ann.player.send(&Ask::Add(1)));
        cluster.advance(Duration::from_millis(3));
        ann.player.move_to(round % 3);
        for _ in 0..30 {
            ann.hear();
        }
    }
    assert_eq!(ann.last.sum, 300);
}

#[test]
fn p7_durable_messages_between_crash_proof_sessions_are_handled_once_through_kills() {
    let cluster = cluster();
    let (mut ann, mut ben) = (Careful::new(&cluster, "ann"), Careful::new(&cluster, "ben"));
    ben.player.send(&Ask::Key("ben".into()));
    ben.hear();
    ben.player.move_to(1);
    for round in 1..=4 {
        for _ in 0..5 {
            ann.player.send(&Ask::Pass("ben".into(), 1));
        }
        let killed = if round % 2 == 0 { ann.player.node() } else { ben.player.node() };
        cluster.kill(killed.expect("it is somewhere"));
        for _ in 0..5 {
            ann.hear();
            ben.hear();
        }
        assert_eq!(ben.last.sum, round * 5);
        cluster.start(killed.expect("it was somewhere"));
        cluster.advance(Duration::from_secs(2));
    }
}

#[test]
fn p7_a_session_that_is_sent_message_after_message_is_not_taken_out_of_memory() {
    let cluster = cluster();
    let (mut ann, mut ben) = (Careful::new(&cluster, "ann"), Careful::new(&cluster, "ben"));
    ben.player.send(&Ask::Key("ben".into()));
    ben.hear();
    let id = ben.player.session_id();
    for round in 0..200 {
        // They come while the one before is handled, at every moment of it.
        cluster.advance(Duration::from_micros(round * 37 % 3_000));
        ann.player.send(&Ask::PassTo(id, 1));
        ann.hear();
    }
    while ben.last.sum < 200 {
        ben.hear();
    }
    assert_eq!((ann.player.repairs(), ben.player.repairs()), (0, 0));
}

#[test]
fn p7_a_turn_that_always_fails_is_set_aside_and_the_session_goes_on() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    assert_eq!(ann.add(1), 1);
    ann.player.send(&Ask::Fail);
    assert_eq!(ann.add(1), 2, "the failed turn had no effect");
    cluster.kill(ann.player.node().expect("it is somewhere"));
    assert_eq!(ann.add(1), 3, "and it does not come again");
}

#[test]
fn p7_a_frozen_node_whose_session_was_taken_acts_for_it_no_more() {
    let cluster = cluster();
    let mut ann = Careful::new(&cluster, "ann");
    assert_eq!(ann.add(1), 1);
    let node = ann.player.node().expect("it is somewhere");
    cluster.freeze(node);
    assert_eq!(ann.add(1), 2);
    cluster.thaw(node);
    cluster.advance(Duration::from_secs(3));
    assert_eq!(ann.add(1), 3);
    assert!(!cluster.has_session(node, ann.player.session_id()));
}
