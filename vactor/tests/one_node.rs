//! VActors of one node.

use std::time::Duration;

use throughline::{Config, Login, Node, Refusal, RunningNode, Session};
use throughline_vactor::prelude::*;

/// A session kind: a node needs one.
#[derive(Serialize, Deserialize)]
struct Nobody;

impl Session for Nobody {
    const KIND: &'static str = "nobody";
    type In = ();
    type Out = ();

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, (): (), _: &mut throughline::Context<Self>) -> Outcome {
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Sum {
    total: i64,
    reminded: Vec<String>,
    begun: Vec<String>,
}

struct Counter {
    sum: Sum,
}

macro_rules! message {
    ($name:ident { $($field:ident: $type:ty),* } -> $reply:ty) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name { $($field: $type),* }
        impl Message for $name { type Reply = $reply; }
    };
}

message!(Add { by: i64 } -> i64);
message!(Total {} -> i64);
message!(Fail { panics: bool } -> ());
message!(AskOther { key: String } -> Result<i64, String>);
message!(AskPeek { key: String } -> Result<i64, String>);
message!(Peek {} -> i64);
message!(Slow { ms: u64 } -> ());
message!(Remind { after_ms: u64 } -> ());
message!(Reminded {} -> Vec<String>);
message!(Begun {} -> Vec<String>);
message!(Leave {} -> ());
message!(Forget {} -> ());

messages! { Counter {
    "add" => Add,
    "total" => read Total,
    "fail" => Fail,
    "ask-other" => AskOther,
    "ask-peek" => AskPeek,
    "peek" => reentrant Peek,
    "slow" => Slow,
    "remind" => Remind,
    "reminded" => read Reminded,
    "begun" => read Begun,
    "leave" => Leave,
    "forget" => Forget,
} }

impl VActor for Counter {
    const KIND: &'static str = "counter";
    type State = Sum;

    fn new(_: &str, sum: Sum) -> Self {
        Self { sum }
    }

    fn state(&self) -> &Sum {
        &self.sum
    }

    async fn activated(&mut self, why: Activation, _: &mut Context<Self>) -> Outcome {
        self.sum.begun.push(format!("{why:?}"));
        Ok(())
    }

    async fn reminded(&mut self, name: &str, _: &mut Context<Self>) -> Outcome {
        self.sum.reminded.push(name.to_owned());
        Ok(())
    }
}

impl Handle<Add> for Counter {
    async fn handle(&mut self, add: Add, _: &mut Context<Self>) -> Result<i64, HandlerError> {
        self.sum.total += add.by;
        Ok(self.sum.total)
    }
}

impl Read<Total> for Counter {
    async fn read(&self, _: Total, _: &ReadContext) -> Result<i64, HandlerError> {
        Ok(self.sum.total)
    }
}

impl Handle<Fail> for Counter {
    async fn handle(&mut self, fail: Fail, _: &mut Context<Self>) -> Result<(), HandlerError> {
        self.sum.total = -1;
        assert!(!fail.panics, "it was to panic");
        Err(HandlerError::new("it was to fail"))
    }
}

impl Handle<AskOther> for Counter {
    async fn handle(
        &mut self,
        ask: AskOther,
        ctx: &mut Context<Self>,
    ) -> Result<Result<i64, String>, HandlerError> {
        let other = Self::at(ask.key.as_str());
        let back = AskOther { key: ctx.key().to_owned() };
        Ok(match ctx.ask(&other, back).await {
            Ok(reply) => reply,
            Err(error) => Err(error.to_string()),
        })
    }
}

impl Handle<AskPeek> for Counter {
    async fn handle(
        &mut self,
        ask: AskPeek,
        ctx: &mut Context<Self>,
    ) -> Result<Result<i64, String>, HandlerError> {
        self.sum.total += 100;
        let asked = ctx.ask(&Self::at(ask.key.as_str()), Peek {}).await;
        Ok(asked.map_err(|error| error.to_string()))
    }
}

impl Read<Peek> for Counter {
    async fn read(&self, _: Peek, _: &ReadContext) -> Result<i64, HandlerError> {
        Ok(self.sum.total)
    }
}

impl Handle<Slow> for Counter {
    async fn handle(&mut self, slow: Slow, _: &mut Context<Self>) -> Result<(), HandlerError> {
        tokio::time::sleep(Duration::from_millis(slow.ms)).await;
        Ok(())
    }
}

impl Handle<Remind> for Counter {
    async fn handle(&mut self, r: Remind, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.remind("turn", Duration::from_millis(r.after_ms));
        Ok(())
    }
}

impl Read<Reminded> for Counter {
    async fn read(&self, _: Reminded, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.sum.reminded.clone())
    }
}

impl Read<Begun> for Counter {
    async fn read(&self, _: Begun, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.sum.begun.clone())
    }
}

impl Handle<Leave> for Counter {
    async fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.deactivate();
        Ok(())
    }
}

impl Handle<Forget> for Counter {
    async fn handle(&mut self, _: Forget, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.forget();
        Ok(())
    }
}

fn node_with(change: impl FnOnce(&mut Config)) -> RunningNode {
    let mut config = Config::default();
    config.node.workers = 2;
    config.listen.http.clear();
    config.listen.link = vec!["127.0.0.1:0".parse().unwrap()];
    config.admin.listen.clear();
    change(&mut config);
    Node::builder(config).sessions::<Nobody>().vactors::<Counter>().start().unwrap()
}

fn node() -> RunningNode {
    node_with(|_| {})
}

#[tokio::test]
async fn a_vactor_begins_when_it_is_first_asked_and_keeps_its_state() {
    let node = node();
    let counter = Counter::at("a");
    assert_eq!(node.ask(&counter, Add { by: 2 }).await, Ok(2));
    assert_eq!(node.ask(&counter, Add { by: 3 }).await, Ok(5));
    assert_eq!(node.ask(&counter, Total {}).await, Ok(5));
    assert_eq!(node.ask(&Counter::at("b"), Total {}).await, Ok(0), "another key is another one");
    assert_eq!(node.ask(&counter, Begun {}).await.unwrap(), ["Created"]);
}

#[tokio::test]
async fn a_vactor_that_was_swapped_out_comes_back_with_its_state() {
    let node = node();
    let counter = Counter::at("a");
    node.ask(&counter, Add { by: 2 }).await.unwrap();
    for _ in 0..3 {
        node.ask(&counter, Leave {}).await.unwrap();
        // It may still be leaving: the ask follows it.
        assert_eq!(node.ask(&counter, Total {}).await, Ok(2));
    }
    let begun = node.ask(&counter, Begun {}).await.unwrap();
    assert!(begun.len() > 1 && begun[1..].iter().all(|why| why == "Restored"), "{begun:?}");
}

#[tokio::test]
async fn a_vactor_that_was_forgotten_begins_from_nothing() {
    let node = node();
    let counter = Counter::at("a");
    node.ask(&counter, Add { by: 2 }).await.unwrap();
    node.ask(&counter, Forget {}).await.unwrap();
    assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(1));
    assert_eq!(node.ask(&counter, Begun {}).await.unwrap(), ["Created"]);
}

#[tokio::test]
async fn a_turn_that_fails_or_panics_has_no_effect_and_says_so() {
    let node = node();
    let counter = Counter::at("a");
    node.ask(&counter, Add { by: 2 }).await.unwrap();
    for panics in [false, true] {
        let failed = node.ask(&counter, Fail { panics }).await;
        assert_eq!(failed, Err(Rejection::HandlerFailed.into()));
        assert_eq!(node.ask(&counter, Total {}).await, Ok(2));
    }
}

#[tokio::test]
async fn who_asks_in_a_circle_is_told_deadlock_with_the_chain() {
    let node = node();
    let asked = node.ask(&Counter::at("a"), AskOther { key: "b".into() }).await.unwrap();
    let text = asked.unwrap_err();
    assert!(text.starts_with("deadlock: "), "{text}");
    let chain = "VActor counter/a -> VActor counter/b -> VActor counter/a";
    assert!(text.ends_with(chain), "{text}");
}

#[tokio::test]
async fn a_reentrant_read_is_answered_from_the_state_before_the_turn_that_waits() {
    let node = node();
    let counter = Counter::at("a");
    node.ask(&counter, Add { by: 7 }).await.unwrap();
    let peeked = node.ask(&counter, AskPeek { key: "a".into() }).await.unwrap();
    assert_eq!(peeked, Ok(7));
    assert_eq!(node.ask(&counter, Total {}).await, Ok(107));
}

#[tokio::test]
async fn p9_who_asks_beyond_the_mailbox_is_told_overloaded_and_when_to_come_again() {
    let node = node_with(|config| config.vactor.mailbox = 4);
    let counter = Counter::at("a");
    node.ask(&counter, Total {}).await.unwrap();
    let asks = (0..12).map(|_| node.ask(&counter, Slow { ms: 50 }));
    let answers = futures_util::future::join_all(asks).await;
    let overloaded = answers.iter().filter(|a| matches!(a, Err(AskError::Overloaded { .. })));
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(done >= 4, "{answers:?}");
    assert_eq!(done + overloaded.count(), 12, "{answers:?}");
}

#[tokio::test]
async fn a_reminder_comes_also_to_one_that_was_swapped_out() {
    let node = node();
    let counter = Counter::at("a");
    node.ask(&counter, Remind { after_ms: 700 }).await.unwrap();
    node.ask(&counter, Leave {}).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while node.ask(&counter, Reminded {}).await.unwrap() != ["turn"] {
            node.ask(&counter, Leave {}).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_kind_or_a_message_that_is_there_twice_is_refused_at_start() {
    let build = || Node::builder(Config::default()).sessions::<Nobody>();
    let error = build().vactors::<Counter>().vactors::<Counter>().start().unwrap_err();
    assert_eq!(error.to_string(), "kind `counter` is registered twice");
}
