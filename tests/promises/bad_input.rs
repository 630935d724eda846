//! Bad input gets a clear code and is counted, and a player beside it feels nothing.

mod cbor;
mod first_frames;
mod floods;
mod frames;
mod silence;
