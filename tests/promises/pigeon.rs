//! A session kind that sends durable messages, joins groups, and tells what it got.

use std::time::Duration;

use throughline::prelude::*;
use throughline::{Address, EndReason, QueuedMessage};
use throughline_client::{Options, TestClient};

use crate::{cluster::Cluster, journal, player, watch};

/// A queued message of this number waits at its receiver's gate.
pub(crate) const GATE: u64 = 1_000_000;

/// Lasts longer than a test.
pub(crate) const LONG: u64 = 600_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pigeon {
    heir: Option<SessionId>,
    /// Who is sent 14 when it leaves a node, and 15 when it has come to one.
    friend: Option<SessionId>,
    got: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum To {
    Id(SessionId),
    Key(String),
}

impl From<To> for Address {
    fn from(to: To) -> Self {
        match to {
            To::Id(id) => id.into(),
            To::Key(key) => key.into(),
        }
    }
}

/// What a client asks for. Each is answered with one [`Fact`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Do {
    /// Sends this number, which lasts so many milliseconds.
    Send(To, u64, u64),
    /// The same, with as many bytes of padding.
    SendBig(To, u64, usize),
    /// Numbers from the first to the one before the second, in one turn.
    SendMany(To, u64, u64),
    /// Sends this number durably to the first and at once to the second, in one turn.
    SendBoth(SessionId, SessionId, u64),
    SendAndFail(To, u64),
    SendAndEnd(To, u64),
    /// Waits at the session's gate, then sends.
    SendBehindGate(To, u64),
    /// Who is sent 13 when it is destroyed.
    Heir(SessionId),
    Friend(SessionId),
    Key(String),
    Join(String),
    JoinAndFail(String),
    Leave(String),
    /// Leaves one group and joins another, in one turn.
    Change(String, String),
    Groups,
    /// To a group, best effort.
    Say(String, u64),
    /// To each member of a group, durably.
    Tell(String, u64),
    Locate(String),
    /// How many queued messages it has handled.
    Count,
    Ping,
}

/// What a client hears.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Fact {
    Ready,
    Done,
    /// A queued message.
    Got(Option<SessionId>, u64),
    /// A message of another session.
    Heard(SessionId, u64),
    Failed(String),
    Text(String),
    Number(u64),
}

fn error_name(error: &throughline::SendReliableError) -> &'static str {
    match error {
        throughline::SendReliableError::Full(_) => "full",
        throughline::SendReliableError::TooMuch { .. } => "too much",
        throughline::SendReliableError::Payload(_) => "too large",
        _ => "other",
    }
}

impl Session for Pigeon {
    const KIND: &'static str = "pigeon";
    const CODEC: Codec = Codec::Json;
    type In = Do;
    type Out = Fact;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { heir: None, friend: None, got: 0 })
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(Fact::Ready);
        Ok(())
    }

    async fn message(&mut self, order: Do, ctx: &mut Context<Self>) -> Outcome {
        let long = Duration::from_millis(LONG);
        let sent = match order {
            Do::Send(to, number, ttl) => {
                ctx.send_reliable(to, &(number, ""), Duration::from_millis(ttl)).await
            }
            Do::SendBig(to, number, bytes) => {
                ctx.send_reliable(to, &(number, "x".repeat(bytes)), long).await
            }
            Do::SendMany(to, first, end) => {
                let mut sent = Ok(());
                for number in first..end {
                    sent = sent.and(ctx.send_reliable(to.clone(), &(number, ""), long).await);
                }
                sent
            }
            Do::SendBoth(durably, at_once, number) => {
                ctx.send_to_session(at_once, &number);
                ctx.send_reliable(durably, &(number, ""), long).await
            }
            Do::SendAndFail(to, number) => {
                ctx.send_reliable(to, &(number, ""), long).await?;
                return Err(HandlerError::new("asked to fail"));
            }
            Do::SendBehindGate(to, number) => {
                journal::note(ctx.session_id(), "at the gate");
                journal::gate(ctx.session_id()).acquire().await?.forget();
                ctx.send_reliable(to, &(number, ""), long).await
            }
            Do::SendAndEnd(to, number) => {
                ctx.end();
                ctx.send_reliable(to, &(number, ""), long).await
            }
            other => return self.other(other, ctx).await,
        };
        ctx.send(match sent {
            Ok(()) => Fact::Done,
            Err(error) => Fact::Failed(error_name(&error).to_owned()),
        });
        Ok(())
    }

    async fn queued(&mut self, message: QueuedMessage, ctx: &mut Context<Self>) -> Outcome {
        let (number, _): (u64, String) = message.decode()?;
        journal::note(ctx.session_id(), format!("queued {number}"));
        if number == GATE {
            journal::gate(ctx.session_id()).acquire().await?.forget();
        }
        self.got += 1;
        let from = match message.from() {
            Some(Address::Session(id)) => Some(*id),
            _ => None,
        };
        ctx.send(Fact::Got(from, number));
        Ok(())
    }

    async fn server_message(&mut self, message: ServerMessage, ctx: &mut Context<Self>) -> Outcome {
        let number: u64 = message.decode()?;
        journal::note(ctx.session_id(), format!("heard {number}"));
        ctx.send(Fact::Heard(message.from(), number));
        Ok(())
    }

    async fn swap_out(&mut self, ctx: &mut Context<Self>) -> Outcome {
        if let Some(friend) = self.friend {
            ctx.send_reliable(friend, &(14, ""), Duration::from_millis(LONG)).await?;
        }
        Ok(())
    }

    async fn restored(&mut self, ctx: &mut Context<Self>) -> Outcome {
        if let Some(friend) = self.friend {
            ctx.send_reliable(friend, &(15, ""), Duration::from_millis(LONG)).await?;
        }
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        if let Some(heir) = self.heir {
            ctx.send_reliable(heir, &(13, ""), Duration::from_millis(LONG)).await?;
        }
        journal::note(ctx.session_id(), format!("destroyed {reason:?}"));
        Ok(())
    }
}

impl Pigeon {
    async fn other(&mut self, order: Do, ctx: &mut Context<Self>) -> Outcome {
        match order {
            Do::Heir(heir) => self.heir = Some(heir),
            Do::Friend(friend) => self.friend = Some(friend),
            Do::Key(key) => ctx.register_key(&key),
            Do::Join(group) => ctx.join(&group),
            Do::Change(from, to) => {
                ctx.leave(&from);
                ctx.join(&to);
            }
            Do::JoinAndFail(group) => {
                ctx.join(&group);
                return Err(HandlerError::new("asked to fail"));
            }
            Do::Leave(group) => ctx.leave(&group),
            Do::Groups => return tell(ctx, Fact::Text(ctx.groups().join(","))),
            Do::Say(group, number) => ctx.send_to_group(&group, &number),
            Do::Tell(group, number) => {
                let ttl = Duration::from_millis(LONG);
                let sent = ctx.send_reliable_to_group(&group, &(number, ""), ttl).await?;
                return tell(ctx, Fact::Number(sent as u64));
            }
            Do::Locate(key) => {
                let location = ctx.locate(&key).await?;
                return tell(ctx, Fact::Text(location.to_string()));
            }
            Do::Count => return tell(ctx, Fact::Number(self.got)),
            _ => {}
        }
        tell(ctx, Fact::Done)
    }
}

fn tell(ctx: &mut Context<Pigeon>, fact: Fact) -> Outcome {
    ctx.send(fact);
    Ok(())
}

/// How a pigeon's client comes in.
pub(crate) fn options(cluster: &Cluster, node: u32, name: &str) -> Options {
    player::options(cluster.at(node), name).kind("pigeon")
}

/// A pigeon that has begun on this node.
pub(crate) async fn join(cluster: &Cluster, node: u32, name: &str) -> TestClient {
    let connected = TestClient::connect(options(cluster, node, name));
    let mut client = watch::soon("a connection", connected).await.unwrap();
    client.expect(|fact: &Fact| *fact == Fact::Ready).await.unwrap();
    client
}

/// One that has registered its key, too.
pub(crate) async fn join_keyed(cluster: &Cluster, node: u32, name: &str) -> TestClient {
    let mut client = join(cluster, node, name).await;
    done(&mut client, Do::Key(name.to_owned())).await;
    client
}

/// The next fact that is not a message of others.
pub(crate) async fn answer(client: &mut TestClient, order: Do) -> Fact {
    client.send(&order).await.unwrap();
    let own = |fact: &Fact| !matches!(fact, Fact::Got(..) | Fact::Heard(..));
    client.expect(own).await.unwrap()
}

/// That it was done.
pub(crate) async fn done(client: &mut TestClient, order: Do) {
    let answered = answer(client, order.clone()).await;
    assert_eq!(answered, Fact::Done, "{order:?}");
}

/// The next queued message; what else comes is skipped.
pub(crate) async fn got(client: &mut TestClient) -> (Option<SessionId>, u64) {
    match client.expect(|fact| matches!(fact, Fact::Got(..))).await.unwrap() {
        Fact::Got(from, number) => (from, number),
        other => unreachable!("expected above: {other:?}"),
    }
}

/// What a group said; what else comes is skipped.
pub(crate) async fn heard(client: &mut TestClient) -> u64 {
    match client.expect(|fact| matches!(fact, Fact::Heard(..))).await.unwrap() {
        Fact::Heard(_, number) => number,
        other => unreachable!("expected above: {other:?}"),
    }
}

/// How often it was given a message of this number, on whichever node.
pub(crate) fn queued(id: SessionId, number: u64) -> usize {
    journal::count(id, &format!("queued {number}"))
}
