//! A node: its listeners, its workers, its end.

mod listeners;
mod stop;
mod workers;
