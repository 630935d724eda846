//! x
use std::time::Duration;
use serde::{Deserialize, Serialize};
use throughline::prelude::*;
use throughline_testing::TestCluster;

#[derive(Serialize, Deserialize)]
struct Clicker { name: String, clicks: u64 }
#[derive(Serialize, Deserialize)] enum Ask { Click }
#[derive(Serialize, Deserialize)] struct Score { clicks: u64 }
impl Session for Clicker {
    const KIND: &'static str = "clicker";
    type In = Ask;
    type Out = Score;
    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Clicker { name: login.text()?.to_owned(), clicks: 0 })
    }
    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask { Ask::Click => self.clicks += 1 }
        ctx.send(Score { clicks: self.clicks });
        Ok(())
    }
}

#[test]
fn works() {
    let cluster = TestCluster::new(3, |node| node.sessions::<Clicker>());
    println!("up {:?}", cluster.elapsed());
    let mut ann = cluster.player("ann");
    ann.send(&Ask::Click);
    ann.expect(|s: &Score| s.clicks == 1);
    println!("clicked {:?} at {:?}", cluster.elapsed(), ann.node());
    let report = cluster.drain(0);
    println!("drained {:?} {report:?} at {:?}", cluster.elapsed(), ann.node());
    ann.send(&Ask::Click);
    ann.expect(|s: &Score| s.clicks == 2);
    cluster.start(0);
    println!("started {:?}", cluster.elapsed());
    ann.move_to(2);
    ann.send(&Ask::Click);
    ann.expect(|s: &Score| s.clicks == 3);
    cluster.advance(Duration::from_secs(3600));
    cluster.kill(2);
    println!("{:?} {:?}", ann.expect_end(), cluster.elapsed());
}
