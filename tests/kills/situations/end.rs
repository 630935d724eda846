//! A session ends, and is forgotten.

use throughline_cluster::State;
use throughline_link::CloseCode;

use crate::game::Up;
use crate::kill_at::{Moment, Order};
use crate::run::{Fate, Scene};
use crate::situations::key;
use crate::step::Step;

const ENDED: Fate = Fate::Ended(&[CloseCode::Ended]);

pub(crate) async fn by_the_game(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.says(Up::End);
    scene.dies(&[0]).await;
    let fate = scene.by_moment(scene.unless_lost(ENDED), ENDED);
    scene.expect(player, fate);
}

/// Nobody asks any more what became of it: it expires, if nothing that its client said last is
/// known of it.
pub(crate) async fn by_the_client(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    let id = player.id();
    player.leaves().await;
    scene.dies(&[0]).await;
    let fates = [CloseCode::Lost, CloseCode::Left, CloseCode::Expired];
    let fates = fates.map(|code| Some(State::Ended(code.number())));
    let is_over = move |rows: &crate::world::Rows| {
        fates.contains(&rows.header(&id).map(|header| header.state))
    };
    scene.cluster.world.wait("the session is over", is_over).await;
}

/// Another session, at another node, takes the key. If the holder's node dies first, a sweep or
/// the taker ends the holder, whoever is faster.
pub(crate) async fn by_the_holder_of_a_key(scene: &mut Scene) {
    let holder = key::holder(scene).await;
    let taker = scene.login(1).await;
    scene.arm(&[0]).await;
    taker.says(Up::Key(key::KEY.to_owned()));
    scene.dies(&[0]).await;
    let taken = Fate::Ended(&[CloseCode::KeyTaken]);
    let before = match scene.orphaned() {
        Fate::Kept => taken,
        Fate::Ended(_) => Fate::Ended(&[CloseCode::Lost, CloseCode::KeyTaken]),
    };
    let fate = scene.by_moment(before, taken);
    scene.expect(holder, fate);
    scene.expect(taker, Fate::Kept);
}

/// A node does not learn that it has created a session, whose client logs in elsewhere; later it
/// finds the record among its own.
pub(crate) async fn by_the_sweep_of_a_node_itself(scene: &mut Scene) {
    scene.cluster.order(0, Step::Create, Order::Unknown { lands: true }).await;
    scene.arm(&[0]).await;
    let player = scene.player(&[0]);
    let is_there =
        |rows: &crate::world::Rows| rows.headers().any(|header| header.state == State::New);
    scene.cluster.world.wait("a session is created", is_there).await;
    player.reaches(&[1, 2]);
    scene.dies(&[0]).await;
    scene.expect(player, Fate::Kept);
}

/// The client knows that it is over.
pub(crate) async fn and_is_forgotten_at_once(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[0]).await;
    player.says(Up::End);
    scene.dies(&[0]).await;
    scene.expect(player, ENDED);
}

/// The client does not come back in time to hear it.
pub(crate) async fn and_is_swept(scene: &mut Scene) {
    let player = scene.login(0).await;
    scene.arm(&[1, 2]).await;
    scene.cluster.order(0, Step::End, Order::Kill(Moment::After)).await;
    player.reaches(&[]);
    player.says(Up::End);
    scene.cluster.died(&[0], Step::End, Moment::After).await;
    scene.dies(&[1, 2]).await;
    let fate = Fate::Ended(&[CloseCode::Ended, CloseCode::Unknown]);
    scene.expect(player, fate);
}
