//! Every number of the wire, in one place, so that none is used twice.

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
/// How a Hello and a Resume begin: "TLNK".
pub const MAGIC: [u8; 4] = *b"TLNK";
/// What the proof of a resume is computed over, before the body.
pub const PROOF_LABEL: &[u8; 20] = b"throughline-resume-1";

/// Bytes of the length field in front of each frame.
pub const LENGTH_BYTES: usize = 4;
/// Bytes that a Data frame's `length` counts besides the payload: type, seq and ack.
pub const DATA_OVERHEAD: usize = 1 + 8 + 8;

/// Frame type of Hello.
pub const HELLO: u8 = 0x01;
/// Frame type of Resume.
pub const RESUME: u8 = 0x02;
/// Frame type of Welcome.
pub const WELCOME: u8 = 0x03;
/// Frame type of Refused.
pub const REFUSED: u8 = 0x04;
/// Frame type of Data.
pub const DATA: u8 = 0x10;
/// Frame type of Ack.
pub const ACK: u8 = 0x11;
/// Frame type of Ping.
pub const PING: u8 = 0x12;
/// Frame type of Pong.
pub const PONG: u8 = 0x13;
/// Frame type of Restarting.
pub const RESTARTING: u8 = 0x14;
/// Frame type of Close.
pub const CLOSE: u8 = 0x15;
/// Types from here on may be skipped by who does not know them.
pub const FIRST_IGNORABLE: u8 = 0x80;

/// Flag of Welcome: the session was resumed.
pub const FLAG_RESUMED: u8 = 0x01;

/// Extension of Hello and Resume: the version of the game's client, as text.
pub const TAG_GAME_VERSION: u16 = 0x0001;
/// Extension of Welcome: the node's own public address.
pub const TAG_ADDRESS: u16 = 0x0002;
/// Extension of Refused, up to 8 times: an address to try instead.
pub const TAG_ELSEWHERE: u16 = 0x0003;
/// Extension of Refused: the game's own number for the refusal, u16.
pub const TAG_GAME_CODE: u16 = 0x0004;
/// Tags with this bit must be known by who reads them.
pub const TAG_REQUIRED: u16 = 0x8000;

/// Extensions in one frame, at most: enough for every tag known, small enough to scan.
pub const EXTENSIONS_MAX: usize = 16;
/// Addresses in one Restarting or Refused, at most: a client tries no more anyway.
pub const ADDRESSES_MAX: usize = 8;
/// Bytes of a text for a person, at most.
pub const TEXT_MAX: usize = 1024;
/// Bytes of frames other than Data that wait to be written, at most: a peer that sends Pings and
/// never reads gets no more Pongs.
pub(crate) const CONTROL_MAX: usize = 16 * 1024;
/// Bytes of a session kind, at most.
pub const KIND_MAX: usize = 64;
/// Bytes of a game version, at most.
pub const GAME_VERSION_MAX: usize = 64;
/// What a Hello may have besides its login payload.
pub const HANDSHAKE_OVERHEAD: usize = 1024;
