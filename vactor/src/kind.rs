//! A kind with its types erased, as the runtime hosts it.

use std::cell::RefCell;
use std::rc::Rc;

use throughline::vactor::{
    Instance, Job, Kind, Mode, Payload, Settings, Stage, TurnFuture, Unreadable,
};
use throughline::{Codec, HandlerError};

use crate::{Context, Handle, Message, MessageList, Read, ReadContext, VActor};

/// Runs one message of a kind.
pub(crate) struct Entry<V: VActor> {
    run: fn(Rc<RefCell<V>>, Payload, Rc<Stage>) -> TurnFuture,
}

impl<V: VActor> Entry<V> {
    pub(crate) fn turn<M: Message>() -> Self
    where
        V: Handle<M>,
    {
        Self { run: |actor, payload, stage| Box::pin(handle::<V, M>(actor, payload, stage)) }
    }

    pub(crate) fn read<M: Message>() -> Self
    where
        V: Read<M>,
    {
        Self { run: |actor, payload, stage| Box::pin(read::<V, M>(actor, payload, stage)) }
    }
}

/// The host runs a turn alone, so nobody else borrows meanwhile.
const ALONE: &str = "another turn runs";

#[allow(clippy::await_holding_refcell_ref, reason = "the host runs no two turns at once")]
async fn handle<V: Handle<M>, M: Message>(
    actor: Rc<RefCell<V>>,
    payload: Payload,
    stage: Rc<Stage>,
) -> Result<Option<Payload>, HandlerError> {
    let message = payload.take::<M>().map_err(Unreadable)?;
    let mut actor = actor.try_borrow_mut().map_err(|_| HandlerError::new(ALONE))?;
    let reply = actor.handle(message, &mut Context::new(stage)).await?;
    Ok(Some(Payload::Here(Box::new(reply))))
}

#[allow(clippy::await_holding_refcell_ref, reason = "the host runs no turn beside a read")]
async fn read<V: Read<M>, M: Message>(
    actor: Rc<RefCell<V>>,
    payload: Payload,
    stage: Rc<Stage>,
) -> Result<Option<Payload>, HandlerError> {
    let message = payload.take::<M>().map_err(Unreadable)?;
    let actor = actor.try_borrow().map_err(|_| HandlerError::new(ALONE))?;
    let reply = actor.read(message, &ReadContext::new(stage)).await?;
    Ok(Some(Payload::Here(Box::new(reply))))
}

#[allow(clippy::await_holding_refcell_ref, reason = "the host runs no two turns at once")]
async fn hook<V: VActor>(
    actor: Rc<RefCell<V>>,
    job: Job,
    stage: Rc<Stage>,
) -> Result<Option<Payload>, HandlerError> {
    let mut actor = actor.try_borrow_mut().map_err(|_| HandlerError::new(ALONE))?;
    let mut ctx = Context::new(stage);
    match job {
        Job::Activated(why) => actor.activated(why, &mut ctx).await?,
        Job::Deactivating(why) => actor.deactivating(why, &mut ctx).await?,
        Job::Reminded(name) => actor.reminded(&name, &mut ctx).await?,
        Job::PeerLost(lost) => actor.peer_lost(lost, &mut ctx).await?,
        // Turns of messages have futures of their own.
        Job::Message(..) => {}
    }
    Ok(None)
}

/// The kind of `V`.
pub(crate) struct Of<V: VActor> {
    list: Entries<V>,
    names: Vec<(&'static str, Mode)>,
}

/// The entries are shared with every instance, on every worker.
type Entries<V> = std::sync::Arc<Vec<Entry<V>>>;

impl<V: VActor> Of<V> {
    pub(crate) fn new() -> Self {
        let MessageList { names, entries } = MessageList::of_kind();
        Self { list: entries.into(), names }
    }
}

impl<V: VActor> Kind for Of<V> {
    fn settings(&self) -> Settings {
        Settings {
            kind: V::KIND,
            state_version: V::STATE_VERSION,
            oldest_version: V::OLDEST_VERSION,
            durability: V::DURABILITY,
            placement: V::PLACEMENT,
            idle: V::IDLE,
            active_max: V::ACTIVE_MAX,
            keep_copy: V::KEEP_COPY,
        }
    }

    fn messages(&self) -> &[(&'static str, Mode)] {
        &self.names
    }

    fn make(
        &self,
        stage: &Rc<Stage>,
        state: Option<(&[u8], u32)>,
    ) -> Result<Box<dyn Instance>, HandlerError> {
        let state = match state {
            None => V::State::default(),
            Some((bytes, version)) if version == V::STATE_VERSION => Codec::Cbor.decode(bytes)?,
            Some((bytes, version)) => V::migrate(version, bytes)?,
        };
        let actor = V::new(stage.key(), state);
        Ok(Box::new(One {
            actor: Rc::new(RefCell::new(actor)),
            list: std::sync::Arc::clone(&self.list),
            stage: Rc::clone(stage),
        }))
    }
}

/// One in memory.
struct One<V: VActor> {
    actor: Rc<RefCell<V>>,
    list: Entries<V>,
    stage: Rc<Stage>,
}

impl<V: VActor> One<V> {
    fn run(&self, message: usize, payload: Payload) -> TurnFuture {
        match self.list.get(message) {
            Some(entry) => (entry.run)(Rc::clone(&self.actor), payload, Rc::clone(&self.stage)),
            None => Box::pin(async { Err(HandlerError::new("no such message")) }),
        }
    }
}

impl<V: VActor> Instance for One<V> {
    fn turn(&self, job: Job) -> TurnFuture {
        match job {
            Job::Message(message, payload) => self.run(message, payload),
            job => Box::pin(hook(Rc::clone(&self.actor), job, Rc::clone(&self.stage))),
        }
    }

    fn read(&self, message: usize, payload: Payload) -> TurnFuture {
        self.run(message, payload)
    }

    fn write(&self, version: u32, out: &mut Vec<u8>) -> Result<u32, HandlerError> {
        let actor = self.actor.try_borrow().map_err(|_| HandlerError::new(ALONE))?;
        if version < V::STATE_VERSION
            && let Some(bytes) = actor.downgrade(version)
        {
            out.extend_from_slice(&bytes);
            return Ok(version);
        }
        Codec::Cbor.encode(actor.state(), out)?;
        Ok(V::STATE_VERSION)
    }
}
