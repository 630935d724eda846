//! P8: what leaves a node was committed before.
