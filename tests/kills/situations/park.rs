//! A session is parked, and taken out of the store again.

use throughline_cluster::State;
use throughline_link::CloseCode;

use crate::player::Player;
use crate::run::{Fate, Scene};

/// A player is away while its node drains.
pub(crate) async fn by_a_drain(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.goes_away();
    scene.cluster.drain(0).await;
    scene.dies(&[0]).await;
    let fate = scene.by_moment(scene.orphaned(), Fate::Kept);
    scene.expect(player, fate);
}

/// The node where the player is now cannot load its session, and puts it back.
pub(crate) async fn by_a_node_that_cannot_load(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.cluster.fail_restored(1).await;
    scene.arm(&[1]).await;
    player.goes_to(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// Node 0 drains and leaves; the session of this player, who is away, is parked.
pub(crate) async fn park(scene: &mut Scene, player: &Player) {
    player.goes_away();
    scene.cluster.drain(0).await;
    scene.cluster.left(0).await;
    let state = scene.cluster.world.rows().header(&player.id()).map(|header| header.state);
    assert_eq!(state, Some(State::Parked));
}

pub(crate) async fn claim(scene: &mut Scene) {
    let player = scene.login(0).await;
    park(scene, &player).await;
    scene.arm(&[1]).await;
    player.reaches(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn first_turn_of_the_claimer(scene: &mut Scene) {
    let player = scene.login(0).await;
    park(scene, &player).await;
    scene.arm(&[1]).await;
    player.reaches(&[1]);
    scene.dies(&[1]).await;
    let fate = scene.by_moment(Fate::Kept, scene.orphaned());
    scene.expect(player, fate);
}

/// Nobody comes back in time: a node takes the session out once more, for its last hook, or, if it
/// has none, drops it.
async fn expires(scene: &mut Scene) -> Player {
    let player = scene.login(0).await;
    scene.arm(&[1, 2]).await;
    player.goes_away();
    scene.cluster.drain(0).await;
    scene.cluster.left(0).await;
    scene.dies(&[1, 2]).await;
    let id = player.id();
    let is_over =
        |rows: &crate::world::Rows| rows.header(&id).is_none_or(|header| header.state.is_ended());
    scene.cluster.world.wait("the session is over", is_over).await;
    player
}

const EXPIRED: Fate = Fate::Ended(&[CloseCode::Expired]);

/// Parked still, or again.
pub(crate) async fn claim_of_the_expired(scene: &mut Scene) {
    let player = expires(scene).await;
    scene.expect(player, EXPIRED);
}

pub(crate) async fn last_turn_of_the_expired(scene: &mut Scene) {
    let player = expires(scene).await;
    let fate = scene.by_moment(EXPIRED, scene.unless_lost(EXPIRED));
    scene.expect(player, fate);
}

pub(crate) async fn end_of_the_expired(scene: &mut Scene) {
    let player = expires(scene).await;
    let fate = scene.by_moment(scene.unless_lost(EXPIRED), EXPIRED);
    scene.expect(player, fate);
}

/// What is dropped is not remembered: its client hears no reason.
pub(crate) async fn is_dropped(scene: &mut Scene) {
    let player = expires(scene).await;
    scene.expect(player, Fate::Ended(&[CloseCode::Unknown]));
}
