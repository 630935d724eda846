//! A node joins, beats, drains, leaves; another one is declared dead, and forgotten.

use crate::run::{Fate, Scene};
use crate::step::Step;

pub(crate) async fn join(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.begin_armed(2);
    scene.dies(&[2]).await;
    scene.expect(player, Fate::Kept);
}

/// Its last incarnation must be found dead first.
pub(crate) async fn join_again(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.cluster.kill(2).await;
    scene.begin_armed(2);
    scene.dies(&[2]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn beat(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn mark(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[0], Step::Mark).await;
    scene.arm(&[1]).await;
    scene.cluster.kill(2).await;
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn drain(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.reaches(&[1]);
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    scene.expect(player, scene.orphaned());
}

pub(crate) async fn leave(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.reaches(&[1]);
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    scene.expect(player, Fate::Kept);
}

/// Either of the two others may be the one to forget it.
pub(crate) async fn forget(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0, 1]).await;
    scene.cluster.kill(2).await;
    scene.dies(&[0, 1]).await;
    let fate = if scene.cluster.runs(0) { Fate::Kept } else { scene.orphaned() };
    scene.expect(player, fate);
}
