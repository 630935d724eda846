//! Nodes of two builds in one cluster.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use throughline::prelude::*;
use throughline_testing::TestCluster;

thread_local! {
    /// Sessions that were destroyed: all hooks run on the thread of the test.
    static DESTROYED: RefCell<Vec<(String, EndReason)>> = const { RefCell::new(Vec::new()) };
}

/// Its state of one version is read by nobody of the other.
#[derive(Serialize, Deserialize)]
struct Keeper<const VERSION: u32> {
    name: String,
}

impl<const VERSION: u32> Session for Keeper<VERSION> {
    const KIND: &'static str = "keeper";
    const DURABILITY: Durability = Durability::EveryTurn;
    const STATE_VERSION: u32 = VERSION;
    const OLDEST_VERSION: u32 = VERSION;
    type In = ();
    type Out = ();

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: login.text()?.to_owned() })
    }

    async fn message(&mut self, (): (), ctx: &mut Context<Self>) -> Outcome {
        ctx.send(());
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, _: &mut Context<Self>) -> Outcome {
        DESTROYED.with_borrow_mut(|all| all.push((self.name.clone(), reason)));
        Ok(())
    }
}

#[test]
fn what_a_dead_node_had_is_taken_by_who_reads_it_and_expires_though_older_nodes_live() {
    let starts = Cell::new(0);
    let cluster = TestCluster::builder(3).settings(|config| {
        config.session.timeout = Duration::from_secs(20);
    });
    let cluster = cluster.start(move |node| {
        starts.set(starts.get() + 1);
        // The last one is of the old build.
        if starts.get() == 3 { node.sessions::<Keeper<1>>() } else { node.sessions::<Keeper<2>>() }
    });
    let mut names = Vec::new();
    let mut players = Vec::new();
    for number in 0..30 {
        let name = format!("{number:02}");
        let mut player = cluster.player(&name);
        player.send(&());
        player.receive::<()>();
        if player.node() == Some(0) {
            player.go_away();
            names.push((name, EndReason::Expired));
        }
        players.push(player);
    }
    assert!(names.len() >= 10, "{} at the node that dies", names.len());
    cluster.kill(0);
    cluster.advance(Duration::from_secs(40));
    let mut destroyed = DESTROYED.with_borrow(Clone::clone);
    destroyed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(destroyed, names);
    // Those at the other nodes were there all the time.
    assert_eq!(players.len(), 30);
}

/// Its second build reads the state of the first, and can write it.
#[derive(Serialize, Deserialize)]
struct Elder<const VERSION: u32> {
    said: u64,
}

impl<const VERSION: u32> Session for Elder<VERSION> {
    const KIND: &'static str = "elder";
    const DURABILITY: Durability = Durability::EveryTurn;
    const STATE_VERSION: u32 = VERSION;
    const OLDEST_VERSION: u32 = 1;
    type In = ();
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { said: 0 })
    }

    fn migrate(_: u32, state: &[u8]) -> Result<Self, HandlerError> {
        Ok(Codec::Cbor.decode(state)?)
    }

    fn downgrade(&self, _: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        Codec::Cbor.encode(self, &mut bytes).ok()?;
        Some(bytes)
    }

    async fn message(&mut self, (): (), ctx: &mut Context<Self>) -> Outcome {
        self.said += 1;
        ctx.send(self.said);
        Ok(())
    }

    /// Until it ends, what was written last is what was written when the session came.
    async fn repaired(&mut self, _: &mut Context<Self>) -> Outcome {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }
}

/// What was written when a session was restored was of the newest version, whoever lived, until the
/// next turn ended.
#[test]
fn p5_a_session_that_has_just_come_to_a_newer_node_is_read_by_older_ones() {
    let starts = Cell::new(0);
    let cluster = TestCluster::new(3, move |node| {
        starts.set(starts.get() + 1);
        if starts.get() == 1 { node.sessions::<Elder<2>>() } else { node.sessions::<Elder<1>>() }
    });
    let mut ann = cluster.player("ann");
    ann.send(&());
    assert_eq!(ann.receive::<u64>(), 1);
    ann.move_to(1);
    cluster.advance(Duration::from_secs(5));
    ann.move_to(0);
    cluster.advance(Duration::from_millis(500));
    cluster.kill(0);
    cluster.advance(Duration::from_secs(10));
    ann.send(&());
    assert_eq!(ann.receive::<u64>(), 2);
}
