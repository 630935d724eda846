//! The limit of asks within a process: plain actix, the asker on one thread, the actor on another.

use actix::{Actor, Addr, Arbiter, Handler, System};
use clap::Args;

use crate::error::Error;
use crate::parent::{self, json};
use crate::roles::asks::{self, Asked};
use crate::roles::counter::{Add, Added, Counted};
use crate::roles::worker::Worker;

/// Places of the actor's mailbox: as many as a VActor has.
const MAILBOX: usize = 1_024;

/// What the asker is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Asks in flight.
    #[arg(long)]
    window: u64,
}

struct Counter(Counted);

impl Actor for Counter {
    type Context = actix::Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

struct AddTo(Add);

impl actix::Message for AddTo {
    type Result = Result<Added, ()>;
}

struct Total;

impl actix::Message for Total {
    type Result = Result<(u64, u64), ()>;
}

impl Handler<AddTo> for Counter {
    type Result = Result<Added, ()>;

    fn handle(&mut self, AddTo(add): AddTo, _: &mut Self::Context) -> Self::Result {
        Ok(self.0.add(add))
    }
}

impl Handler<Total> for Counter {
    type Result = Result<(u64, u64), ()>;

    fn handle(&mut self, _: Total, _: &mut Self::Context) -> Self::Result {
        Ok((self.0.count, self.0.sum))
    }
}

impl Asked for Addr<Counter> {
    const ARE_NEW: bool = false;

    async fn add(&self, number: u64) -> Result<Added, String> {
        let sent = self.send(AddTo(Add { number })).await;
        sent.map_err(|error| error.to_string())?.map_err(|()| "no reply".to_owned())
    }

    async fn total(&self, _: u64) -> Result<Counted, String> {
        let sent = self.send(Total).await.map_err(|error| error.to_string())?;
        let (count, sum) = sent.map_err(|()| "no reply".to_owned())?;
        Ok(Counted { count, sum })
    }
}

/// Asks until the parent is gone.
pub(crate) fn drive(options: &Options) -> Result<(), Error> {
    // Arbiters want a system, which has this thread; it does nothing.
    let _system = System::new();
    let arbiter = Arbiter::new();
    let start = |_: &mut actix::Context<Counter>| Counter(Counted::default());
    let counter = Counter::start_in_arbiter(&arbiter.handle(), start);
    let window = options.window;
    let worker = Worker::start(move |desk| asks::work(counter, window, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}
