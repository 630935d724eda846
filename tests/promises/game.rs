//! The game that the promise tests play: it echoes, counts, and fails when asked to.

use std::time::Duration;

use throughline::prelude::*;
use throughline::{Config, RunningNode};

/// Remembers what it was told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parrot {
    pub(crate) name: String,
    pub(crate) heard: u64,
}

/// What a client asks for.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Ask {
    Say(u64),
    End,
    Panic,
    Fail,
    Hang,
    Block(u64),
    Flood(u64),
    Timer(u64),
    Tell(SessionId, u64),
    Key(String),
    Simulate(u64),
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Answer {
    Said(u64),
    Started(String),
    Told(SessionId, u64),
    Undelivered(SessionId),
    Ticked(String),
    Refused(String),
    Lost,
}

impl Session for Parrot {
    const KIND: &'static str = "parrot";
    const CODEC: Codec = Codec::Json;
    type In = Ask;
    type Out = Answer;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        match login.text()? {
            "nobody" => Err(Refusal::new(7, "nobody may not play")),
            "later" => Err(Refusal::retry_after("not now", Duration::from_millis(50))),
            "panic" => panic!("the login was asked to panic"),
            name => Ok(Self { name: name.to_owned(), heard: 0 }),
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
            Ask::End => ctx.end(),
            Ask::Panic => panic!("asked to panic"),
            Ask::Fail => {
                ctx.send(Answer::Said(0));
                return Err(std::io::Error::other("asked to fail").into());
            }
            Ask::Hang => std::future::pending().await,
            Ask::Block(number) => {
                let number = ctx.blocking(move || number * 2).await?;
                ctx.send(Answer::Said(number));
            }
            Ask::Flood(count) => (0..count).for_each(|number| ctx.send(Answer::Said(number))),
            Ask::Timer(ms) => ctx.set_timer("once", Duration::from_millis(ms)),
            Ask::Tell(to, number) => ctx.send_to_local_session(to, &number),
            Ask::Key(key) => ctx.register_key(&key),
            Ask::Simulate(ms) => {
                if let Err(error) = ctx.simulate_link(Duration::from_millis(ms), 0.0) {
                    ctx.send(Answer::Refused(error.to_string()));
                }
            }
        }
        Ok(())
    }

    async fn server_message(&mut self, message: ServerMessage, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Answer::Told(message.from(), message.decode()?));
        Ok(())
    }

    async fn undelivered(
        &mut self,
        to: SessionId,
        _why: Undelivered,
        ctx: &mut Context<Self>,
    ) -> Outcome {
        ctx.send(Answer::Undelivered(to));
        Ok(())
    }

    async fn timer(&mut self, name: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Answer::Ticked(name.to_owned()));
        Ok(())
    }
}

/// A configuration for tests: free ports, two workers, short times.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listen.http = vec!["127.0.0.1:0".parse().unwrap()];
    config.listen.link = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    config.node.workers = 2;
    config.session.messages_per_second = 0;
    config.session.bytes_per_second = 0;
    config
}

/// A node with this game.
pub(crate) fn node(config: Config) -> RunningNode {
    Node::builder(config).sessions::<Parrot>().start().unwrap()
}
