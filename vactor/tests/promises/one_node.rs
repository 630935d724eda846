//! VActors of one node.

use std::time::Duration;

use throughline::{Config, Node, RunningNode};
use throughline_vactor::prelude::*;

use crate::kinds::*;

/// Called as a kind of sessions is.
struct Namesake;

messages! { Namesake { "where" => read Where } }

impl VActor for Namesake {
    const KIND: &'static str = <Nobody as throughline::Session>::KIND;
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self
    }

    fn state(&self) -> &() {
        &()
    }
}

impl Read<Where> for Namesake {
    async fn read(&self, _: Where, ctx: &ReadContext) -> Result<u32, HandlerError> {
        Ok(ctx.node())
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
    // Far longer than asking takes: none of them is done before the last is asked.
    let asks = (0..12).map(|_| node.ask(&counter, Slow { ms: 400 }));
    let answers = futures_util::future::join_all(asks).await;
    let soon = |answer: &Result<_, AskError>| match answer {
        Err(AskError::Overloaded { retry_after }) => !retry_after.is_zero(),
        _ => false,
    };
    let overloaded = answers.iter().filter(|answer| soon(answer)).count();
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((4..=6).contains(&done), "the mailbox has four, and one is under way: {answers:?}");
    assert_eq!(done + overloaded, 12, "{answers:?}");
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
    // Nodes tell each other which kinds they read by name alone.
    let error = build().vactors::<Namesake>().start().unwrap_err();
    assert_eq!(error.to_string(), "kind `nobody` is registered twice");
    let error = build().vactors::<Twofold>().start().unwrap_err();
    assert_eq!(error.to_string(), "message `where` of VActor kind `twofold` is there twice");
}
