//! What takes hours takes no time.

use std::time::Duration;

use throughline::{CloseCode, EndReason};
use throughline_testing::TestCluster;

use crate::game::{Counter, Counting, destroyed};

const HOUR: Duration = Duration::from_secs(3600);

/// Sessions wait three hours for their players. Nodes beat slowly: nobody dies here, and each beat
/// costs some real time.
fn patient() -> TestCluster {
    let cluster = TestCluster::builder(2).settings(|config| {
        config.session.timeout = 3 * HOUR;
        config.cluster.beat = Duration::from_secs(10);
        config.cluster.term = Duration::from_secs(60);
        config.cluster.margin = Duration::from_secs(10);
    });
    cluster.start(|node| node.sessions::<Counter>())
}

#[test]
fn a_session_waits_for_its_player_for_hours() {
    let cluster = patient();
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    cluster.drain(0);
    ann.player.go_away();
    cluster.drain(1);
    cluster.start(0);
    cluster.advance(2 * HOUR);
    ann.player.come_back();
    ann.player.retry();
    ann.talk();
    assert_eq!(destroyed(), []);
}

#[test]
fn a_session_whose_player_stays_away_expires_in_the_store_and_its_last_hook_runs_once() {
    let cluster = patient();
    let mut ann = Counting::new(&cluster, "ann");
    ann.talk();
    ann.player.go_away();
    cluster.drain(0);
    assert_eq!(ann.player.node(), None, "parked");
    let parked = cluster.elapsed();
    cluster.advance(3 * HOUR - Duration::from_secs(60));
    assert_eq!(destroyed(), []);
    cluster.advance(Duration::from_secs(120));
    assert_eq!(destroyed(), [("ann".to_owned(), EndReason::Expired)]);
    assert!(cluster.elapsed() - parked > 3 * HOUR);
    ann.player.come_back();
    ann.player.retry();
    assert_eq!(ann.player.expect_end(), CloseCode::Expired);
}
