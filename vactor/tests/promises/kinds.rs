//! The kinds of the tests.

use std::time::Duration;

use throughline::{Login, Refusal, Session};
use throughline_vactor::prelude::*;

/// A session kind: a node needs one.
#[derive(Serialize, Deserialize)]
pub(crate) struct Nobody;

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
pub(crate) struct Sum {
    total: i64,
    reminded: Vec<String>,
    begun: Vec<String>,
}

pub(crate) struct Counter {
    sum: Sum,
}

macro_rules! message {
    ($name:ident { $($field:ident: $type:ty),* } -> $reply:ty) => {
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
        impl Message for $name { type Reply = $reply; }
    };
}

message!(Add { by: i64 } -> i64);
message!(Total {} -> i64);
message!(Fail { panics: bool } -> ());
message!(AskOther { key: String } -> Result<i64, String>);
message!(AskSlow { key: String, ms: u64 } -> ());
message!(AskPeek { key: String } -> Result<i64, String>);
message!(Peek {} -> i64);
message!(Slow { ms: u64 } -> ());
message!(Remind { after_ms: u64 } -> ());
message!(Every { after_ms: u64, missed: String } -> ());
message!(Reminded {} -> Vec<String>);
message!(Begun {} -> Vec<String>);
message!(Leave {} -> ());
message!(Send { times: i64, to: String } -> ());
message!(Forget {} -> ());
message!(Probe { key: String } -> Probed);

messages! { Counter {
    "add" => Add,
    "total" => read Total,
    "fail" => Fail,
    "ask-other" => AskOther,
    "ask-slow" => AskSlow,
    "ask-peek" => AskPeek,
    "peek" => reentrant Peek,
    "slow" => Slow,
    "remind" => Remind,
    "every" => Every,
    "reminded" => read Reminded,
    "begun" => read Begun,
    "leave" => Leave,
    "send" => Send,
    "forget" => Forget,
} }

impl VActor for Counter {
    const KIND: &'static str = "counter";
    const DURABILITY: Durability = Durability::OnSwapOut;
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

/// The total is then how long it waited for the other, in milliseconds.
impl Handle<AskSlow> for Counter {
    async fn handle(&mut self, ask: AskSlow, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        let other = Self::at(ask.key.as_str());
        let slow = ctx.ask(&other, Slow { ms: ask.ms });
        tokio::pin!(slow);
        let mut waited = 0;
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                _ = &mut slow => break,
                _ = tick.tick() => waited += 10,
            }
        }
        self.sum.total = waited;
        Ok(())
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

impl Handle<Every> for Counter {
    async fn handle(&mut self, r: Every, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        let missed = match r.missed.as_str() {
            "one" => CatchUp::One,
            "all" => CatchUp::All,
            _ => CatchUp::Skip,
        };
        ctx.remind_every("tick", Duration::from_millis(r.after_ms), missed);
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

impl Handle<Send> for Counter {
    async fn handle(&mut self, send: Send, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        for _ in 0..send.times {
            let to = Self::at(send.to.as_str());
            ctx.tell_reliable(&to, &Add { by: 1 }, Duration::from_secs(86_400)).await?;
        }
        Ok(())
    }
}

impl Handle<Forget> for Counter {
    async fn handle(&mut self, _: Forget, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.forget();
        Ok(())
    }
}

/// What became of an ask that changes something, and of one that does not.
pub(crate) type Probed = (Result<i64, String>, Result<i64, String>);

async fn probe(ctx: &impl Ask, key: &str) -> Probed {
    let to = Counter::at(key);
    let changes = ctx.ask(&to, Add { by: 1 }).await.map_err(|error| error.to_string());
    let reads = ctx.ask(&to, Total {}).await.map_err(|error| error.to_string());
    (changes, reads)
}

impl Handle<Probe> for Vault {
    async fn handle(&mut self, p: Probe, ctx: &mut Context<Self>) -> Result<Probed, HandlerError> {
        Ok(probe(ctx, &p.key).await)
    }
}

/// A session that is crash-proof, and probes the key that it is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Prober;

impl Session for Prober {
    const KIND: &'static str = "prober";
    const DURABILITY: Durability = Durability::EveryTurn;
    type In = String;
    type Out = Probed;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, key: String, ctx: &mut throughline::Context<Self>) -> Outcome {
        let probed = probe(ctx, &key).await;
        ctx.send(probed);
        Ok(())
    }
}

/// Counts where it is crash-proof.
pub(crate) struct Vault {
    sum: Sum,
}

messages! { Vault {
    "add" => Add,
    "total" => read Total,
    "begun" => read Begun,
    "remind" => Remind,
    "reminded" => read Reminded,
    "forget" => Forget,
    "probe" => Probe,
} }

impl VActor for Vault {
    const KIND: &'static str = "vault";
    const DURABILITY: Durability = Durability::EveryTurn;
    type State = Sum;

    fn new(_: &str, sum: Sum) -> Self {
        Self { sum }
    }

    fn state(&self) -> &Sum {
        &self.sum
    }

    async fn activated(&mut self, why: Activation, ctx: &mut Context<Self>) -> Outcome {
        self.sum.begun.push(format!("{why:?}"));
        if ctx.key() == "slow" && why == Activation::Restored {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        Ok(())
    }

    async fn reminded(&mut self, name: &str, _: &mut Context<Self>) -> Outcome {
        self.sum.reminded.push(name.to_owned());
        Ok(())
    }
}

impl Handle<Remind> for Vault {
    async fn handle(&mut self, r: Remind, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.remind("turn", Duration::from_millis(r.after_ms));
        Ok(())
    }
}

impl Handle<Forget> for Vault {
    async fn handle(&mut self, _: Forget, ctx: &mut Context<Self>) -> Result<(), HandlerError> {
        ctx.forget();
        Ok(())
    }
}

impl Read<Reminded> for Vault {
    async fn read(&self, _: Reminded, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.sum.reminded.clone())
    }
}

impl Handle<Add> for Vault {
    async fn handle(&mut self, add: Add, _: &mut Context<Self>) -> Result<i64, HandlerError> {
        self.sum.total += add.by;
        Ok(self.sum.total)
    }
}

impl Read<Total> for Vault {
    async fn read(&self, _: Total, _: &ReadContext) -> Result<i64, HandlerError> {
        Ok(self.sum.total)
    }
}

impl Read<Begun> for Vault {
    async fn read(&self, _: Begun, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.sum.begun.clone())
    }
}

/// Two of its messages have one name.
pub(crate) struct Twofold;

messages! { Twofold { "where" => read Where, "where" => read Begun } }

impl VActor for Twofold {
    const KIND: &'static str = "twofold";
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self
    }

    fn state(&self) -> &() {
        &()
    }
}

impl Read<Where> for Twofold {
    async fn read(&self, _: Where, ctx: &ReadContext) -> Result<u32, HandlerError> {
        Ok(ctx.node())
    }
}

impl Read<Begun> for Twofold {
    async fn read(&self, _: Begun, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(Vec::new())
    }
}

/// One that is where its key says.
pub(crate) struct Homed;

messages! { Homed { "where" => read Where } }

message!(Where {} -> u32);

impl VActor for Homed {
    const KIND: &'static str = "homed";
    const DURABILITY: Durability = Durability::OnSwapOut;
    const PLACEMENT: Placement = Placement::Hash;
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self
    }

    fn state(&self) -> &() {
        &()
    }
}

impl Read<Where> for Homed {
    async fn read(&self, _: Where, ctx: &ReadContext) -> Result<u32, HandlerError> {
        Ok(ctx.node())
    }
}

/// One that is where the fewest are.
pub(crate) struct Spread;

messages! { Spread { "where" => read Where } }

impl VActor for Spread {
    const KIND: &'static str = "spread";
    const DURABILITY: Durability = Durability::OnSwapOut;
    const PLACEMENT: Placement = Placement::LeastLoaded;
    type State = ();

    fn new(_: &str, (): ()) -> Self {
        Self
    }

    fn state(&self) -> &() {
        &()
    }
}

impl Read<Where> for Spread {
    async fn read(&self, _: Where, ctx: &ReadContext) -> Result<u32, HandlerError> {
        Ok(ctx.node())
    }
}

/// One of few that may be in memory.
pub(crate) struct Rare {
    sum: Sum,
}

messages! { Rare { "add" => Add, "begun" => read Begun } }

impl VActor for Rare {
    const KIND: &'static str = "rare";
    const DURABILITY: Durability = Durability::OnSwapOut;
    const ACTIVE_MAX: usize = 8;
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
}

impl Read<Begun> for Rare {
    async fn read(&self, _: Begun, _: &ReadContext) -> Result<Vec<String>, HandlerError> {
        Ok(self.sum.begun.clone())
    }
}

impl Handle<Add> for Rare {
    async fn handle(&mut self, add: Add, _: &mut Context<Self>) -> Result<i64, HandlerError> {
        self.sum.total += add.by;
        Ok(self.sum.total)
    }
}
