//! A node: its listeners, its workers, its end.

mod listeners;
mod proxied;
mod stop;
mod workers;
