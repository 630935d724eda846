//! P4: a graceful stop loses nothing.
