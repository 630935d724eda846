//! A node takes what a dead one owned.

use crate::kill_at::{Moment, Order};
use crate::player::Player;
use crate::run::{Fate, Scene};
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
    let player = match scene.orphaned() {
        Fate::Ended(_) => handed_to_the_dead(scene).await,
        Fate::Kept => acts_at_the_dead(scene).await,
    };
    // What has a snapshot is seized as long as its owner does not count as dead, or the taker has
    // not read that it does.
    scene.deny(&[2], Step::Seize).await;
    scene.cluster.dead_are_known().await;
    scene.arm(&[2]).await;
    player.reaches(&[2]);
    scene.dies(&[2]).await;
    player
}

/// A player whose session was at node 1, which died; what is crash-proof needs no more to be taken.
async fn acts_at_the_dead(scene: &mut Scene) -> Player {
    let player = scene.login(1).await;
    player.reaches(&[]);
    scene.cluster.kill(1).await;
    player
}

pub(crate) async fn by_a_resume(scene: &mut Scene) {
    let player = comes_to_the_taker(scene).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn first_turn_of_the_taker(scene: &mut Scene) {
    let player = comes_to_the_taker(scene).await;
    let fate = scene.by_moment(Fate::Kept, scene.orphaned());
    scene.expect(player, fate);
}

/// The one after the first, of what is crash-proof: that of the hook `restored`.
pub(crate) async fn second_turn_of_the_taker(scene: &mut Scene) {
    let player = comes_to_the_taker(scene).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn by_a_sweep(scene: &mut Scene) {
    scene.arm(&[0, 2]).await;
    let player = match scene.orphaned() {
        Fate::Ended(_) => handed_to_the_dead(scene).await,
        Fate::Kept => acts_at_the_dead(scene).await,
    };
    scene.dies(&[0, 2]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn of_the_lost(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1, 2]).await;
    player.reaches(&[]);
    scene.cluster.kill(0).await;
    scene.dies(&[1, 2]).await;
    scene.expect(player, scene.orphaned());
}

/// Its client comes to node 1, whose sweep may be as fast as the resume.
pub(crate) async fn of_the_lost_by_a_resume(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[2], Step::TakeLost).await;
    scene.arm(&[1]).await;
    player.reaches(&[1]);
    scene.cluster.kill(0).await;
    scene.dies(&[1]).await;
    scene.expect(player, scene.orphaned());
}
