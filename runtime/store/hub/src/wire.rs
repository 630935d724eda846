//! Every number of the protocol between a hub and its clients. Retired ones stay listed.

/// The first bytes of a connection, from the client.
pub const MAGIC: [u8; 4] = *b"TLHB";
/// The oldest version that this crate speaks.
pub const VERSION_MIN: u8 = 1;
/// The newest version that this crate speaks.
pub const VERSION_MAX: u8 = 1;

/// What the client's proof begins with, so that neither side can be made to answer the other's.
pub(crate) const CLIENT_LABEL: &[u8] = b"throughline hub 1, client";
/// What the hub's proof begins with.
pub(crate) const HUB_LABEL: &[u8] = b"throughline hub 1, hub";

/// Client: the versions it speaks, and its nonce.
pub const HELLO: u8 = 0x01;
/// Hub: the version chosen, and its nonce.
pub const CHALLENGE: u8 = 0x02;
/// Client: that it knows the secret.
pub const PROOF: u8 = 0x03;
/// Hub: that it knows the secret, too. Calls may follow.
pub const WELCOME: u8 = 0x04;
/// Hub: why not; the connection then closes.
pub const REFUSED: u8 = 0x05;

/// Client: the value of a key.
pub const GET: u8 = 0x10;
/// Client: a page of a range.
pub const SCAN: u8 = 0x11;
/// Client: a commit.
pub const COMMIT: u8 = 0x12;
/// Client: hints about a prefix.
pub const WATCH: u8 = 0x13;
/// Client: no more of them.
pub const UNWATCH: u8 = 0x14;

/// Hub: the answer to a get.
pub const VALUE: u8 = 0x20;
/// Hub: the answer to a scan.
pub const PAGE: u8 = 0x21;
/// Hub: the commit took effect.
pub const DONE: u8 = 0x22;
/// Hub: the call did not succeed.
pub const FAILED: u8 = 0x23;
/// Hub: something under a watched prefix may have changed.
pub const HINT: u8 = 0x24;
/// Hub: no hints will come for a prefix.
pub const WATCH_REFUSED: u8 = 0x25;

/// In REFUSED: the proof does not fit, so the secret is another one.
pub const REFUSED_SECRET: u8 = 1;
/// In REFUSED: no version that both speak.
pub const REFUSED_VERSION: u8 = 2;
/// In REFUSED: as many connections as the hub takes.
pub const REFUSED_FULL: u8 = 3;
/// In REFUSED: not the frame that belonged there.
pub const REFUSED_MALFORMED: u8 = 4;

/// In FAILED: the store is down; retry later.
pub const FAILED_DOWN: u8 = 1;
/// In FAILED: the outcome of the commit is unknown.
pub const FAILED_UNKNOWN: u8 = 2;
/// In FAILED: stored bytes are damaged.
pub const FAILED_CORRUPT: u8 = 3;
/// In FAILED: a check did not hold.
pub const FAILED_CHECK: u8 = 4;
/// In FAILED: a key or an end of a range that no store takes.
pub const FAILED_KEY: u8 = 5;
/// In FAILED: a batch that no store takes.
pub const FAILED_BATCH: u8 = 6;
