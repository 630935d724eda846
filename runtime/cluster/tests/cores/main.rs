//! The cores in virtual time, over a store of bytes: no sockets, no sleeps.

mod drain;
mod handover;
mod held;
mod lease;
mod outage;
mod store;
