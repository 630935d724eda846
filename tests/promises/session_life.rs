//! The life of a session: login, hooks, timers, messages between sessions, and its ends.

mod ends;
mod hooks;
mod keys;
mod logins;
mod messages;
mod takeover;
mod timers;
