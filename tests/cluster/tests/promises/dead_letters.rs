//! Messages of queues that a session cannot handle.

use std::cell::Cell;

use throughline::prelude::*;
use throughline::{DeadLetter, DeadLetterError, QueuedMessage};
use throughline_client::CloseCode;
use throughline_testing::{Player, TestCluster};

const DAY: Duration = Duration::from_secs(86_400);

/// A gift that no turn handles until it is cured.
const POISON: u64 = 13;

thread_local! {
    /// Turns of poison, on the nodes of this test: they all run on its thread.
    static TRIED: Cell<u32> = const { Cell::new(0) };
    static IS_CURED: Cell<bool> = const { Cell::new(false) };
    static IS_SLOW: Cell<bool> = const { Cell::new(false) };
}

macro_rules! kind {
    ($name:ident, $kind:literal, $durability:ident, $keeps:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $name {
            gems: u64,
        }

        impl Session for $name {
            const KIND: &'static str = $kind;
            const DURABILITY: Durability = Durability::$durability;
            const KEEP_COPY: bool = $keeps;
            type In = String;
            type Out = u64;

            async fn login(_: Login<'_>) -> Result<Self, Refusal> {
                Ok(Self { gems: 0 })
            }

            async fn message(&mut self, key: String, ctx: &mut Context<Self>) -> Outcome {
                ctx.register_key(&key);
                ctx.send(self.gems);
                Ok(())
            }

            async fn queued(&mut self, gift: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
                let gems = gift.decode::<u64>()?;
                self.gems += gems;
                if gems == POISON {
                    TRIED.set(TRIED.get() + 1);
                    if IS_SLOW.get() {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    if !IS_CURED.get() {
                        return Err(HandlerError::new("it was to fail"));
                    }
                }
                ctx.send(self.gems);
                Ok(())
            }
        }
    };
}

kind!(Copied, "copied", OnSwapOut, true);
kind!(Bare, "bare", OnSwapOut, false);
kind!(Safe, "safe", EveryTurn, true);

fn cluster() -> TestCluster {
    TestCluster::new(2, |node| node.sessions::<Copied>().sessions::<Bare>().sessions::<Safe>())
}

/// A player whose key is ann.
fn ann(cluster: &TestCluster, kind: &str) -> Player {
    let mut player = cluster.player_of(kind, "ann");
    player.send(&"ann".to_owned());
    assert_eq!(player.receive::<u64>(), 0);
    player
}

fn give(cluster: &TestCluster, gems: u64) {
    let node = cluster.node(0);
    cluster.run(async move { node.send_reliable("ann", &gems, DAY).await }).expect("it is sent");
}

fn dead(cluster: &TestCluster) -> Vec<(String, DeadLetter)> {
    let node = cluster.node(1);
    let page = cluster
        .run(async move { node.dead_letters(None, 1_000).await })
        .expect("the store answers");
    let read = |filed: &throughline::FiledLetter| {
        (filed.id(), filed.letter().expect("it is readable").clone())
    };
    page.letters.iter().map(read).collect()
}

fn retry(cluster: &TestCluster, id: &str) -> Result<(), DeadLetterError> {
    let (node, id) = (cluster.node(1), id.to_owned());
    cluster.run(async move { node.retry_dead_letter(&id).await })
}

#[track_caller]
fn the_only(cluster: &TestCluster, kind: &str, tries: u32) -> String {
    let mut found = dead(cluster);
    assert_eq!(found.len(), 1, "{found:?}");
    let (id, letter) = found.remove(0);
    assert_eq!((&letter.kind[..], &letter.hook[..], letter.tries), (kind, "queued", tries));
    assert_eq!(letter.to.session_key(), Some("ann"));
    assert!(letter.why.contains("it was to fail"), "{letter:?}");
    id
}

#[track_caller]
fn poison_becomes_a_dead_letter(kind: &str) {
    let cluster = cluster();
    let mut ann = ann(&cluster, kind);
    for gems in [1, POISON, 2] {
        give(&cluster, gems);
    }
    assert_eq!((ann.receive::<u64>(), ann.receive::<u64>()), (1, 3), "what is behind it goes on");
    assert_eq!(TRIED.get(), 3);
    cluster.advance(Duration::from_secs(1));
    let id = the_only(&cluster, kind, 3);
    IS_CURED.set(true);
    assert_eq!(retry(&cluster, &id), Ok(()));
    assert_eq!(ann.receive::<u64>(), 3 + POISON);
    assert_eq!(retry(&cluster, &id), Err(DeadLetterError::NoSuch { id }));
    give(&cluster, 1);
    assert_eq!(ann.receive::<u64>(), 4 + POISON, "it came once");
    assert_eq!(dead(&cluster), []);
}

#[test]
fn a_message_that_a_session_cannot_handle_is_a_dead_letter_and_is_handled_once_when_tried_again() {
    poison_becomes_a_dead_letter("copied");
}

#[test]
fn p7_a_message_that_a_crash_proof_session_cannot_handle_is_a_dead_letter_and_comes_back_once() {
    poison_becomes_a_dead_letter("safe");
}

#[test]
fn a_message_whose_turn_ends_its_session_is_a_dead_letter() {
    let cluster = cluster();
    let mut ann = ann(&cluster, "bare");
    give(&cluster, POISON);
    assert_eq!(ann.expect_end(), CloseCode::HandlerFailed);
    cluster.advance(Duration::from_secs(1));
    let id = the_only(&cluster, "bare", 1);
    // Whoever registers the key next gets it.
    IS_CURED.set(true);
    let mut again = self::ann(&cluster, "bare");
    assert_eq!(retry(&cluster, &id), Ok(()));
    assert_eq!(again.receive::<u64>(), POISON);
}

#[test]
fn a_dead_letter_is_written_when_the_store_is_back() {
    let cluster = cluster();
    let mut ann = ann(&cluster, "bare");
    let node = ann.node().expect("it is somewhere");
    IS_SLOW.set(true);
    give(&cluster, POISON);
    while TRIED.get() == 0 {
        cluster.advance(Duration::from_millis(1));
    }
    // It is out of its queue, and its turn fails while nothing can be written.
    cluster.cut_store(node);
    cluster.advance(Duration::from_millis(500));
    cluster.heal_store(node);
    assert_eq!(ann.expect_end(), CloseCode::HandlerFailed);
    cluster.advance(Duration::from_secs(1));
    the_only(&cluster, "bare", 1);
}
