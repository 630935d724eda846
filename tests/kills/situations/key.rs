//! A session takes a session key.

use throughline_link::CloseCode;

use crate::game::Up;
use crate::player::Player;
use crate::run::{ALL, Fate, Scene};
use crate::situations::park;
use crate::step::Step;

pub(crate) const KEY: &str = "key";

/// A player at node 0 who holds the key.
pub(crate) async fn holder(scene: &mut Scene) -> Player {
    let holder = scene.login(0).await;
    holder.says(Up::Key(KEY.to_owned()));
    gets_it(scene, &holder).await;
    // Its node has heard so.
    holder.plays().await;
    holder
}

async fn gets_it(scene: &Scene, player: &Player) {
    let id = player.id();
    let holds =
        |rows: &crate::world::Rows| rows.header(&id).is_some_and(|header| header.key.is_some());
    scene.cluster.world.wait("the key is taken", holds).await;
}

/// The turn in which the session asked for its key has happened, if it is crash-proof: it gets it.
pub(crate) async fn gets_what_it_asked_for(scene: &Scene, player: &Player) {
    if let Fate::Kept = scene.orphaned() {
        player.reaches(ALL);
        gets_it(scene, player).await;
    }
}

pub(crate) async fn that_nobody_holds(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.says(Up::Key(KEY.to_owned()));
    scene.dies(&[0]).await;
    gets_what_it_asked_for(scene, &player).await;
    scene.expect(player, scene.orphaned());
}

/// The taker's node dies; the parked session was ended in the same commit, or not at all.
pub(crate) async fn of_a_parked_session(scene: &mut Scene) {
    let holder = holder(scene).await;
    park::park(scene, &holder).await;
    takes_and_dies(scene, holder, Fate::Kept).await;
}

/// The holder's node is dead, and no sweep has ended the session yet.
pub(crate) async fn of_a_dead_owner(scene: &mut Scene) {
    let holder = holder(scene).await;
    scene.deny(&[1, 2], Step::TakeLost).await;
    scene.deny(&[1, 2], Step::TakePark).await;
    holder.reaches(&[]);
    scene.cluster.kill(0).await;
    let without = scene.orphaned();
    takes_and_dies(scene, holder, without).await;
}

async fn takes_and_dies(scene: &mut Scene, holder: Player, without: Fate) {
    let taker = scene.login(1).await;
    scene.arm(&[1]).await;
    taker.says(Up::Key(KEY.to_owned()));
    scene.dies(&[1]).await;
    let taken = Fate::Ended(&[CloseCode::KeyTaken]);
    // A crash-proof taker wants it still, wherever it goes on.
    let before = if let Fate::Kept = scene.orphaned() { taken } else { without };
    let fate = scene.by_moment(before, taken);
    scene.expect(holder, fate);
    scene.expect(taker, scene.orphaned());
}

/// The taker's node dies while the holder's ends it.
pub(crate) async fn taker_of_a_holder(scene: &mut Scene) {
    let holder = holder(scene).await;
    let taker = scene.login(1).await;
    scene.hold(0).await;
    taker.says(Up::Key(KEY.to_owned()));
    scene.sees_die(0, 1).await;
    scene.expect(holder, Fate::Ended(&[CloseCode::KeyTaken]));
    scene.expect(taker, scene.orphaned());
}
