//! A node takes what may be taken from an owner that does not count as dead, and does not answer.
//!
//! Nobody may be declared dead meanwhile, where the owner is: what a dead one owned is taken.

use crate::kill_at::{Moment, Order};
use crate::player::Player;
use crate::run::{Fate, Scene};
use crate::step::Step;

/// The player comes to node 1; node 0, which has its session, has just died.
pub(crate) async fn from_the_killed(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1, 2], Step::Mark).await;
    player.reaches(&[]);
    scene.cluster.kill(0).await;
    comes_and_dies(scene, 1, player).await;
}

/// A session that is not crash-proof, either, is seized as long as nobody has begun it.
pub(crate) async fn what_was_handed(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[0, 2], Step::Mark).await;
    scene.cluster.order(1, Step::TurnHanded, Order::Kill(Moment::Before)).await;
    player.goes_to(&[1]);
    scene.cluster.died(&[1], Step::TurnHanded, Moment::Before).await;
    comes_and_dies(scene, 2, player).await;
}

async fn comes_and_dies(scene: &mut Scene, seizer: usize, player: Player) {
    scene.arm(&[seizer]).await;
    player.reaches(&[seizer]);
    scene.dies(&[seizer]).await;
    scene.expect(player, Fate::Kept);
}

/// The nodes do not reach each other: the owner acts all the while, until its next commit is
/// refused.
pub(crate) async fn from_the_silent(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1]).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// The owner stands still, and goes on when its session has been taken, or almost.
pub(crate) async fn from_the_frozen(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1, 2], Step::Mark).await;
    scene.arm(&[1]).await;
    scene.cluster.freeze(0);
    player.goes_to(&[1]);
    scene.dies_beside(&[1], 0).await;
    scene.expect(player, Fate::Kept);
}

/// The owner dies while its session is being taken.
pub(crate) async fn owner_of_the_seized(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.hold(1).await;
    player.goes_to(&[1]);
    scene.sees_die(1, 0).await;
    scene.expect(player, Fate::Kept);
}
