//! A VActor counts, and sessions that are not crash-proof ask it.

use std::time::Duration;

use throughline_cluster::{RecordId, State};

use crate::cluster::{Of, number};
use crate::game::Up;
use crate::kill_at::Order;
use crate::player::Player;
use crate::run::{Fate, LOST, Scene};
use crate::step::Step;
use crate::tally::{self, Answer, Wish};
use crate::world::{Rows, soon};

use super::durable::waiting;

/// What the VActor had counted before the step.
const COUNT: u64 = 1;

const KEPT: &str = "kept";

/// How often a queue is looked at that is to become empty.
const LOOK: Duration = Duration::from_millis(50);

/// It ran without a snapshot.
const ANEW: &str = "begins anew";

fn is_at(rows: &Rows, node: usize) -> bool {
    let owner = rows.header(&id()).and_then(|header| header.owner);
    owner.is_some_and(|owner| owner.node.0 == number(node))
}

fn id() -> RecordId {
    tally::record()
}

/// The VActor is at node 0, where it began, and has counted one; nobody's session is there.
async fn begins(scene: &mut Scene) {
    let player = scene.login(0).await;
    assert_eq!(player.asks(Wish::Count).await, Answer::Is(COUNT));
    assert!(is_at(&scene.cluster.world.rows(), 0));
    player.leaves().await;
}

/// The same, and a player at node 1.
async fn is_asked_from_elsewhere(scene: &mut Scene) -> Player {
    begins(scene).await;
    scene.login(1).await
}

/// Its node dies while it counts for the player, who is told that nobody knows.
async fn counts_and_dies(scene: &mut Scene, player: Player, is_counted: bool) {
    assert_eq!(player.asks(Wish::Count).await, Answer::Unknown);
    scene.dies(&[0]).await;
    match is_counted {
        true => scene.expect_count(COUNT + 1, "counted"),
        false => scene.expect_count(COUNT, "not counted"),
    }
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn turn(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    let is_counted = scene.by_moment(false, true);
    counts_and_dies(scene, player, is_counted).await;
}

async fn settles(scene: &mut Scene, lands: bool) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    scene.cluster.order(0, Step::Turn, Order::Unknown { lands }).await;
    counts_and_dies(scene, player, lands).await;
}

pub(crate) async fn settles_a_turn_that_landed(scene: &mut Scene) {
    settles(scene, true).await;
}

pub(crate) async fn settles_a_turn_that_was_lost(scene: &mut Scene) {
    settles(scene, false).await;
}

/// Its node dies in a later turn that sends durably: the message is there if the commit is, once,
/// and what the VActor had counted is lost either way.
pub(crate) async fn sends(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    assert_eq!(player.asks(Wish::Send(player.session_id())).await, Answer::Unknown);
    scene.dies(&[0]).await;
    let (count, means) = scene.by_moment((0, "nothing sent"), (1, "sent once"));
    scene.expect_mail(count, means);
    scene.expect(player, Fate::Kept);
    scene.expect_count(0, ANEW);
}

/// Its node dies where it takes a message out of its queue: the message stays for its next life, or
/// is gone with this one.
pub(crate) async fn takes_a_message(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    player.says(Up::Tell(Wish::Count));
    scene.dies(&[0]).await;
    assert_eq!(waiting(scene, &id()).await, scene.by_moment(1, 0), "what is left in its queue");
    scene.expect(player, Fate::Kept);
    match scene.by_moment(true, false) {
        false => scene.expect_count(0, "begins anew, its message is gone"),
        true => {
            let handled = async {
                while waiting(scene, &id()).await > 0 {
                    tokio::time::sleep(LOOK).await;
                }
            };
            soon("its next life handles the message", handled).await;
            scene.expect_count(1, "begins anew, its message counts there");
        }
    }
}

/// The node of the player dies where the VActor is to begin: it has not counted for the player.
async fn is_brought_and_dies(scene: &mut Scene, player: Player) {
    scene.arm(&[1]).await;
    player.says(Up::Ask(Wish::Count));
    scene.dies(&[1]).await;
    // The step that makes one run that is not crash-proof deletes its snapshot.
    let is_lost = scene.step() == Step::TurnHanded && scene.by_moment(false, true);
    expect_kept_unless(scene, is_lost);
    scene.expect(player, LOST);
}

/// It has its count, or, if it is not crash-proof and ran when its node died, begins from nothing.
fn expect_kept_unless(scene: &mut Scene, ran: bool) {
    match ran && scene.cluster.settings.of == Of::LooseVActor {
        true => scene.expect_count(0, ANEW),
        false => scene.expect_count(COUNT, KEPT),
    }
}

/// Its node does not learn that it has created it, finds it among its own, and dies where it makes
/// sure.
pub(crate) async fn settles_its_creation(scene: &mut Scene) {
    let player = scene.login(1).await;
    scene.cluster.order(1, Step::Create, Order::Unknown { lands: true }).await;
    scene.arm(&[1]).await;
    player.says(Up::Ask(Wish::Count));
    scene.dies(&[1]).await;
    scene.expect_count(0, ANEW);
    scene.expect(player, LOST);
}

/// What its node had in memory came to nothing with a turn that failed, and the node dies where it
/// begins it anew.
pub(crate) async fn begins_anew_where_it_was(scene: &mut Scene) {
    let player = scene.login(1).await;
    assert_eq!(player.asks(Wish::Count).await, Answer::Is(COUNT));
    assert_eq!(player.asks(Wish::Fail).await, Answer::No);
    scene.arm(&[1]).await;
    player.says(Up::Ask(Wish::Count));
    scene.dies(&[1]).await;
    scene.expect_count(0, ANEW);
    scene.expect(player, LOST);
}

/// Its node is dead, no sweep has begun it anew yet, and it is asked.
pub(crate) async fn is_taken_anew(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.deny(&[2], Step::TakeNew).await;
    scene.arm(&[1]).await;
    scene.cluster.kill(0).await;
    scene.cluster.dead_are_known().await;
    player.says(Up::Ask(Wish::Count));
    scene.dies(&[1]).await;
    scene.expect_count(0, ANEW);
    scene.expect(player, LOST);
}

pub(crate) async fn is_taken_anew_by_a_sweep(scene: &mut Scene) {
    begins(scene).await;
    scene.arm(&[1, 2]).await;
    scene.cluster.kill(0).await;
    scene.dies(&[1, 2]).await;
    scene.expect_count(0, ANEW);
}

/// It is asked where it is not, while nobody knows of it, or right after.
pub(crate) async fn begins_and_dies(scene: &mut Scene) {
    let player = scene.login(1).await;
    scene.arm(&[1]).await;
    player.says(Up::Ask(Wish::Count));
    scene.dies(&[1]).await;
    scene.expect_count(0, "not counted");
    scene.expect(player, LOST);
}

/// Its node is dead, and no sweep has parked it yet.
pub(crate) async fn is_taken(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.deny(&[1, 2], Step::TakePark).await;
    scene.cluster.kill(0).await;
    scene.cluster.dead_are_known().await;
    is_brought_and_dies(scene, player).await;
}

pub(crate) async fn is_parked_by_a_sweep(scene: &mut Scene) {
    begins(scene).await;
    scene.arm(&[1, 2]).await;
    scene.cluster.kill(0).await;
    scene.dies(&[1, 2]).await;
    scene.expect_count(COUNT, KEPT);
}

/// It goes out of memory.
async fn rests(player: &Player) {
    let answer = player.asks(Wish::Rest).await;
    // The answer leaves before it does, and may be lost with its node.
    assert!([Answer::Is(COUNT), Answer::Unknown].contains(&answer), "{answer:?}");
}

pub(crate) async fn is_parked(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    rests(&player).await;
    scene.dies(&[0]).await;
    let ran = scene.by_moment(true, false);
    expect_kept_unless(scene, ran);
    scene.expect(player, Fate::Kept);
}

/// The node of the player has never heard of it.
pub(crate) async fn is_claimed(scene: &mut Scene) {
    let first = scene.login(0).await;
    assert_eq!(first.asks(Wish::Count).await, Answer::Is(COUNT));
    rests(&first).await;
    let is_parked =
        |rows: &Rows| rows.header(&id()).is_some_and(|header| header.state == State::Parked);
    scene.cluster.world.wait("the VActor is parked", is_parked).await;
    first.leaves().await;
    let player = scene.login(1).await;
    is_brought_and_dies(scene, player).await;
}

/// Its node drains.
pub(crate) async fn is_yielded(scene: &mut Scene) {
    begins(scene).await;
    scene.cluster.knows_the_others(0).await;
    scene.arm(&[0]).await;
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    let ran = scene.by_moment(true, false);
    expect_kept_unless(scene, ran);
}

/// Its node drains, and the one that it goes to dies when it starts it.
pub(crate) async fn is_started_by_who_gets_it(scene: &mut Scene) {
    begins(scene).await;
    scene.cluster.knows_the_others(0).await;
    scene.arm(&[1, 2]).await;
    scene.cluster.drain(0).await;
    scene.cluster.left(0).await;
    scene.dies(&[1, 2]).await;
    let ran = scene.by_moment(false, true);
    expect_kept_unless(scene, ran);
}

/// It is to be no more: then it begins anew with the next one who asks.
pub(crate) async fn is_forgotten(scene: &mut Scene) {
    let player = is_asked_from_elsewhere(scene).await;
    scene.arm(&[0]).await;
    assert_eq!(player.asks(Wish::Forget).await, Answer::Unknown);
    scene.dies(&[0]).await;
    match scene.by_moment(true, false) {
        true => expect_kept_unless(scene, true),
        false => scene.expect_count(0, "forgotten"),
    }
    scene.expect(player, Fate::Kept);
}
