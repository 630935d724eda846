//! A session was handed to a node, which has not started it, or does not know that it runs: nobody
//! there has it in memory.

use throughline_cluster::State;
use throughline_link::CloseCode;

use crate::cluster::number;
use crate::game::Up;
use crate::player::Player;
use crate::run::{Fate, LOST, Scene};
use crate::situations::key;
use crate::step::Step;

/// The session of this player goes from node 0 to node 1, which cannot commit its first turn.
async fn is_handed(scene: &mut Scene, player: &Player) {
    scene.deny(&[1], Step::TurnHanded).await;
    player.goes_to(&[1]);
    let id = player.id();
    let is_handed = |rows: &crate::world::Rows| {
        let header = rows.header(&id).filter(|header| header.state == State::Handed);
        header.and_then(|header| header.owner).is_some_and(|owner| owner.node.0 == number(1))
    };
    scene.cluster.world.wait("the session is handed over", is_handed).await;
    player.goes_away();
}

/// The client goes on to node 2, which asks node 1 before a sweep there finds the session.
pub(crate) async fn passed_on(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1], Step::Park).await;
    // What was handed and not begun may be seized from an owner that takes its time.
    scene.deny(&[2], Step::Seize).await;
    is_handed(scene, &player).await;
    scene.arm(&[1]).await;
    player.reaches(&[2]);
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

pub(crate) async fn park_by_a_drain(scene: &mut Scene) {
    let player = scene.login(0).await;
    is_handed(scene, &player).await;
    scene.arm(&[1]).await;
    scene.cluster.drain(1).await;
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// Its client does not come back: the node finds it among its own.
pub(crate) async fn park_by_a_sweep(scene: &mut Scene) {
    let player = scene.login(0).await;
    is_handed(scene, &player).await;
    scene.arm(&[1]).await;
    scene.dies(&[1]).await;
    scene.expect(player, Fate::Kept);
}

/// Its key is taken at node 2, which asks node 1 to end it.
pub(crate) async fn park_for_a_key(scene: &mut Scene) {
    let holder = key::holder(scene).await;
    is_handed(scene, &holder).await;
    let taker = scene.login(2).await;
    scene.arm(&[1]).await;
    taker.says(Up::Key(key::KEY.to_owned()));
    scene.dies(&[1]).await;
    // So that the taker is not kept waiting by a client that comes back to what it holds.
    taker.is_whole().await;
    scene.expect(holder, Fate::Ended(&[CloseCode::KeyTaken]));
    scene.expect(taker, Fate::Kept);
}

/// The taker's node dies while the holder's parks it: nobody has the key but the holder.
pub(crate) async fn taker_of_a_holder(scene: &mut Scene) {
    let holder = key::holder(scene).await;
    is_handed(scene, &holder).await;
    let taker = scene.login(2).await;
    scene.hold(1).await;
    taker.says(Up::Key(key::KEY.to_owned()));
    scene.sees_die(1, 2).await;
    scene.expect(holder, Fate::Kept);
    scene.expect(taker, scene.orphaned());
}

/// The asker's node dies while the session is passed on to it.
pub(crate) async fn asker_of_the_unstarted(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.deny(&[1], Step::Park).await;
    scene.deny(&[2], Step::Seize).await;
    is_handed(scene, &player).await;
    scene.hold(1).await;
    player.reaches(&[2]);
    scene.sees_die(1, 2).await;
    scene.expect(player, Fate::Kept);
}

/// The session of this player, who is away, runs at node 1, where it is in no memory; that node's
/// own look, which would end it, does not come first. Whoever ends it there dies.
async fn runs_unheard(scene: &mut Scene, player: &Player) {
    scene.deny(&[1], Step::Park).await;
    is_handed(scene, player).await;
    scene.arm(&[1]).await;
    scene.cluster.world.runs_unheard(&player.id()).await;
}

/// Its client comes to node 1.
pub(crate) async fn end_for_its_client(scene: &mut Scene) {
    let player = scene.login(0).await;
    runs_unheard(scene, &player).await;
    player.reaches(&[1]);
    scene.dies(&[1]).await;
    scene.expect(player, LOST);
}

/// Its client comes to node 2, which asks node 1.
pub(crate) async fn end_for_another_node(scene: &mut Scene) {
    let player = scene.login(0).await;
    runs_unheard(scene, &player).await;
    player.reaches(&[2]);
    scene.dies(&[1]).await;
    scene.expect(player, LOST);
}

pub(crate) async fn end_by_a_drain(scene: &mut Scene) {
    let player = scene.login(0).await;
    runs_unheard(scene, &player).await;
    scene.cluster.drain(1).await;
    scene.dies(&[1]).await;
    scene.expect(player, LOST);
}

/// Its key is taken at node 2, which asks node 1 to end it. If node 1 dies before, a sweep or the
/// taker ends it, whoever is faster.
pub(crate) async fn end_for_a_key(scene: &mut Scene) {
    let holder = key::holder(scene).await;
    runs_unheard(scene, &holder).await;
    let taker = scene.login(2).await;
    taker.says(Up::Key(key::KEY.to_owned()));
    scene.dies(&[1]).await;
    let fate = scene.by_moment(Fate::Ended(&[CloseCode::Lost, CloseCode::KeyTaken]), LOST);
    scene.expect(holder, fate);
    scene.expect(taker, Fate::Kept);
}

/// The asker's node dies while node 1 ends the session.
pub(crate) async fn asker_of_the_lost(scene: &mut Scene) {
    let player = scene.login(0).await;
    runs_unheard(scene, &player).await;
    scene.hold(1).await;
    player.reaches(&[2]);
    scene.sees_die(1, 2).await;
    scene.expect(player, LOST);
}
