//! How each step comes about. A situation ends with the death of the node, and says what must have
//! become of its players.

pub(crate) mod durable;
pub(crate) mod end;
pub(crate) mod hop;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod nodes;
pub(crate) mod park;
pub(crate) mod seize;
pub(crate) mod settle;
pub(crate) mod take;
pub(crate) mod unheld;
pub(crate) mod vactor;
