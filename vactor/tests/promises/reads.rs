//! Reads beside each other and between turns, in virtual time.

use std::cell::RefCell;

use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::{kinds::Nobody, peers::asked};

/// A turn of this name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Shelve {
    pub(crate) name: String,
    pub(crate) ms: u64,
}

impl Message for Shelve {
    type Reply = ();
}

/// A read of this name; it panics if that is its name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) name: String,
    pub(crate) ms: u64,
}

impl Message for Look {
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Log {}

impl Message for Log {
    type Reply = Vec<String>;
}

/// Notes when its turns and reads begin and end; not in its state, since reads cannot.
pub(crate) struct Library(RefCell<Vec<String>>);

impl Library {
    async fn note(&self, name: &str, ms: u64) {
        self.0.borrow_mut().push(format!("{name} begins"));
        tokio::time::sleep(Duration::from_millis(ms)).await;
        assert!(name != "panics", "it was to panic");
        self.0.borrow_mut().push(format!("{name} ends"));
    }
}

messages! { Library { "shelve" => Shelve, "look" => read Look, "log" => read Log } }

impl VActor for Library {
    const KIND: &'static str = "library";
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self(RefCell::default())
    }

    fn state(&self) -> &() {
        &()
    }
}

impl Handle<Shelve> for Library {
    async fn handle(&mut self, shelve: Shelve, _: &mut Context<Self>) -> Outcome {
        self.note(&shelve.name, shelve.ms).await;
        Ok(())
    }
}

impl Read<Look> for Library {
    async fn read(&self, look: Look, _: &ReadContext) -> Outcome {
        self.note(&look.name, look.ms).await;
        Ok(())
    }
}

impl Read<Log> for Library {
    async fn read(&self, _: Log, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.0.borrow().clone())
    }
}

/// The library is at node 0, and the others know that.
pub(crate) fn cluster(nodes: usize) -> TestCluster {
    let cluster = TestCluster::new(nodes, |node| node.sessions::<Nobody>().vactors::<Library>());
    for n in 0..nodes {
        assert!(log(&cluster, n).is_empty());
    }
    cluster
}

pub(crate) fn log(cluster: &TestCluster, n: usize) -> Vec<String> {
    asked::<Library, _>(cluster, n, "l", Log {}).unwrap()
}

pub(crate) fn shelve(name: &str, ms: u64) -> Shelve {
    Shelve { name: name.to_owned(), ms }
}

pub(crate) fn look(name: &str, ms: u64) -> Look {
    Look { name: name.to_owned(), ms }
}

/// Sleeps, in the cluster's time.
pub(crate) async fn after(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[test]
fn slow_reads_run_beside_each_other_and_a_turn_waits_for_those_before_it() {
    for n in 0..2 {
        let cluster = cluster(2);
        let (node, before) = (cluster.node(n), cluster.elapsed());
        cluster.run(async move {
            let library = Library::at("l");
            let looks = async |begins, name, ms| {
                after(begins).await;
                node.ask(&library, look(name, ms)).await.unwrap();
            };
            let turn = async {
                after(100).await;
                node.ask(&library, shelve("turn", 50)).await.unwrap();
            };
            tokio::join!(looks(0, "a", 400), looks(0, "b", 300), turn, looks(200, "c", 100));
        });
        let took = cluster.elapsed() - before;
        let reads = ["a begins", "b begins", "b ends", "a ends"];
        let behind = ["turn begins", "turn ends", "c begins", "c ends"];
        assert_eq!(log(&cluster, n), [reads, behind].concat());
        let most = Duration::from_millis(400 + 50 + 100);
        assert!((most..most * 5 / 4).contains(&took), "nobody waits for longer: {took:?}");
    }
}

#[test]
fn a_read_that_panics_disturbs_neither_the_reads_beside_it_nor_the_next_turn() {
    let cluster = cluster(1);
    let node = cluster.node(0);
    cluster.run(async move {
        let library = Library::at("l");
        let panics = async {
            after(50).await;
            node.ask(&library, look("panics", 50)).await
        };
        let (beside, panics) = tokio::join!(node.ask(&library, look("a", 200)), panics);
        assert_eq!((beside, panics), (Ok(()), Err(Rejection::HandlerFailed.into())));
        node.ask(&library, shelve("turn", 0)).await.unwrap();
    });
    let all = ["a begins", "panics begins", "a ends", "turn begins", "turn ends"];
    assert_eq!(log(&cluster, 0), all);
}

#[test]
fn a_read_that_overruns_the_deadline_of_turns_fails_and_holds_none_up_any_longer() {
    let cluster = cluster(1);
    let (node, before) = (cluster.node(0), cluster.elapsed());
    cluster.run(async move {
        let (library, minute) = (Library::at("l"), Duration::from_secs(60));
        let turn = async {
            after(100).await;
            node.ask_within(&library, shelve("turn", 0), minute).await
        };
        let (read, turn) = tokio::join!(node.ask_within(&library, look("a", 40_000), minute), turn);
        assert_eq!((read, turn), (Err(Rejection::HandlerFailed.into()), Ok(())));
    });
    let took = (cluster.elapsed() - before).as_millis();
    assert!((10_000..10_200).contains(&took), "`session.turn-deadline` is 10 s: {took} ms");
    assert_eq!(log(&cluster, 0), ["a begins", "turn begins", "turn ends"]);
}
