//! A game whose players and sessions count what they say to each other.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use throughline::prelude::*;
use throughline_testing::{Player, TestCluster};

/// How often a session says something by itself.
const TICK: Duration = Duration::from_millis(40);

/// One player's side.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counter {
    name: String,
    heard: u64,
    said: u64,
}

/// What players say: the numbers from 1 on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Say(pub(crate) u64);

/// What sessions say, each with its number, from 1 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// The player's message of this number came.
    Heard(u64),
    /// Another one was expected: something was lost or came twice.
    Expected(u64),
    Tick,
}

thread_local! {
    /// Messages that sessions handled.
    static HEARD: Cell<u64> = const { Cell::new(0) };
    /// Sessions that were destroyed: all hooks run on the thread of the test.
    static DESTROYED: RefCell<Vec<(String, EndReason)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn heard() -> u64 {
    HEARD.get()
}

pub(crate) fn destroyed() -> Vec<(String, EndReason)> {
    DESTROYED.with_borrow(Clone::clone)
}

impl Counter {
    fn tell(&mut self, what: What, ctx: &mut Context<Self>) {
        self.said += 1;
        ctx.send(Told { number: self.said, what });
    }
}

impl Session for Counter {
    const KIND: &'static str = "counter";
    type In = Say;
    type Out = Told;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: login.text()?.to_owned(), heard: 0, said: 0 })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.repeat_timer("tick", TICK);
        Ok(())
    }

    async fn message(&mut self, Say(number): Say, ctx: &mut Context<Self>) -> Outcome {
        HEARD.set(HEARD.get() + 1);
        let expected = self.heard + 1;
        self.heard = number;
        let what = if number == expected { What::Heard(number) } else { What::Expected(expected) };
        self.tell(what, ctx);
        Ok(())
    }

    async fn timer(&mut self, _: &str, ctx: &mut Context<Self>) -> Outcome {
        self.tell(What::Tick, ctx);
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, _: &mut Context<Self>) -> Outcome {
        DESTROYED.with_borrow_mut(|all| all.push((self.name.clone(), reason)));
        Ok(())
    }
}

pub(crate) fn cluster(nodes: usize) -> TestCluster {
    TestCluster::new(nodes, |node| node.sessions::<Counter>())
}

/// A player that numbers what it says, and checks the numbers of what it hears.
pub(crate) struct Counting {
    pub(crate) player: Player,
    said: u64,
    heard: u64,
}

impl Counting {
    pub(crate) fn new(cluster: &TestCluster, name: &str) -> Self {
        Self { player: cluster.player(name), said: 0, heard: 0 }
    }

    pub(crate) fn say(&mut self) {
        self.said += 1;
        self.player.send(&Say(self.said));
    }

    /// Hears until the answer to all that was said; each message has the next number.
    #[track_caller]
    pub(crate) fn hear(&mut self) {
        loop {
            let told: Told = self.player.receive();
            self.heard += 1;
            assert_eq!(told.number, self.heard, "lost or twice: {told:?}");
            assert!(!matches!(told.what, What::Expected(_)), "lost or twice: {told:?}");
            if told.what == What::Heard(self.said) {
                return;
            }
        }
    }

    /// Says something and hears the answer.
    #[track_caller]
    pub(crate) fn talk(&mut self) {
        self.say();
        self.hear();
    }
}

/// How many nodes have this session.
pub(crate) fn owners(cluster: &TestCluster, nodes: usize, player: &Player) -> usize {
    (0..nodes).filter(|n| cluster.is_up(*n) && cluster.has_session(*n, player.session_id())).count()
}
