//! A client of the echo session, as a game would write it: `throughline-client` and nothing below
//! it.

use throughline_client::{Client, Event, Options};

use crate::error::Error;
use crate::roles::drive::{EchoEnd, Talk};
use crate::roles::node::ECHO;

/// One session of the echo.
#[derive(Debug)]
pub(crate) struct EchoClient {
    client: Client,
}

impl EchoClient {
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

impl EchoEnd for EchoClient {
    async fn connect(target: &str) -> Result<Self, Error> {
        let options = Options::new([target]).kind(ECHO);
        let connected = Client::connect(options).await;
        let failed = |error: throughline_client::ConnectError| Error::Client {
            what: "connect",
            why: error.to_string(),
        };
        Ok(Self { client: connected.map_err(failed)? })
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
