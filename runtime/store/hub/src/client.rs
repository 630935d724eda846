//! The side that borrows: what is under way, and who drives it.

pub(crate) mod backoff;
pub(crate) mod calls;
pub(crate) mod dial;
pub(crate) mod driver;
pub(crate) mod prefixes;
