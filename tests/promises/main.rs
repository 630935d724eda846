//! The promises of the runtime, each shown on a real node with real sockets.

mod game;
mod smoke;
