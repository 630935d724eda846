//! More session kinds: one that keeps copies of its state, one that speaks CBOR, one that cannot
//! even be dropped.

use throughline::EndReason;
use throughline::prelude::*;

use crate::journal;

/// Adds up numbers; its state is put back after a turn that failed. What is 13 makes it panic after
/// it has changed the state and sent something; what is 14 does so the first time only.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Careful {
    sum: u64,
}

impl Session for Careful {
    const KIND: &'static str = "careful";
    const CODEC: Codec = Codec::Json;
    const KEEP_COPY: bool = true;
    type In = u64;
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { sum: 0 })
    }

    async fn message(&mut self, number: u64, ctx: &mut Context<Self>) -> Outcome {
        let id = ctx.session_id();
        journal::note(id, format!("tried {number} at {}", self.sum));
        self.sum += number;
        ctx.send(self.sum);
        let is_first = journal::count(id, &format!("tried {number} at {}", self.sum - number)) == 1;
        match number {
            13 => panic!("13 is never taken"),
            14 if is_first => Err(std::io::Error::other("not the first time").into()),
            15 if is_first => std::future::pending().await,
            _ => Ok(()),
        }
    }

    async fn destroyed(&mut self, reason: EndReason, ctx: &mut Context<Self>) -> Outcome {
        journal::note(ctx.session_id(), format!("destroyed {reason:?}"));
        Ok(())
    }
}

/// A tree of any depth: what bombs are made for.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Tree(pub(crate) Vec<Self>);

/// Speaks CBOR; counts what it cannot read instead of ending.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tin {
    /// Whether it answers what it cannot read.
    is_patient: bool,
}

impl Session for Tin {
    const KIND: &'static str = "tin";
    type In = Tree;
    type Out = String;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { is_patient: login.text()? == "patient" })
    }

    async fn message(&mut self, tree: Tree, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(format!("{} branches", tree.0.len()));
        Ok(())
    }

    async fn malformed(&mut self, _: DecodeError, ctx: &mut Context<Self>) -> Outcome {
        if self.is_patient {
            ctx.send("unreadable".to_owned());
        } else {
            ctx.end_with(EndReason::BadMessage);
        }
        Ok(())
    }
}

/// Its state panics when it is dropped. It answers each number with itself; 0 ends it, and what is
/// 13 makes it panic in a turn, too.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sore<const COPY: bool> {
    heard: u64,
}

impl<const COPY: bool> Session for Sore<COPY> {
    const KIND: &'static str = if COPY { "sore-copy" } else { "sore" };
    const CODEC: Codec = Codec::Json;
    const KEEP_COPY: bool = COPY;
    type In = u64;
    type Out = u64;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self { heard: 0 })
    }

    async fn message(&mut self, number: u64, ctx: &mut Context<Self>) -> Outcome {
        self.heard += 1;
        ctx.send(number);
        match number {
            0 => ctx.end(),
            13 => panic!("asked to panic"),
            _ => {}
        }
        Ok(())
    }
}

impl<const COPY: bool> Drop for Sore<COPY> {
    fn drop(&mut self) {
        panic!("asked to panic when it is dropped, after {}", self.heard)
    }
}
