//! A client of the echo session, as a game would write it: `throughline-client` and nothing below
//! it.

use std::marker::PhantomData;

use throughline::Session;
use throughline_client::{Client, Event, Options};
use tokio::time::sleep_until;

use crate::error::Error;
use crate::roles::drive::{EchoEnd, Talk};

/// One session of a kind that answers with what it is told.
#[derive(Debug)]
pub(crate) struct EchoClient<S> {
    client: Client,
    kind: PhantomData<fn() -> S>,
}

impl<S> EchoClient<S> {
    async fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        let sent = self.client.send(message).await;
        sent.map_err(|error| Error::Client { what: "send", why: error.to_string() })
    }

    async fn handle(&mut self, talk: &mut Talk, event: Event) -> Result<(), Error> {
        match event {
            Event::Message(answer) => {
                if let Some(message) = talk.next(&answer) {
                    self.send(message).await?;
                }
            }
            Event::RepairFailed => self.client.retry(),
            Event::Ended(code, text) => {
                let why = format!("the session ended: {code} {text}");
                return Err(Error::Client { what: "play on", why });
            }
            _ => {}
        }
        Ok(())
    }
}

impl<S: Session> EchoEnd for EchoClient<S> {
    async fn connect(target: &str) -> Result<Self, Error> {
        let options = Options::new([target]).kind(S::KIND);
        let connected = Client::connect(options).await;
        let failed = |error: throughline_client::ConnectError| Error::Client {
            what: "connect",
            why: error.to_string(),
        };
        Ok(Self { client: connected.map_err(failed)?, kind: PhantomData })
    }

    async fn slice(&mut self, talk: &mut Talk) -> Result<(), Error> {
        for _ in 0..talk.window {
            let message = talk.first();
            self.send(message).await?;
        }
        while talk.in_flight > 0 {
            let mut event = Some(self.client.next().await);
            // Then what came with it: answers are taken as they come, and theirs go out together.
            while let Some(happened) = event {
                self.handle(talk, happened).await?;
                event = self.client.try_next();
            }
        }
        Ok(())
    }

    async fn paced(&mut self, talk: &mut Talk) -> Result<(), Error> {
        loop {
            let due = talk.due();
            if due.is_none() && talk.in_flight == 0 {
                return Ok(());
            }
            let at = due.unwrap_or_else(std::time::Instant::now).into();
            tokio::select! {
                event = self.client.next() => {
                    let mut event = Some(event);
                    while let Some(happened) = event {
                        self.handle(talk, happened).await?;
                        event = self.client.try_next();
                    }
                }
                () = sleep_until(at), if due.is_some() => {
                    self.send(talk.say()).await?;
                }
            }
        }
    }

    async fn idle(&mut self) -> bool {
        loop {
            match self.client.next().await {
                Event::Repaired { .. } => return false,
                Event::RepairFailed => self.client.retry(),
                Event::Ended(..) => return true,
                _ => {}
            }
        }
    }
}
