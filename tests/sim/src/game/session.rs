//! The session kinds.

use serde::{Deserializer, Serializer};
use throughline::QueuedMessage;
use throughline::prelude::*;
use throughline_vactor::{Ask as _, AskError, Rejection, TellReliable as _, VActor as _};

use super::counter::{Count, Counter};
use super::tally::{Add, Tally};
use super::{
    ASKED_TO_PANIC, DAY, Form, NOBODY, PILOT, Poison, ROAMER, Report, SAVER, Say, Told, What,
};
use crate::fault::FaultKind;
use crate::truth::{self, Asked};

/// How often a session says something of its own accord.
const TICK: Duration = Duration::from_millis(700);
/// One that babbles does so this often, and says so much.
const BABBLE: Duration = Duration::from_millis(20);
const BABBLE_BYTES: usize = 4 * 1024;
/// What it says to a client that acknowledges nothing, at most: a session keeps 1,024 messages, and
/// ends in the turn that says one more.
const BABBLES_MAX: u64 = throughline_link::defaults::RETAINED_MESSAGES as u64 + 8;

/// A turn that takes a while takes so long.
const LATE: Duration = Duration::from_millis(400);

/// An ask in a turn takes less than the turn may.
const ASK_TIME: Duration = Duration::from_secs(4);

/// More than a snapshot may have.
const TOO_LARGE: usize = 600 * 1024;

/// Messages of one turn that are to fill a queue.
const OVERFLOW: u64 = 100;

/// A player's side. `SAFE`: every turn is committed. `DOWN`: the second form can be written as the
/// first. `V`: the form.
#[derive(Debug)]
pub(crate) struct Talker<const SAFE: bool, const DOWN: bool, const V: u32>(Form<V>);

impl<const SAFE: bool, const DOWN: bool, const V: u32> Serialize for Talker<SAFE, DOWN, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, const SAFE: bool, const DOWN: bool, const V: u32> Deserialize<'de>
    for Talker<SAFE, DOWN, V>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Form::deserialize(deserializer).map(Self)
    }
}

impl<const SAFE: bool, const DOWN: bool, const V: u32> Session for Talker<SAFE, DOWN, V> {
    const KIND: &'static str = match (SAFE, DOWN) {
        (_, false) => PILOT,
        (true, _) => SAVER,
        (false, _) => ROAMER,
    };
    const STATE_VERSION: u32 = V;
    const OLDEST_VERSION: u32 = 1;
    const CODEC: Codec = Codec::Json;
    const DURABILITY: Durability = if SAFE { Durability::EveryTurn } else { Durability::OnSwapOut };
    type In = Say;
    type Out = Told;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let mut form = Form::default();
        login.text()?.clone_into(&mut form.core.name);
        Ok(Self(form))
    }

    fn migrate(from: u32, state: &[u8]) -> Result<Self, HandlerError> {
        if (from, V) != (1, 2) {
            return Err(HandlerError::new(format!("no form {from} becomes {V}")));
        }
        truth::fire(FaultKind::RollingUpdate);
        Form::migrated(state).map(Self)
    }

    fn downgrade(&self, to: u32) -> Option<Vec<u8>> {
        if to != 1 || !DOWN {
            return None;
        }
        truth::fire(FaultKind::RollingUpdate);
        self.0.downgraded()
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.register_key(&self.0.core.name);
        ctx.repeat_timer("tick", TICK);
        Ok(())
    }

    async fn message(&mut self, say: Say, ctx: &mut Context<Self>) -> Outcome {
        truth::acts(ctx.node(), format_args!("session {}", ctx.session_id()));
        let what = match say {
            Say::Up(number) => self.up(number),
            Say::Ask(key) => What::Done(self.ask(key, ctx).await),
            Say::Count(key) => What::Done(count(key, ctx).await),
            Say::Tell(key) => What::Done(self.tell_tally(key, ctx).await),
            Say::Pass(key) => What::Done(self.pass(key, ctx).await),
            Say::PassLate(key) => {
                tokio::time::sleep(LATE).await;
                What::Done(self.pass(key, ctx).await)
            }
            Say::Panic(number) => {
                truth::fire(FaultKind::HandlerPanic);
                let who = format!("session {}", ctx.session_id());
                let what = format!("panic {number}");
                if let Some(wrong) = truth::poisons(|poisons| poisons.tried(&who, &what)) {
                    truth::fail(format_args!("{wrong}"));
                }
                panic!("{ASKED_TO_PANIC}")
            }
            Say::Poison(key) => What::Done(self.poison_tally(key, ctx).await),
            Say::Grow => {
                truth::fire(FaultKind::StateTooLarge);
                self.0.core.notes = "x".repeat(TOO_LARGE);
                What::Done(true)
            }
            Say::Overflow => What::Done(overflow(ctx).await),
            Say::Babble => {
                self.0.core.babbles = true;
                ctx.repeat_timer("babble", BABBLE);
                return Ok(());
            }
            Say::Report => What::Report(self.report(ctx)),
        };
        self.tell(what, ctx);
        Ok(())
    }

    async fn queued(&mut self, message: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
        truth::acts(ctx.node(), format_args!("session {}", ctx.session_id()));
        let number: u64 = message.decode()?;
        let from = message.from().map(ToString::to_string).unwrap_or_default();
        let id = ctx.session_id();
        let last = self.0.core.got.get(&from).copied();
        if last.is_some_and(|last| number != last + 1) {
            let wrong = format!("queue of session {id}: {number} of {from} came after {last:?}");
            match SAFE {
                true => self.0.core.wrong.push(wrong),
                false => truth::wrong(last, number, &wrong),
            }
        }
        self.0.core.got.insert(from, number);
        self.tell(What::Taken, ctx);
        Ok(())
    }

    async fn timer(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        truth::acts(ctx.node(), format_args!("session {}", ctx.session_id()));
        let what = match name {
            "babble" => What::Padding("y".repeat(BABBLE_BYTES)),
            _ => What::Tick,
        };
        self.tell(what, ctx);
        let said = self.0.core.said;
        if self.0.core.babbles && said > BABBLES_MAX {
            let id = ctx.session_id();
            truth::fail(format_args!("session {id} said {said} times what nobody acknowledged"));
        }
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        truth::note(format_args!("session {} destroyed: {reason:?}", ctx.session_id()));
        let is_ended = matches!(reason, EndReason::RetainedOverflow | EndReason::SlowConsumer);
        if is_ended && self.0.core.babbles {
            truth::fire(FaultKind::NeverAcks);
        }
        Ok(())
    }
}

impl<const SAFE: bool, const DOWN: bool, const V: u32> Talker<SAFE, DOWN, V> {
    fn tell(&mut self, what: What, ctx: &mut Context<Self>) {
        self.0.core.said += 1;
        ctx.send(Told { number: self.0.core.said, what });
    }

    fn up(&mut self, number: u64) -> What {
        let core = &mut self.0.core;
        truth::handled(format_args!("{} from {}", Self::KIND, core.name), core.up, number);
        core.up = number;
        core.sum += number;
        What::Heard { up: core.up, sum: core.sum }
    }

    /// Whether it was answered.
    async fn ask(&mut self, key: String, ctx: &Context<Self>) -> bool {
        let number = next(&mut self.0.core.asked, &key);
        let caller = (ctx.session_id(), key.clone());
        let add = Add { from: caller.0.to_string(), number };
        truth::asks(caller.clone(), number);
        let answer = ctx.ask_within(&Tally::at(&*key), add, ASK_TIME).await;
        if let Ok(wish) = answer {
            let now = truth::now();
            truth::wishes(|wishes| wishes.open(&key, wish, now));
        }
        let how = match &answer {
            Ok(_) => Asked::Answered,
            // The law of crash-proof turns.
            Err(AskError::Rejected(Rejection::ChangesInCrashProofTurn)) if !SAFE => {
                truth::fail(format_args!(
                    "an ask of a {ROAMER} was taken for a crash-proof turn's"
                ));
                Asked::NotRun
            }
            Err(AskError::Unknown) => Asked::Unknown,
            Err(_) => Asked::NotRun,
        };
        truth::asked(caller, number, how);
        how == Asked::Answered
    }

    async fn tell_tally(&mut self, key: String, ctx: &mut Context<Self>) -> bool {
        let number = next(&mut self.0.core.asked, &format!("told {key}"));
        let add = Add { from: format!("told by {}", ctx.session_id()), number };
        ctx.tell_reliable(&Tally::at(&*key), &add, DAY).await.is_ok()
    }

    async fn poison_tally(&mut self, key: String, ctx: &mut Context<Self>) -> bool {
        let number = next(&mut self.0.core.asked, Poison::NAME);
        let poison = Poison { from: ctx.session_id().to_string(), number };
        ctx.tell_reliable(&Tally::at(&*key), &poison, DAY).await.is_ok()
    }

    async fn pass(&mut self, key: String, ctx: &mut Context<Self>) -> bool {
        let number = self.0.core.passed.get(&key).copied().unwrap_or(0) + 1;
        let sent = ctx.send_reliable(&*key, &number, DAY).await.is_ok();
        if sent {
            self.0.core.passed.insert(key, number);
        }
        sent
    }

    fn report(&self, ctx: &Context<Self>) -> Report {
        let core = &self.0.core;
        Report {
            id: throughline::Address::from(ctx.session_id()).to_string(),
            up: core.up,
            passed: core.passed.clone(),
            got: core.got.clone(),
            wrong: core.wrong.clone(),
        }
    }
}

fn next(numbers: &mut std::collections::BTreeMap<String, u64>, key: &str) -> u64 {
    let number = numbers.entry(key.to_owned()).or_default();
    *number += 1;
    *number
}

/// Whether it was answered.
async fn count<S: Session>(key: String, ctx: &Context<S>) -> bool {
    let answer = ctx.ask_within(&Counter::at(&*key), Count {}, ASK_TIME).await;
    if let Ok(counted) = &answer {
        truth::counters(|counters| counters.answered(&key, *counted));
    }
    answer.is_ok()
}

/// Whether the queue had room for all.
async fn overflow<S: Session>(ctx: &mut Context<S>) -> bool {
    for number in 0..OVERFLOW {
        let sent = ctx.send_reliable(NOBODY, &number, DAY).await;
        if let Err(throughline::SendReliableError::Full(_)) = sent {
            truth::fire(FaultKind::QueueOverflow);
            return false;
        }
    }
    true
}
