//! A player logs in at a node that dies; it gets in at another.

use crate::run::{ALL, Fate, Scene};

pub(crate) async fn create(scene: &mut Scene) {
    scene.arm(&[0]).await;
    let player = scene.player(ALL);
    scene.dies(&[0]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn turn(scene: &mut Scene) {
    create(scene).await;
}
