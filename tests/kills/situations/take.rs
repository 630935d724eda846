//! A node takes what a dead one owned.

use crate::kill_at::{Moment, Order};
use crate::player::Player;
use crate::run::{Fate, LOST, Scene};
use crate::step::Step;

/// A player whose session was handed to node 1, which died before it started it.
async fn handed_to_the_dead(scene: &mut Scene) -> Player {
    let player = scene.login(0).await;
    scene.cluster.order(1, Step::TurnHanded, Order::Kill(Moment::Before)).await;
    player.goes_to(&[1]);
    scene.cluster.died(&[1], Step::TurnHanded, Moment::Before).await;
    player
}

/// The player comes to node 2 before a sweep has parked its session.
async fn comes_to_the_taker(scene: &mut Scene) -> Player {
    scene.deny(&[0, 2], Step::TakePark).await;
    let player = handed_to_the_dead(scene).await;
    scene.arm(&[2]).await;
    player.reaches(&[2]);
    scene.dies(&[2]).await;
    player
}

pub(crate) async fn by_a_resume(scene: &mut Scene) {
    let player = comes_to_the_taker(scene).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn first_turn_of_the_taker(scene: &mut Scene) {
    let player = comes_to_the_taker(scene).await;
    let fate = scene.by_moment(Fate::Kept, LOST);
    scene.expect(player, fate);
}

pub(crate) async fn by_a_sweep(scene: &mut Scene) {
    scene.arm(&[0, 2]).await;
    let player = handed_to_the_dead(scene).await;
    scene.dies(&[0, 2]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn of_the_lost(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1, 2]).await;
    player.reaches(&[]);
    scene.cluster.kill(0).await;
    scene.dies(&[1, 2]).await;
    scene.expect(player, LOST);
}
