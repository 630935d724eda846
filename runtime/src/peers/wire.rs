//! Every number of the protocol between nodes. Retired ones stay listed.

/// The first bytes of a connection, from the node that dialed.
pub(crate) const MAGIC: [u8; 4] = *b"TLPN";
/// The oldest version that this node speaks.
pub(crate) const VERSION_MIN: u8 = 1;
/// The newest version that this node speaks.
pub(crate) const VERSION_MAX: u8 = 1;

/// What the proof of the node that dialed begins with, so that neither side can be made to answer
/// the other's.
pub(crate) const DIALER_LABEL: &[u8] = b"throughline peers 1, dialer";
/// What the proof of the node that accepted begins with.
pub(crate) const ACCEPTOR_LABEL: &[u8] = b"throughline peers 1, acceptor";

/// Dialer: the versions it speaks, and its nonce.
pub(crate) const HELLO: u8 = 0x01;
/// Acceptor: the version chosen, and its nonce.
pub(crate) const CHALLENGE: u8 = 0x02;
/// Dialer: who it is, whom it wants, and that it knows the secret.
pub(crate) const PROOF: u8 = 0x03;
/// Acceptor: that it is this one, and knows the secret, too. Calls may follow.
pub(crate) const WELCOME: u8 = 0x04;
/// Acceptor: why not; the connection then closes.
pub(crate) const REFUSED: u8 = 0x05;

/// Dialer: a call.
pub(crate) const CALL: u8 = 0x10;
/// Dialer: a one-way message.
pub(crate) const TELL: u8 = 0x11;
/// Dialer: it lives.
pub(crate) const PING: u8 = 0x12;

/// Acceptor: the answer to a call.
pub(crate) const ANSWER: u8 = 0x20;
/// Acceptor: a call has no answer.
pub(crate) const FAILED: u8 = 0x21;
/// Acceptor: it lives, and its clock.
pub(crate) const ALIVE: u8 = 0x22;

/// Acceptor, its last frame: the number of the last call that was begun. Later ones never are. A
/// node that does not know it takes the end of the connection for a break.
pub(crate) const GOODBYE: u8 = 0x80;

/// From here on, types that a version does not know are ignored; the numbers before it that this
/// one does not list are errors.
pub(crate) const IGNORED_FROM: u8 = 0x81;

/// In REFUSED: the proof does not fit: the secret or the name of the cluster is another one.
pub(crate) const REFUSED_PROOF: u8 = 1;
/// In REFUSED: no version that both speak.
pub(crate) const REFUSED_VERSION: u8 = 2;
/// In REFUSED: as many connections as a node takes.
pub(crate) const REFUSED_FULL: u8 = 3;
/// In REFUSED: not the frame that belonged there.
pub(crate) const REFUSED_MALFORMED: u8 = 4;
/// In REFUSED: another node, or another incarnation of it, is here.
pub(crate) const REFUSED_WRONG_PEER: u8 = 5;
/// In REFUSED: the node stops.
pub(crate) const REFUSED_STOPPED: u8 = 6;

/// In FAILED: the deadline had passed before the call was begun. Surely not handled.
pub(crate) const FAILED_EXPIRED: u8 = 1;
/// In FAILED: the node refuses the incarnation that calls, or did not handle it. Surely not
/// handled.
pub(crate) const FAILED_NOT_HANDLED: u8 = 2;
/// In FAILED: it was handled, and the answer is too large to be sent.
pub(crate) const FAILED_TOO_LARGE: u8 = 3;
