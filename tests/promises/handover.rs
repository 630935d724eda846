//! Sessions that go from node to node: what travels, what does not, and what is said to whom.

mod busy;
mod expiry;
mod faults;
mod hub;
mod loads;
mod messages;
mod outage;
mod unread;
mod versions;
