//! What turns may look at outside of their VActor: work that blocks, and where a player is.

use throughline::{Location, prelude::Session};
use throughline_testing::TestCluster;
use throughline_vactor::prelude::*;

use crate::peers::asked;

/// A session that is called as its player is.
#[derive(Serialize, Deserialize)]
struct Named(String);

impl Session for Named {
    const KIND: &'static str = "named";
    type In = ();
    type Out = ();

    async fn login(
        login: throughline::prelude::Login<'_>,
    ) -> Result<Self, throughline::prelude::Refusal> {
        Ok(Self(login.text()?.to_owned()))
    }

    async fn started(&mut self, ctx: &mut throughline::Context<Self>) -> Outcome {
        ctx.register_key(&self.0);
        Ok(())
    }

    async fn message(&mut self, (): (), _: &mut throughline::Context<Self>) -> Outcome {
        Ok(())
    }
}

/// Looks things up.
struct Clerk;

messages! { Clerk { "query" => Query, "where" => Where } }

/// The name of the thread that ran it; `panics`: it panics there.
#[derive(Serialize, Deserialize)]
struct Query {
    panics: bool,
}

impl Message for Query {
    type Reply = String;
}

/// Where the player of this key is.
#[derive(Serialize, Deserialize)]
struct Where(String);

impl Message for Where {
    type Reply = String;
}

impl VActor for Clerk {
    const KIND: &'static str = "clerk";
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self
    }

    fn state(&self) -> &() {
        &()
    }
}

fn thread() -> String {
    format!("{:?}", std::thread::current().id())
}

impl Handle<Query> for Clerk {
    async fn handle(
        &mut self,
        query: Query,
        ctx: &mut Context<Self>,
    ) -> Result<String, HandlerError> {
        let here = thread();
        let there =
            ctx.blocking(move || if query.panics { panic!("as it was told") } else { thread() });
        let there = there.await?;
        Ok(if here == there { "in the way".to_owned() } else { "beside".to_owned() })
    }
}

impl Handle<Where> for Clerk {
    async fn handle(
        &mut self,
        Where(key): Where,
        ctx: &mut Context<Self>,
    ) -> Result<String, HandlerError> {
        Ok(match ctx.locate(&key).await.map_err(|error| HandlerError::new(error.to_string()))? {
            Location::Online { node, .. } => format!("online at node {node}"),
            other => other.to_string(),
        })
    }
}

fn cluster() -> TestCluster {
    let cluster = TestCluster::new(2, |node| node.sessions::<Named>().vactors::<Clerk>());
    cluster.advance(Duration::from_secs(1));
    cluster
}

#[test]
fn what_blocks_runs_beside_the_turns_and_a_panic_in_it_fails_its_turn_alone() {
    let cluster = cluster();
    let query = |panics| asked::<Clerk, _>(&cluster, 0, "c", Query { panics });
    assert_eq!(query(false), Ok("beside".to_owned()));
    assert_eq!(query(true), Err(Rejection::HandlerFailed.into()));
    assert_eq!(query(false), Ok("beside".to_owned()));
}

#[test]
fn a_vactor_finds_out_where_a_player_is() {
    let cluster = cluster();
    let find = |key: &str| asked::<Clerk, _>(&cluster, 1, "c", Where(key.to_owned())).unwrap();
    assert_eq!(find("ann"), "unknown");
    let mut ann = cluster.player_of(Named::KIND, "ann");
    cluster.advance(Duration::from_secs(1));
    for n in [1, 0] {
        ann.move_to(n);
        cluster.advance(Duration::from_secs(1));
        assert_eq!(find("ann"), format!("online at node {}", n + 1));
    }
}
