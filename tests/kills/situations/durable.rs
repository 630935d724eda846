//! Durable messages of sessions that are not crash-proof: each is a commit of a turn that goes on.

use throughline_cluster::RecordId;
use throughline_queue::{Clock, Inbox, QueueName};

use crate::game::Up;
use crate::run::{Fate, LOST, Scene};

/// How many messages its queue holds.
pub(super) async fn waiting(scene: &Scene, reader: &RecordId) -> u64 {
    let name = QueueName::record(reader.as_bytes()).unwrap();
    let now_ms = Clock::system().now_ms();
    let left = Inbox::measure(&scene.cluster.world, &name, now_ms, u64::MAX, u64::MAX).await;
    left.unwrap().size.messages
}

/// Its node dies in the turn that sends: the message is there if the commit is, once.
pub(crate) async fn is_sent(scene: &mut Scene) {
    let (sender, receiver) = (scene.login(0).await, scene.login(1).await);
    scene.arm(&[0]).await;
    sender.says(Up::Send(receiver.session_id()));
    scene.dies(&[0]).await;
    scene.expect(sender, LOST);
    let (count, means) = scene.by_moment((0, "nothing sent"), (1, "sent once"));
    scene.expect_mail(count, means);
    scene.expect(receiver, Fate::Kept);
}

/// Its node dies where it takes the message out of the queue of a session that is lost with it: it
/// stays there, or is nowhere any more.
pub(crate) async fn is_taken(scene: &mut Scene) {
    let (sender, receiver) = (scene.login(0).await, scene.login(1).await);
    scene.arm(&[1]).await;
    sender.says(Up::Send(receiver.session_id()));
    scene.dies(&[1]).await;
    let left = waiting(scene, &receiver.id()).await;
    assert_eq!(left, scene.by_moment(1, 0), "what is left in its queue");
    let means = scene.by_moment("its message stays", "its message is gone with it");
    scene.expect_mail(0, means);
    scene.expect(receiver, LOST);
    scene.expect(sender, Fate::Kept);
}
