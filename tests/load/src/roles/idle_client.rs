//! Clients that connect and only heartbeat, on our side or on bare sockets.

use std::cell::Cell;
use std::rc::Rc;

use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::error::Error;
use crate::idle::Idlers;
use crate::parent::{self, json};
use crate::roles::drive::EchoEnd;
use crate::roles::worker::{Desk, Worker};

/// Clients that connect at once: enough to keep the server busy, few enough for any listen queue.
const CONNECTING_MAX: usize = 64;

/// What idle clients are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where the server is: `host:port`, or a URL.
    #[arg(long)]
    target: String,
    #[arg(long)]
    sessions: u64,
}

/// Connects the clients and answers the parent.
pub(crate) fn drive<E: EchoEnd>(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| stay::<E>(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

async fn stay<E: EchoEnd>(options: Options, mut desk: Desk<Idlers>) -> Result<(), Error> {
    let idlers = Rc::new(Cell::new(Idlers::default()));
    let doors = Rc::new(Semaphore::new(CONNECTING_MAX));
    let mut connecting = JoinSet::new();
    for _ in 0..options.sessions {
        let (target, doors) = (options.target.clone(), Rc::clone(&doors));
        connecting.spawn_local(async move {
            let _door = doors.acquire().await;
            E::connect(&target).await
        });
    }
    while let Some(connected) = connecting.join_next().await {
        let failed = |error: JoinError| Error::Client { what: "connect", why: error.to_string() };
        let mut end = connected.map_err(failed)??;
        let idlers = Rc::clone(&idlers);
        tokio::task::spawn_local(async move {
            while !end.idle().await {
                let counted = idlers.get();
                idlers.set(Idlers { repairs: counted.repairs + 1, ..counted });
            }
            let counted = idlers.get();
            idlers.set(Idlers { ended: counted.ended + 1, ..counted });
        });
    }
    desk.say(idlers.get())?;
    while desk.next().await.is_some() {
        desk.say(idlers.get())?;
    }
    Ok(())
}
