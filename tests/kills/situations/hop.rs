//! A player goes from one node to another, which asks the first for its session.

use crate::run::{Fate, Scene};
use crate::step::Step;

pub(crate) async fn yield_of_the_owner(scene: &mut Scene) {
    let player = scene.login(0).await;
    // Nobody takes what is crash-proof from an owner that takes its time.
    scene.deny(&[1], Step::Seize).await;
    scene.arm(&[0]).await;
    player.goes_to(&[1]);
    scene.dies(&[0]).await;
    let fate = scene.by_moment(scene.orphaned(), Fate::Kept);
    scene.expect(player, fate);
}

/// The node drains: the player is told to come back elsewhere, and does.
pub(crate) async fn yield_in_a_drain(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1], Step::Seize).await;
    // However long its client takes to come: then it would be parked.
    scene.deny(&[0], Step::Park).await;
    scene.arm(&[0]).await;
    player.reaches(&[1]);
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    let fate = scene.by_moment(scene.orphaned(), Fate::Kept);
    scene.expect(player, fate);
}

pub(crate) async fn first_turn_of_the_asker(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1], Step::Seize).await;
    scene.arm(&[1]).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    let fate = scene.by_moment(Fate::Kept, scene.orphaned());
    scene.expect(player, fate);
}

/// The nodes do not reach each other, and the session is crash-proof.
pub(crate) async fn first_turn_of_the_seizer(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1]).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, scene.orphaned());
}

/// The nodes do not reach each other: the second leaves a request, and dies. The owner has the
/// session still, or gives it to the dead, from whom it is taken.
pub(crate) async fn request(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1]).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// The owner dies when it takes the request away: before it has yielded, or after.
pub(crate) async fn answer_to_a_request(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.goes_to(&[1]);
    scene.dies(&[0]).await;
    let fate = scene.as_it_stands(&player);
    scene.expect(player, fate);
}

/// The asker dies while the owner takes the step: the session is the dead's, and is taken.
pub(crate) async fn asker_of_the_owner(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.hold(0).await;
    player.goes_to(&[1]);
    scene.sees_die(0, 1).await;
    scene.expect(player, Fate::Kept);
}
