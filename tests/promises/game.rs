//! The game that the promise tests play: it echoes, counts, and fails when asked to.

use std::time::Duration;

use throughline::prelude::*;
use throughline::{Config, EndReason, NodeBuilder, RunningNode};

use crate::{
    journal,
    kinds::{Careful, Sore, Tin},
    pigeon::Pigeon,
};

/// Remembers what it was told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parrot {
    name: String,
    heard: u64,
    /// What it carries about, to be large.
    baggage: String,
    mood: Mood,
    /// Who hears of its end.
    heir: Option<SessionId>,
}

/// What it does when it is to leave, or has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mood {
    #[default]
    Willing,
    /// It ends when it is to leave.
    Homesick,
    /// It says something when it is to leave.
    Polite,
    /// It registers the key `traveller` when it is to leave.
    Named,
    /// It does not come to, until its journal says `mended`.
    Brittle,
}

/// What a client asks for.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Answered with `Said`, in order.
    Say(u64),
    /// How often it was asked to say something.
    Count,
    /// Sends these bytes back.
    Echo(String),
    /// Ends, with a last `Said` before it.
    End(u64),
    Panic,
    Fail,
    Hang,
    /// Blocks its worker's thread at the session's gate.
    Stall,
    /// Waits at the session's gate; then says this.
    Gate(u64),
    /// Doubles the number on another thread.
    Block(u64),
    /// Panics on another thread.
    BlockPanic,
    /// Sends so many messages in one turn.
    Flood(u64),
    /// Sends so many messages of so many bytes in one turn.
    Big(u64, usize),
    Timer(String, u64),
    Repeat(String, u64),
    Cancel(String),
    /// Sets so many timers that do not fire.
    Timers(u64),
    /// Sends a message to another session of the same node.
    Tell(SessionId, u64),
    /// Sends a message to another session, wherever it is.
    Send(SessionId, u64),
    /// Sends a message to the session of this key.
    SendToKey(String, u64),
    /// Carries so many bytes in its state.
    Carry(usize),
    Be(Mood),
    /// Who is told 13 when it is destroyed, wherever that one is.
    Heir(SessionId),
    Key(String),
    Simulate(u64),
    /// Sends something, sets a timer, registers a key and tells a session, then fails.
    Undo(SessionId),
    /// A message whose reading panics.
    Rotten(Rotten),
}

/// Panics when it is read.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Rotten;

impl<'de> Deserialize<'de> for Rotten {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("asked to panic while reading")
    }
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Answer {
    Said(u64),
    Counted(u64),
    Echoed(String),
    Started(String),
    Told(SessionId, u64),
    Undelivered(SessionId, String),
    /// A message to a key was not delivered.
    Unfound(String, String),
    Ticked(String),
    Refused(String),
}

impl Session for Parrot {
    const KIND: &'static str = "parrot";
    const CODEC: Codec = Codec::Json;
    type In = Ask;
    type Out = Answer;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let id = login.session_id();
        journal::note(id, format!("login {:?}", login.game_version()));
        if login.game_version() == Some("0.1") {
            return Err(Refusal::upgrade_needed("version 1.0 is needed"));
        }
        match login.text()? {
            "nobody" => Err(Refusal::new(7, "nobody may not play")),
            "later" => Err(Refusal::retry_after("not now", Duration::from_millis(1_500))),
            "panic" => panic!("the login was asked to panic"),
            "hang" => std::future::pending().await,
            name if name.starts_with('{') => {
                let name = login.decode::<String>(Codec::Json)?;
                Ok(Self::new(name))
            }
            name => Ok(Self::new(name.to_owned())),
        }
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Answer::Started(self.name.clone()));
        Ok(())
    }

    async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
        match ask {
            Ask::Say(number) => {
                self.heard += 1;
                ctx.send(Answer::Said(number));
            }
            Ask::Count => ctx.send(Answer::Counted(self.heard)),
            Ask::Echo(text) => ctx.send(Answer::Echoed(text)),
            Ask::End(number) => {
                ctx.send(Answer::Said(number));
                ctx.end();
            }
            Ask::Gate(number) => {
                journal::note(ctx.session_id(), "at the gate");
                journal::gate(ctx.session_id()).acquire().await?.forget();
                ctx.send(Answer::Said(number));
            }
            Ask::Flood(count) => (0..count).for_each(|number| ctx.send(Answer::Said(number))),
            Ask::Big(count, bytes) => {
                (0..count).for_each(|_| ctx.send(Answer::Echoed("x".repeat(bytes))));
            }
            Ask::Tell(to, number) => ctx.send_to_local_session(to, &number),
            Ask::Send(to, number) => ctx.send_to_session(to, &number),
            Ask::SendToKey(key, number) => ctx.send_to_session(key, &number),
            Ask::Carry(bytes) => {
                self.baggage = "x".repeat(bytes);
                ctx.send(Answer::Said(0));
            }
            Ask::Heir(heir) => {
                self.heir = Some(heir);
                ctx.send(Answer::Said(0));
            }
            Ask::Be(mood) => {
                self.mood = mood;
                ctx.send(Answer::Said(0));
            }
            Ask::Key(key) => {
                ctx.register_key(&key);
                ctx.send(Answer::Said(0));
            }
            Ask::Simulate(ms) => match ctx.simulate_link(Duration::from_millis(ms), 0.0) {
                Ok(()) => ctx.send(Answer::Said(ms)),
                Err(error) => ctx.send(Answer::Refused(error.to_string())),
            },
            Ask::Timer(..) | Ask::Repeat(..) | Ask::Cancel(_) | Ask::Timers(_) => {
                set_timers(ask, ctx);
            }
            other => fail(other, ctx).await?,
        }
        Ok(())
    }

    async fn server_message(&mut self, message: ServerMessage, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Answer::Told(message.from(), message.decode()?));
        Ok(())
    }

    async fn undelivered(
        &mut self,
        to: Recipient,
        why: Undelivered,
        ctx: &mut Context<Self>,
    ) -> Outcome {
        match to {
            Recipient::Session(to) => ctx.send(Answer::Undelivered(to, format!("{why:?}"))),
            Recipient::Key(key) => ctx.send(Answer::Unfound(key, format!("{why:?}"))),
            _ => {}
        }
        Ok(())
    }

    async fn connection_lost(&mut self, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), "connection lost");
        Ok(())
    }

    async fn repaired(&mut self, ctx: &mut Context<Self>) -> Outcome {
        let peer = ctx.peer().map_or_else(String::new, |peer| peer.ip().to_string());
        journal::note(ctx.session_id(), format!("repaired from {peer}"));
        Ok(())
    }

    async fn restored(&mut self, ctx: &mut Context<Self>) -> Outcome {
        let id = ctx.session_id();
        journal::note(id, "restored");
        if self.mood == Mood::Brittle && journal::count(id, "mended") == 0 {
            return Err(std::io::Error::other("asked to fail").into());
        }
        Ok(())
    }

    async fn swap_out(&mut self, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), "swap out");
        match self.mood {
            Mood::Homesick => ctx.end(),
            Mood::Polite => ctx.send(Answer::Ticked("leaving".to_owned())),
            Mood::Named => ctx.register_key("traveller"),
            Mood::Willing | Mood::Brittle => {}
        }
        Ok(())
    }

    async fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), format!("announced {text}"));
        Ok(())
    }

    async fn timer(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), format!("timer {name}"));
        ctx.send(Answer::Ticked(name.to_owned()));
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        if let Some(heir) = self.heir {
            ctx.send_to_session(heir, &13_u64);
        }
        journal::note(ctx.session_id(), format!("destroyed {reason:?}"));
        Ok(())
    }
}

impl Parrot {
    fn new(name: String) -> Self {
        Self { name, heard: 0, baggage: String::new(), mood: Mood::Willing, heir: None }
    }
}

fn set_timers(ask: Ask, ctx: &mut Context<Parrot>) {
    match ask {
        Ask::Timer(name, ms) => ctx.set_timer(&name, Duration::from_millis(ms)),
        Ask::Repeat(name, ms) => ctx.repeat_timer(&name, Duration::from_millis(ms)),
        Ask::Cancel(name) => ctx.cancel_timer(&name),
        Ask::Timers(count) => (0..count)
            .for_each(|number| ctx.set_timer(&number.to_string(), Duration::from_secs(3600))),
        _ => {}
    }
    ctx.send(Answer::Said(0));
}

async fn fail(ask: Ask, ctx: &mut Context<Parrot>) -> Outcome {
    match ask {
        Ask::Panic => panic!("asked to panic"),
        Ask::Fail => Err(std::io::Error::other("asked to fail").into()),
        Ask::Hang => std::future::pending().await,
        Ask::Stall => {
            while journal::gate(ctx.session_id())
                .try_acquire()
                .map(|permit| permit.forget())
                .is_err()
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        }
        Ask::Undo(to) => {
            ctx.send(Answer::Said(666));
            ctx.set_timer("undone", Duration::ZERO);
            ctx.register_key("undone");
            ctx.send_to_local_session(to, &666_u64);
            Err(std::io::Error::other("asked to fail").into())
        }
        Ask::BlockPanic => ctx.blocking(|| panic!("asked to panic elsewhere")).await,
        Ask::Block(number) => {
            let number = ctx.blocking(move || number * 2).await?;
            ctx.send(Answer::Said(number));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A configuration for tests: free ports, two workers, no rate limit.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listen.http = vec!["127.0.0.1:0".parse().unwrap()];
    config.listen.link = vec!["127.0.0.1:0".parse().unwrap()];
    config.admin.listen = Vec::new();
    config.node.workers = 2;
    config.session.messages_per_second = 0;
    config.session.bytes_per_second = 0;
    config
}

/// What a node with these games is made of.
pub(crate) fn builder(change: impl FnOnce(&mut Config)) -> NodeBuilder {
    let mut config = config();
    change(&mut config);
    let builder = Node::builder(config).sessions::<Parrot>().sessions::<Careful>();
    let builder = builder.sessions::<Pigeon>();
    builder.sessions::<Tin>().sessions::<Sore<false>>().sessions::<Sore<true>>()
}

/// A node with these games, and some settings changed.
pub(crate) fn node(change: impl FnOnce(&mut Config)) -> RunningNode {
    builder(change).start().unwrap()
}
