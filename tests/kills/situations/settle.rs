//! A node does not learn what became of a commit, and dies when it settles that.

use throughline_link::CloseCode;

use crate::game::Up;
use crate::kill_at::Order;
use crate::player::Player;
use crate::run::{Fate, Scene};
use crate::situations::key;
use crate::step::Step;

/// A player at node 0; `node` will not learn the outcome of `step`.
async fn unknown(scene: &mut Scene, node: usize, step: Step, lands: bool) -> Player {
    let player = scene.login(0).await;
    // First what comes second: what is crash-proof takes its next turn at once.
    scene.arm(&[node]).await;
    scene.cluster.order(node, step, Order::Unknown { lands }).await;
    player
}

/// It ran.
pub(crate) async fn turn_that_landed(scene: &mut Scene) {
    let player = unknown(scene, 1, Step::TurnHanded, true).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, scene.orphaned());
}

/// It had a snapshot still.
pub(crate) async fn turn_that_was_lost(scene: &mut Scene) {
    let player = unknown(scene, 1, Step::TurnHanded, false).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// A later turn, of what is crash-proof: the client was not answered.
pub(crate) async fn turn_of_the_owner_that_landed(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::Turn, true).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn turn_of_the_owner_that_was_lost(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::Turn, false).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn yield_that_was_lost(scene: &mut Scene) {
    scene.deny(&[1], Step::Seize).await;
    let player = unknown(scene, 0, Step::Yield, false).await;
    player.goes_to(&[1]);
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn park_that_was_lost(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::Park, false).await;
    player.goes_away();
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn end_that_was_lost(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::End, false).await;
    player.says(Up::End);
    scene.dies(&[0]).await;
    let fate = scene.unless_lost(Fate::Ended(&[CloseCode::Ended]));
    scene.expect(player, fate);
}

pub(crate) async fn key_that_landed(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::Key, true).await;
    player.says(Up::Key("key".to_owned()));
    scene.dies(&[0]).await;
    key::gets_what_it_asked_for(scene, &player).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn key_that_was_lost(scene: &mut Scene) {
    let player = unknown(scene, 0, Step::Key, false).await;
    player.says(Up::Key("key".to_owned()));
    scene.dies(&[0]).await;
    key::gets_what_it_asked_for(scene, &player).await;
    scene.expect(player, scene.orphaned());
}
