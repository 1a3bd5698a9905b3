//! Several nodes that are one platform: which node keeps the connection to which Asterisk server.
//!
//! All of them write into one store that changes a record only for whoever names its latest revision.
//! What is written when, and what follows from what is read, is decided by `Ownership`, which is pure:
//! it is told what happened and what time it is on this node's own clock.
//!
//! So far nothing but its tests uses it: what carries its orders out is to come.

mod ownership;
mod rank;
mod record;

use ownership::{Order, Outcome, Ownership, Terms};
use record::{NodeRecord, NodeState};

#[cfg(test)]
mod tests;
