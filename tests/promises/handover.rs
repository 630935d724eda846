//! Sessions that go from node to node: what travels, what does not, and what is said to whom.

