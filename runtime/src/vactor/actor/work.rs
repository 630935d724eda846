//! What a VActor is asked, and how it answers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use throughline_cluster::RecordId;
use throughline_link::Instant;
use tokio::sync::oneshot;

use super::super::{Activation, AskError, Payload, Rejection, table::MessageOf, wire::Reply};
use crate::{peers::Answerer, queues::Loss};

/// A message that waits for its turn.
#[derive(Debug)]
pub(in crate::vactor) struct Work {
    pub(in crate::vactor) message: MessageOf,
    pub(in crate::vactor) payload: Payload,
    pub(in crate::vactor) replier: Replier,
    /// When it is not to begin any more.
    pub(in crate::vactor) until: Instant,
    /// Who waits for it, the first one first.
    pub(in crate::vactor) chain: Vec<RecordId>,
}

/// What waits for its turn.
#[derive(Debug)]
pub(super) enum Input {
    Activated(Activation),
    Work(Work),
    PeerLost(Box<Loss>),
}

/// Who waits for a reply.
#[derive(Debug)]
pub(in crate::vactor) enum Replier {
    /// Somebody of this process.
    Here(oneshot::Sender<Result<Payload, Failure>>),
    /// Another node.
    There(Answerer),
    /// It was a tell.
    Nobody,
}

/// Why there is no reply.
#[derive(Debug)]
pub(in crate::vactor) enum Failure {
    Ask(AskError),
    /// It was not run: the VActor has left. The message comes back.
    NotHere(Payload),
}

impl Replier {
    pub(in crate::vactor) fn reply(self, result: Result<Payload, Failure>) {
        match self {
            Self::Here(waiting) => {
                // Who asked may have given up.
                let _ = waiting.send(result);
            }
            Self::There(answerer) => {
                answerer.answer(match result {
                    // It has run: that its reply cannot be written must not say otherwise.
                    Ok(payload) => catch_unwind(AssertUnwindSafe(|| Reply::done(&payload)))
                        .ok()
                        .and_then(Result::ok)
                        .unwrap_or_else(|| Reply::Failed(AskError::Unknown).encode()),
                    Err(Failure::Ask(error)) => Reply::Failed(error).encode(),
                    Err(Failure::NotHere(_)) => Reply::NotHere.encode(),
                });
            }
            Self::Nobody => {}
        }
    }

    pub(super) fn reject(self, why: Rejection) {
        self.reply(Err(Failure::Ask(why.into())));
    }

    pub(super) const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}
