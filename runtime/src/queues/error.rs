//! Why a durable message was not staged, or not sent.

use throughline_cluster::TooLong;
use throughline_queue::{EnqueueError, Full, NameError, PayloadError, ReadError};

use crate::codec::EncodeError;

/// Why a durable message is not on its way. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendReliableError {
    /// It cannot be encoded. The caller's fault.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It is longer than a message of a queue may be. The caller's fault.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// No session or VActor can have this name. The caller's fault.
    #[error(transparent)]
    Name(#[from] TooLong),
    /// No queue can have this name. The caller's fault.
    #[error(transparent)]
    QueueName(#[from] NameError),
    /// The name of a group has 0 bytes, or more than 64. The caller's fault.
    #[error("the name of a group has {bytes} bytes, where 1 to 64 are taken")]
    GroupName {
        /// Its length.
        bytes: usize,
    },
    /// The receiver's queue, or all queues together, hold as much as they may. Retrying helps once
    /// the receiver has handled something.
    #[error(transparent)]
    Full(#[from] Full),
    /// One turn stages more than fits into its commit. The caller's fault.
    #[error("a turn sends more than {messages} reliable messages, or {bytes} bytes of them")]
    TooMuch {
        /// The most messages of one turn.
        messages: usize,
        /// The most bytes of one turn.
        bytes: usize,
    },
    /// What is in the queue, or who is in the group, cannot be read. Retrying helps where the store
    /// says so.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// The enqueue of somebody outside any session was not made, or its outcome is unknown.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The node has no means to enqueue from outside any session: its producer could not be opened,
    /// or it is stopping. Retrying may help.
    #[error("this node cannot enqueue now: {0}")]
    NoProducer(String),
}
