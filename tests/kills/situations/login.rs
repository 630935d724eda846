//! A player logs in at a node that dies; it gets in at another.

use crate::run::{ALL, Fate, Scene};

pub(crate) async fn create(scene: &mut Scene) {
    scene.arm(&[0]).await;
    let player = scene.player(ALL);
    scene.dies(&[0]).await;
    scene.expect(player, Fate::Kept);
}

/// Of what is crash-proof a snapshot is left, which expires, as nobody knows of it.
pub(crate) async fn turn(scene: &mut Scene) {
    create(scene).await;
}

/// The node dies in the midst of the game, at a turn of what is crash-proof.
pub(crate) async fn later_turn(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

/// The client's connection broke, and it comes back to the same node.
pub(crate) async fn comes_back(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.goes_to(&[0]);
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}
