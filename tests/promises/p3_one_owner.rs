//! P3: at most one node acts for a session.
