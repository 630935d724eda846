//! What is played: numbered messages both ways, and a state that tells whether any was missed.

use std::sync::atomic::{AtomicBool, Ordering};

use throughline::QueuedMessage;
use throughline::prelude::*;

use crate::tally::{self, Answer, Wish};

/// What a player says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Up {
    Say(u64),
    /// What have you heard?
    Report,
    Key(String),
    End,
    /// Sends to this session, durably.
    Send(SessionId),
    /// Asks the VActor.
    Ask(Wish),
    /// Sends to the VActor, durably.
    Tell(Wish),
}

/// What a session says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Down {
    Say(u64),
    Report(Report),
    Answer(Answer),
    /// A durable message has come.
    Received,
}

/// What a session knows of its life, on whichever nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What the player said at its login.
    pub(crate) name: String,
    /// The number of its last message, and how many came out of turn.
    pub(crate) heard: u64,
    pub(crate) wrong: u64,
    /// A digest of all of them.
    pub(crate) digest: u64,
    /// The number of the session's own last message.
    pub(crate) said: u64,
}

impl Report {
    /// A message came.
    pub(crate) fn hear(&mut self, number: u64) {
        self.wrong += u64::from(number != self.heard + 1);
        self.heard = number;
        self.digest = self.digest.wrapping_mul(0x0100_0000_01b3) ^ number;
    }
}

/// How often a session says something of its own accord: its timer travels with it.
const OWN_EVERY: Duration = Duration::from_millis(50);

/// How long a durable message is kept: longer than any case.
pub(crate) const KEPT: Duration = Duration::from_secs(3_600);

/// Whether the next session that comes here cannot be loaded.
pub(crate) static FAIL_RESTORED: AtomicBool = AtomicBool::new(false);

/// One player's side: the state is the report. It is a kind of its own whether its turns are
/// committed; in all nodes of a cluster it has a last hook or not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counter<const CRASH_PROOF: bool, const LAST_HOOK: bool = true>(Report);

impl<const CRASH_PROOF: bool, const LAST_HOOK: bool> Counter<CRASH_PROOF, LAST_HOOK> {
    fn say(&mut self, ctx: &mut Context<Self>) -> Outcome {
        self.0.said += 1;
        Self::send(&Down::Say(self.0.said), ctx)
    }

    fn send(message: &Down, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Raw::from(serde_json::to_vec(message)?));
        Ok(())
    }
}

impl<const CRASH_PROOF: bool, const LAST_HOOK: bool> Session for Counter<CRASH_PROOF, LAST_HOOK> {
    const KIND: &'static str = if CRASH_PROOF { "crash-proof" } else { "counter" };
    const DURABILITY: Durability =
        if CRASH_PROOF { Durability::EveryTurn } else { Durability::OnSwapOut };
    const DESTROY_EXPIRED: bool = LAST_HOOK;
    type In = Raw;
    type Out = Raw;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self(Report { name: login.text()?.to_owned(), ..Report::default() }))
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.repeat_timer("own", OWN_EVERY);
        Ok(())
    }

    async fn message(&mut self, Raw(message): Raw, ctx: &mut Context<Self>) -> Outcome {
        match serde_json::from_slice(&message)? {
            Up::Say(number) => {
                self.0.hear(number);
                self.say(ctx)?;
            }
            Up::Report => Self::send(&Down::Report(self.0.clone()), ctx)?,
            Up::Key(key) => ctx.register_key(&key),
            Up::End => ctx.end(),
            Up::Send(to) => ctx.send_reliable(to, &(), KEPT).await?,
            Up::Tell(wish) => tally::tell(ctx, wish).await?,
            Up::Ask(wish) => {
                let answer = tally::ask(&*ctx, wish).await;
                Self::send(&Down::Answer(answer), ctx)?;
            }
        }
        Ok(())
    }

    async fn queued(&mut self, _: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
        Self::send(&Down::Received, ctx)
    }

    async fn restored(&mut self, _ctx: &mut Context<Self>) -> Outcome {
        if FAIL_RESTORED.swap(false, Ordering::SeqCst) {
            return Err(HandlerError::new("it was told to fail"));
        }
        Ok(())
    }

    async fn timer(&mut self, _name: &str, ctx: &mut Context<Self>) -> Outcome {
        self.say(ctx)
    }
}
