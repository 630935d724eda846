//! Who tells, and who is told.

use std::ops::Range;

use throughline_vactor::prelude::*;

#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    number: u32,
}

impl Message for Note {
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
pub(super) struct Noted {}

impl Message for Noted {
    type Reply = Heard;
}

/// What a listener was told, in order, and how often it has begun.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) numbers: Vec<u32>,
    pub(super) begun: u32,
}

pub(super) struct Listener(Heard);

messages! { Listener { "note" => Note, "noted" => read Noted } }

impl VActor for Listener {
    const KIND: &'static str = "listener";
    const DURABILITY: Durability = Durability::OnSwapOut;
    const IDLE: Duration = Duration::from_secs(10);
    type State = Heard;

    fn new(_: &str, heard: Heard) -> Self {
        Self(heard)
    }

    fn state(&self) -> &Heard {
        &self.0
    }

    async fn activated(&mut self, _: Activation, _: &mut Context<Self>) -> Outcome {
        self.0.begun += 1;
        Ok(())
    }
}

impl Handle<Note> for Listener {
    async fn handle(&mut self, note: Note, _: &mut Context<Self>) -> Outcome {
        // Some more wait meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.0.numbers.push(note.number);
        Ok(())
    }
}

impl Read<Noted> for Listener {
    async fn read(&self, _: Noted, _: &ReadContext) -> Result<Heard, HandlerError> {
        Ok(self.0.clone())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ends {
    Well,
    Fails,
    Panics,
}

/// Tells the listener these numbers, and then takes so long.
#[derive(Serialize, Deserialize)]
pub(super) struct Talk {
    pub(super) numbers: Range<u32>,
    pub(super) ms: u64,
    pub(super) ends: Ends,
}

impl Message for Talk {
    type Reply = ();
}

async fn talk<V: VActor>(talk: Talk, ctx: &mut Context<V>) -> Outcome {
    for number in talk.numbers {
        ctx.tell(&Listener::at("l"), Note { number });
    }
    tokio::time::sleep(Duration::from_millis(talk.ms)).await;
    assert!(talk.ends != Ends::Panics, "it was to panic");
    if talk.ends == Ends::Fails { Err(HandlerError::new("it was to fail")) } else { Ok(()) }
}

/// The kinds of those who tell.
macro_rules! teller {
    ($name:ident, $kind:literal, $durability:ident) => {
        pub(super) struct $name;

        messages! { $name { "talk" => Talk } }

        impl VActor for $name {
            const KIND: &'static str = $kind;
            const DURABILITY: Durability = Durability::$durability;
            type State = ();

            fn new(_: &str, (): ()) -> Self {
                Self
            }

            fn state(&self) -> &() {
                &()
            }
        }

        impl Handle<Talk> for $name {
            async fn handle(&mut self, message: Talk, ctx: &mut Context<Self>) -> Outcome {
                talk(message, ctx).await
            }
        }
    };
}

teller!(Talker, "talker", OnSwapOut);
teller!(Scribe, "scribe", EveryTurn);
